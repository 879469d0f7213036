// What the "try it" view does, as commands and as code.

import { quote } from "./commands.ts";

/** Wish is what a token is to allow. */
export interface Wish {
  user: string;
  sub: string[];
  pub: string[];
  admin: boolean;
  ttl_s: number;
}

/** mintCommand makes the token where Tidings runs. */
export function mintCommand(w: Wish): string {
  const words = ["tidings token", quote(w.user), "--ttl", `${w.ttl_s}s`];
  if (w.sub.length) words.push("--sub", quote(w.sub.join(",")));
  if (w.pub.length) words.push("--pub", quote(w.pub.join(",")));
  if (w.admin) words.push("--as-admin");
  return `TOKEN=$(${words.join(" ")})`;
}

/** mintCode makes it in a server's own code. */
export function mintCode(w: Wish): string {
  const tidings = JSON.stringify({ sub: w.sub, pub: w.pub, ...(w.admin ? { admin: true } : {}) });
  return `import jwt from "jsonwebtoken";

const token = jwt.sign(
  { sub: ${JSON.stringify(w.user)}, tidings: ${tidings} },
  process.env.TIDINGS_JWT_SECRET,
  { expiresIn: ${w.ttl_s} },
);`;
}

/** listenCommand opens the stream. */
export function listenCommand(origin: string, topics: string[]): string {
  return `curl -N ${quote(`${origin}/v1/events?topics=${topics.join(",")}`)} \\\n  -H "Authorization: Bearer $TOKEN"`;
}

/** listenCode opens it in a page. */
export function listenCode(topics: string[]): string {
  const on = topics.map((t) => `tidings.topic(${JSON.stringify(t)}).on("*", (m) => console.log(m.type, m.data));`);
  return `import { connect } from "@tidings/client";

const tidings = connect({
  token: () => fetch("/token").then((r) => r.text()),
});
${on.join("\n")}`;
}

/** publishCommand publishes as the token's user. data is JSON. */
export function publishCommand(origin: string, topic: string, type: string, data: string): string {
  const body = `{"topic":${JSON.stringify(topic)},"type":${JSON.stringify(type)},"data":${data}}`;
  return `curl ${quote(`${origin}/v1/publish`)} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -d ${quote(body)}`;
}

/** publishCode publishes from a page. */
export function publishCode(topic: string, type: string, data: string): string {
  return `await tidings.topic(${JSON.stringify(topic)})\n  .publish(${JSON.stringify(type)}, ${data});`;
}
