// Topics and patterns. People name things as they like; the wire has tokens of [A-Za-z0-9_-],
// joined by dots, in which every other byte is written =HH.

import { TidingsError } from "./fault.ts";

/** OWN is what clients say for their own topic, so that nobody needs to know their own id. */
export const OWN = "user";

/** escape makes one token of any text but the empty one and halves of characters. */
export function escape(text: string): string {
  if (!text) throw new TidingsError("bad_name", "A name has an empty part.");
  return encodeURIComponent(text)
    .replace(/[.!~*'()]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase())
    .replace(/%/g, "=");
}

/** roomTopic names a room: "a.b" is room b of a. A list is taken part by part, dots included. */
export function roomTopic(name: string | readonly string[]): string {
  const parts = typeof name === "string" ? name.split(".") : name;
  if (!parts.length) escape("");
  return ["room", ...parts.map(escape)].join(".");
}

/** matches says whether a pattern selects a topic, by NATS's rules: "*" is one token, a final ">"
 * one or more. own is the topic that "user" stands for; while it is unknown, any user's will do,
 * since only privileged readers get those of others. */
export function matches(pattern: string, topic: string, own: string): boolean {
  if (pattern === topic) return true;
  if (pattern === OWN) pattern = own || "user.*";
  const p = pattern.split(".");
  const t = topic.split(".");
  return (p.length === t.length || (p.at(-1) === ">" && t.length > p.length)) &&
    p.every((token, i) => token === t[i] || token === "*" || token === ">");
}
