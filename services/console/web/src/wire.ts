// The words of the wire: the envelope of an event and the control events around it.

/** Envelope is the JSON of one ordinary event. */
export interface Envelope {
  topic: string;
  type: string;
  id?: string;
  source?: string;
  time?: string;
  data?: unknown;
  data_base64?: string;
}

/** parseObject reads a JSON object, or returns undefined: a stream may say anything. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const v: unknown = JSON.parse(text);
    return typeof v === "object" && v !== null && !Array.isArray(v)
      ? (v as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** parseEnvelope reads an event, or returns undefined if it is none. */
export function parseEnvelope(text: string): Envelope | undefined {
  const o = parseObject(text);
  if (!o || typeof o.topic !== "string" || typeof o.type !== "string") return undefined;
  const e: Envelope = { topic: o.topic, type: o.type };
  for (const key of ["id", "source", "time", "data_base64"] as const) if (typeof o[key] === "string") e[key] = o[key];
  if ("data" in o) e.data = o.data;
  return e;
}

/** Cursor is a parsed position in the log. */
export interface Cursor {
  epoch: string;
  /** seq is a 64-bit sequence, hence not a number. */
  seq: bigint;
}

/** parseCursor reads "<epoch>-<seq>", or returns undefined. */
export function parseCursor(s: string): Cursor | undefined {
  const m = /^([A-Za-z0-9]{1,32})-(0|[1-9][0-9]{0,19})$/.exec(s);
  return m ? { epoch: m[1]!, seq: BigInt(m[2]!) } : undefined;
}

/** before returns the cursor just before s: a stream that starts there sends s's event first.
 * It returns "" when s is no cursor or stands before everything. */
export function before(s: string): string {
  const c = parseCursor(s);
  return c && c.seq > 0n ? `${c.epoch}-${c.seq - 1n}` : "";
}
