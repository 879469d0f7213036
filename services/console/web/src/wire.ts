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

/** Hello opens every stream. */
export interface Hello {
  conn: string;
  node: string;
  epoch: string;
  cursor: string;
  topics: string[];
  resumed: boolean;
  heartbeat_ms: number;
}

/** Gap says that history is gone for good: what lies between after and before was not sent. */
export interface Gap {
  topic: string;
  after: string;
  before: string;
  reason: string;
}

/** Bye is the server's last word on a stream. */
export interface Bye {
  code: string;
  reason: string;
  return: boolean;
  retry_ms: number;
}

/** Problem is an RFC 9457 answer, or the nearest thing to it when a proxy answered instead. */
export interface Problem {
  status: number;
  code: string;
  detail: string;
  hint: string;
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
  if (typeof o.id === "string") e.id = o.id;
  if (typeof o.source === "string") e.source = o.source;
  if (typeof o.time === "string") e.time = o.time;
  if (typeof o.data_base64 === "string") e.data_base64 = o.data_base64;
  if ("data" in o) e.data = o.data;
  return e;
}

/** readProblem reads the body of a refused request. It never throws. */
export async function readProblem(response: Response): Promise<Problem> {
  const p: Problem = { status: response.status, code: "", detail: "", hint: "" };
  try {
    const o = parseObject((await response.text()).slice(0, 16_384)) ?? {};
    for (const key of ["code", "detail", "hint"] as const) {
      const v = o[key];
      if (typeof v === "string") p[key] = v;
    }
    if (!p.detail && typeof o.title === "string") p.detail = o.title;
  } catch {
    // The body broke off; the status says enough.
  }
  if (!p.detail) p.detail = `The server answered ${response.status} ${response.statusText}`.trim() + ".";
  return p;
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
