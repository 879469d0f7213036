// The real server as a process.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** PATIENCE_MS is how long a condition may take to come true: a loaded machine is slow, and one
 * that holds costs nothing. */
const PATIENCE_MS = 30_000;
/** LEEWAY_S is how long the server takes a token after its end, because clocks differ. */
const LEEWAY_S = 30;

/** binary returns the program: that of TIDINGS_BINARY, or one built from this repository. */
function binary(dir: string): string {
  if (process.env.TIDINGS_BINARY) return process.env.TIDINGS_BINARY;
  const out = join(dir, "tidings");
  execFileSync("go", ["build", "-o", out, "./services/tidings"], { cwd: "../..", stdio: "inherit" });
  return out;
}

/** Server is one `tidings dev`, which may be killed and started again on the same port and data. */
export class Server {
  url = "";
  private dir = mkdtempSync(join(tmpdir(), "tidings-client-"));
  private program = binary(this.dir);
  private process: ChildProcess | undefined;

  constructor(private flags: string[] = []) {}

  async start(): Promise<void> {
    const address = this.url ? new URL(this.url).host : "127.0.0.1:0";
    const child = spawn(this.program, ["dev", "--http", address, "--admin", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--data", join(this.dir, "data"), ...this.flags],
      { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: this.dir } });
    this.process = child;
    let said = "";
    child.stdout!.on("data", (b) => (said += b));
    child.stderr!.on("data", (b) => (said += b));
    await until(() => /Ctrl-C stops it/.test(said) || child.exitCode !== null, () => `tidings did not start:\n${said}`);
    this.url = /Console\s+(\S+?)\/#/.exec(said)![1]!;
    await until(async () => (await fetch(/Metrics\s+(\S+)\/metrics/.exec(said)![1] + "/readyz")).ok, () => `tidings is not ready:\n${said}`);
  }

  /** kill ends it without a word. */
  async kill(): Promise<void> {
    const child = this.process!;
    const exited = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await exited;
  }

  /** token makes a token of a user that may do all in rooms, and lives for so many seconds. */
  token(user: string, seconds = 3600, sub = "room.>"): string {
    const now = Math.floor(Date.now() / 1000);
    const part = (v: object) => Buffer.from(JSON.stringify(v)).toString("base64url");
    const claims = { sub: user, iat: now - 60, exp: now + seconds - LEEWAY_S, tidings: { sub: [sub], pub: ["room.>"] } };
    const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    const secret = readFileSync(join(this.dir, "data", "dev.secret"), "utf8").trim();
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** until waits for a condition. An error in it counts as no. */
export async function until(ok: () => unknown, why: () => string = () => String(ok)): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    if (await Promise.resolve().then(ok).catch(() => false)) return;
    if (Date.now() > end) throw new Error(`it did not come true: ${why()}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}
