// A client that listens to room.a, in a world of its own.

import { connect, type Options } from "../src/client.ts";
import type { Message } from "../src/message.ts";
import type { Status } from "../src/status.ts";
import { hello, jwt, live, settle, World } from "./world.ts";

/** start is a client that listens to room.a. */
export async function start(options: Options = {}, world = new World()) {
  const rt = connect({ url: "http://edge/rt/", share: false, token: jwt("ann"), ...options }, world);
  const states: Status[] = [];
  const events: Message[] = [];
  rt.status.subscribe((s) => states.push(s));
  const a = rt.room("a");
  const off = a.on("*", (m) => events.push(m));
  await settle();
  const names = () => states.map((s) => s.state).join(" ");
  const now = () => rt.status.get().state;
  return { world, rt, a, off, states, events, names, now, seqs: () => events.map((m) => m.cursor?.slice(2)).join(" ") };
}

/** up is a client that is live. */
export async function up(options: Options = {}, world = new World()) {
  const s = await start(options, world);
  await s.world.write(hello(["room.a"]) + live);
  return s;
}
export const last = (world: World) => world.to("/v1/events").at(-1)!;

