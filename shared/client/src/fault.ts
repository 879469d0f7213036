// What can go wrong, as one class of error with a stable code.

/** TidingsError is every error this package throws on its own account. Its message is a sentence
 * for people. */
export class TidingsError extends Error {
  override name = "TidingsError";
  /** Parts of this package that are loaded one by one have a class each; they are one to you. */
  static override [Symbol.hasInstance](e: unknown): boolean {
    return (e as Error)?.name === "TidingsError";
  }
  /** code is stable and for programs: that of the server's problem document, or one of ours:
   * network, timeout, closed, bad_name, no_token, user_changed, http (an answer without a problem
   * document). */
  declare readonly code: string;
  /** detail is the message, by the name it has in a problem document. */
  declare readonly detail: string;
  /** status is the HTTP status, 0 if there was no answer. */
  declare readonly status: number;
  /** hint is a sentence about what to do, or "". */
  declare readonly hint: string;
  /** retryAfter is when to try again at the earliest, in milliseconds; 0 says nothing. */
  declare readonly retryAfter: number;

  constructor(code: string, detail: string, status = 0, hint = "", retryAfter = 0) {
    super(detail);
    Object.assign(this, { code, detail, status, hint, retryAfter });
  }
}

/** isFinal says that the same request will be refused again. A 4xx without a problem document
 * came from something in between, such as a proxy during a deployment, and proves nothing. */
export function isFinal({ status, code }: TidingsError): boolean {
  return (code === "http" ? /^(204|40[013])/ : /^(204|4(?!08|25|29))/).test("" + status);
}

/** thrown makes a TidingsError of whatever was thrown, unless it is one; that of another copy of
 * this package is. */
export function thrown(e: unknown): TidingsError {
  return e instanceof TidingsError ? e : new TidingsError("network", String((e as Error)?.message ?? e));
}

/** refusal makes an error of a response that is no success. It never throws. */
export async function refusal(response: Response, now: number): Promise<TidingsError> {
  const { status, headers } = response;
  const { code = "http", title = `The server answered ${status}.`, detail = title, hint } = (await response.json().catch(() => 0)) || {};
  return new TidingsError(code, detail, status, hint, retryAfter(headers.get("Retry-After"), now));
}

/** retryAfter reads the header of that name: seconds or a date. It returns milliseconds, 0 for
 * an absent or unreadable one. */
export function retryAfter(header: string | null, now: number): number {
  const ms = +header! * 1_000 || Date.parse(header!) - now;
  return ms > 0 ? ms : 0; // NaN is not
}
