// An event as a command that publishes it again. What comes from outside stands between single
// quotes, in which a POSIX shell reads everything as it is written.

import { member } from "./json.ts";
import type { Envelope } from "./wire.ts";

/** quote makes one shell word of any text. */
export function quote(s: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`;
}

/** asCurl returns a request to the producer. $TOKEN is left for the shell to fill in. Bytes need
 * the CloudEvents format, and that an id: unique says which. */
export function asCurl(origin: string, e: Envelope, raw: string, unique: string): string {
  const head = `"type":${JSON.stringify(e.type)}`;
  let media = "application/json";
  let content = `{"topic":${JSON.stringify(e.topic)},${head},"data":${dataOf(raw)}}`;
  if (e.data_base64 !== undefined) {
    media = "application/cloudevents+json";
    content = `{"specversion":"1.0","id":${JSON.stringify(unique)},"source":"console","tidingstopic":${JSON.stringify(e.topic)},${head},` +
      `"datacontenttype":"application/octet-stream","data_base64":${JSON.stringify(e.data_base64)}}`;
  }
  return [
    `curl -sS ${quote(`${origin}/v1/events`)}`,
    `  -H "Authorization: Bearer $TOKEN"`,
    `  -H 'Content-Type: ${media}'`,
    `  -d ${quote(content)}`,
  ].join(" \\\n");
}

/** asNats returns a publish with the nats tool, with the type as the CloudEvents header. */
export function asNats(prefix: string, e: Envelope, raw: string): string {
  const words = ["nats pub"];
  if (e.type !== "message") words.push("-H", quote(`ce-type:${e.type}`));
  words.push(quote(`${prefix}.ev.${e.topic}`));
  if (e.data_base64 !== undefined) return `printf %s ${quote(e.data_base64)} | base64 -d | ${words.join(" ")} --force-stdin`;
  return `${words.join(" ")} ${quote(dataOf(raw))}`;
}

function dataOf(raw: string): string {
  return member(raw, "data") || "null";
}
