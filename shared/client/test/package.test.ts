// What npm pack gives is what people install: it is installed into a project of its own, compiled
// against with tsc --strict, and run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";

const dir = mkdtempSync(join(tmpdir(), "tidings-package-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const project = join(dir, "project");
const tsc = resolve("node_modules/.bin/tsc");

const run = (cwd: string, program: string, ...args: string[]): string => {
  try {
    return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (e) {
    const { stdout, stderr } = e as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(" ")}\n${stdout}\n${stderr}`);
  }
};
/** compile returns tsc's complaints about a program. */
const compile = (name: string, text: string, ...flags: string[]): string => {
  writeFileSync(join(project, name), text);
  try {
    run(project, tsc, "--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--types", "", ...flags, name);
    return "";
  } catch (e) {
    return (e as Error).message;
  }
};

const program = `
import { connect, TidingsError, type Message, type Status } from "@tidings/client";

interface Events {
  "order.paid": { id: string; total: number };
  "chat.message": { text: string; from: string };
}
const rt = connect<Events>({ url: "/rt", token: () => fetch("/token").then((r) => r.text()), share: "auto" });
const pill = (s: Status): string => ("retryAt" in s ? \`\${s.state} until \${s.retryAt}\` : s.state === "denied" ? s.reason : s.state);
const off: () => void = rt.status.subscribe((s) => void pill(s));
const room = rt.room("order 42");
room.on("order.paid", (data, m) => {
  const total: number = data.total;
  const type: "order.paid" = m.type;
  const cursor: string | undefined = m.cursor;
  void [total, type, cursor, m.replayed];
});
room.on("*", (m) => {
  if (m.type === "chat.message") void m.data.text;
  else void m.data.total;
});
room.onGap((g) => void [g.after, g.before, g.reason]);
rt.user<{ note: string }>().on("note", (text) => void text.length);
async function all(signal: AbortSignal): Promise<void> {
  const { id, duplicate } = await room.publish("chat.message", { text: "hi", from: "ann" }, { key: "k", exceptSelf: true });
  for await (const m of room.events("order.paid", { since: rt.cursor ?? "", signal })) {
    const paid: Message<Events["order.paid"], "order.paid"> = m;
    void [paid.data.total, id, duplicate];
  }
}
all(new AbortController().signal).catch((e) => e instanceof TidingsError && e.code);
connect().room("x").on("anything", (d) => void d.whatever);
off();
rt.close();
`;

test("the tarball holds what it should, and works", () => {
  mkdirSync(project);
  run(".", "npm", "pack", "--silent", "--pack-destination", dir);
  const tarball = readdirSync(dir).find((f) => f.endsWith(".tgz"))!;
  const files = run(dir, "tar", "-tzf", tarball).trim().split("\n").map((f) => f.replace("package/", ""));
  for (const want of ["package.json", "README.md", "dist/client.js", "dist/more.js", "dist/share.js", "dist/worker.js", "declarations/index.d.ts"]) assert.ok(files.includes(want), want);
  assert.deepEqual(files.filter((f) => !/^(package\.json|README\.md|dist\/\w+\.js|declarations\/[\w/]+\.d\.ts)$/.test(f)), []);

  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "scratch", private: true, type: "module" }));
  run(project, "npm", "install", "--offline", "--no-audit", "--no-fund", "--silent", join(dir, tarball));
  assert.deepEqual(readdirSync(join(project, "node_modules")).filter((f) => !f.startsWith(".")), ["@tidings"], "no dependencies");

  for (const flags of [["--module", "esnext", "--moduleResolution", "bundler"], ["--module", "nodenext"], ["--module", "esnext", "--moduleResolution", "bundler", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"]]) {
    assert.equal(compile("good.ts", program, ...flags), "", flags.join(" "));
  }
  for (const [bad, complaint] of [
    ['room.on("order.payed", () => {});', /order\.payed/],
    ['room.on("order.paid", (d) => d.text);', /'text' does not exist/],
    ['room.publish("chat.message", { text: 1, from: "ann" });', /not assignable to type 'string'/],
    ['for await (const m of room.events("order.paid")) m.data.from;', /'from' does not exist/],
    ["rt.status.get().retryAt;", /'retryAt' does not exist/],
    ["room.emit({});", /'emit' does not exist/],
  ] as const) {
    assert.match(compile("bad.ts", program + bad, "--module", "esnext", "--moduleResolution", "bundler"), complaint, bad);
  }

  writeFileSync(join(project, "run.js"), `
    import { connect, TidingsError } from "@tidings/client";
    const asked = [];
    globalThis.fetch = async (url) => {
      asked.push(new URL(url).pathname + new URL(url).search);
      return url.includes("/topics/") ? new Response('{"events":[],"cursor":"e-1","more":false}') : url.includes("/poll") ? new Response('{"code":"no","detail":"No."}', { status: 403 }) : new Response("", { status: 204 });
    };
    const rt = connect({ url: "http://localhost/rt", transports: ["poll"] });
    const room = rt.room("a b");
    await room.history({ limit: 3 });
    room.onError(() => {});
    room.on("*", () => {});
    const s = await new Promise((done) => rt.status.subscribe((s) => s.state === "denied" && done(s)));
    console.log(JSON.stringify([asked, s.code, new Error() instanceof TidingsError]));
  `);
  assert.deepEqual(JSON.parse(run(project, "node", "run.js")), [["/rt/v1/topics/room.a=20b/events?limit=3".replace("=20", "%3D20"), "/rt/v1/poll?topics=room.a%3D20b&wait=0", "/rt/v1/topics/room.a%3D20b/events?limit=1"], "no", false]);
});
