// The package as its users get it: packed, installed into an empty project, compiled by the
// strictest compiler, and imported by a server. Nothing is downloaded: React and the compiler are
// those of this directory.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

const client = resolve(".");
/** RUN_MS bounds each program that a test runs. */
const RUN_MS = 60_000;

let project: string; // the user's
let installed: string; // the package in it
let listed: { filename: string; size: number; unpackedSize: number; files: { path: string }[] }; // what npm says about the package

/** run returns what a program prints. Its failure shows all that it said. */
function run(cwd: string, program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { cwd, encoding: "utf8", timeout: RUN_MS, stdio: "pipe" });
  } catch (e) {
    const { message, stdout, stderr } = e as Error & { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(" ")}: ${message}\n${stdout}${stderr}`);
  }
}

/** tsc compiles the user's project. */
function tsc(options: object): string {
  const compilerOptions = {
    strict: true, noEmit: true, target: "es2022", jsx: "react-jsx", types: [],
    noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, verbatimModuleSyntax: true,
    skipLibCheck: false, // our own declarations are to be right
    ...options,
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["core.ts", "hooks.tsx", "status.ts"] }));
  return run(project, join(client, "node_modules/.bin/tsc"), "-p", project);
}

before(() => {
  project = mkdtempSync(join(tmpdir(), "tidings-pack-"));
  const packed = JSON.parse(run(client, "npm", "pack", "--silent", "--json", "--pack-destination", project));
  [listed] = Object.values(packed) as [typeof listed]; // a list, or by name, as npm likes
  cpSync("pack/consumer", project, { recursive: true });
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  run(project, "npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "./" + listed.filename);
  installed = join(project, "node_modules/@tidings/client");
  mkdirSync(join(project, "node_modules/@types"));
  for (const name of ["react", "react-dom", "@types/react", "@types/react-dom", "csstype"]) {
    symlinkSync(join(client, "node_modules", name), join(project, "node_modules", name));
  }
});
after(() => rmSync(project, { recursive: true, force: true }));

test("the package holds its bundles, its declarations and nothing else", (t) => {
  const files = listed.files.map((f) => f.path);
  for (const path of files) assert.match(path, /^(package\.json|README\.md|LICENSE|dist\/[a-z]+\.js|declarations\/.*\.d\.ts)$/);
  assert.ok(files.includes("LICENSE") && files.includes("README.md"));
  assert.equal(readFileSync(join(installed, "LICENSE"), "utf8"), readFileSync("../../LICENSE", "utf8"));
  for (const part of ["@tidings/client/react", "@tidings/client/element", "@tidings/client/inbox", "@tidings/client/bell"]) assert.ok(readFileSync(join(installed, "README.md"), "utf8").includes(part), part);
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const promised = Object.values(exports as Record<string, string | object>).flatMap((e): string[] => Object.values(typeof e === "string" ? [e] : e));
  for (const path of promised) assert.ok(files.includes(path.slice(2)), `${path} is missing`);
  // It needs nothing, and React only for who has it.
  assert.deepEqual(readdirSync(join(project, "node_modules/@tidings")), ["client"]);
  t.diagnostic(`${files.length} files, ${listed.size} bytes packed, ${listed.unpackedSize} unpacked`);
});

test("typed events compile, and wrong ones do not", () => {
  tsc({ module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom", "dom.iterable"] });
});

test("so they do with Node's way to find modules", () => {
  tsc({ module: "nodenext", moduleResolution: "nodenext", lib: ["es2022", "dom"] });
});

test("a server imports and renders", () => {
  assert.equal(run(project, process.execPath, "server.mjs"), "rendered\n");
});
