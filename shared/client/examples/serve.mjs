// The server of the examples, in the part of an application's own server: it gives the pages, gives
// a token to who is signed in, and passes /v1/… on to Tidings.
//
//     go run -C scripts/tools ./bundle -examples /tmp/examples
//     go run ./services/tidings dev
//     TIDINGS_TOKEN=$(go run ./services/tidings token ann) node shared/client/examples/serve.mjs /tmp/examples
//
// The second argument is the URL of Tidings, the third the port.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { extname, join, sep } from "node:path";

const [dir = ".", tidings = "http://127.0.0.1:8080", port = "8000"] = process.argv.slice(2);
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript" };

// What may be asked for is known from the beginning, so no path leads out of the directory.
const pages = new Map();
for (const file of readdirSync(dir, { recursive: true, withFileTypes: true })) {
  const path = join(file.parentPath ?? file.path, file.name);
  const name = path.slice(join(dir).length).split(sep).join("/").replace(/^\/?/, "/");
  if (file.isFile() && TYPES[extname(name)]) pages.set(name.replace(/\/index\.html$/, "/"), readFileSync(path));
}

/** policy lets a page run its own scripts and nothing else: nothing inline but what it has now. */
function policy(page) {
  const inline = [...page.toString().matchAll(/<script type="module">([^]*?)<\/script>/g)];
  const hashes = inline.map(([, script]) => ` 'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  return `default-src 'none'; connect-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; script-src 'self'${hashes.join("")}`;
}

/** pass makes the same request to Tidings. */
function pass(req) {
  const { method, headers } = req;
  return request(new URL(req.url, tidings), { method, headers });
}

const server = createServer((req, res) => {
  const { pathname } = new URL(req.url, "http://localhost");
  const page = pages.get(pathname);
  if (pathname.startsWith("/v1/")) {
    const onward = pass(req);
    // A failure at any end is the end of both; the client comes back.
    onward.on("response", (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      res.flushHeaders();
      answer.pipe(res).on("error", () => answer.destroy());
      answer.on("error", () => res.destroy());
    });
    onward.on("error", () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
    res.on("close", () => onward.destroy());
    req.pipe(onward);
  } else if (pathname === "/token") {
    // Here a real server looks who is signed in, and answers 401 to nobody.
    const token = process.env.TIDINGS_TOKEN;
    res.writeHead(token ? 200 : 401, { "Content-Type": "text/plain", "Cache-Control": "no-store" }).end(token);
  } else if (page) {
    const type = TYPES[extname(pathname) || ".html"];
    res.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache", "Content-Security-Policy": policy(page) }).end(page);
  } else {
    res.writeHead(pathname === "/favicon.ico" ? 204 : 404).end();
  }
});

// A WebSocket, for networks that hold streams back.
server.on("upgrade", (req, socket, head) => {
  const onward = pass(req);
  socket.on("error", () => onward.destroy());
  onward.on("error", () => socket.destroy());
  onward.on("response", () => socket.destroy());
  onward.on("upgrade", (answer, other, first) => {
    const lines = [`HTTP/1.1 101 ${answer.statusMessage}`];
    for (let i = 0; i < answer.rawHeaders.length; i += 2) lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
    socket.write(lines.join("\r\n") + "\r\n\r\n");
    socket.write(first);
    other.write(head);
    socket.on("error", () => other.destroy());
    other.on("error", () => socket.destroy());
    socket.pipe(other).pipe(socket);
  });
  onward.end();
});

server.listen(Number(port), "127.0.0.1", () => {
  const { port } = server.address();
  console.log(`http://127.0.0.1:${port}/plain.html\nhttp://127.0.0.1:${port}/react/`);
});
