// <tidings-status> says what the connection is doing, to pages of any framework or none:
//
//     <script type="module" src="/tidings/element.js"></script>
//     <tidings-status url="/rt" token-url="/token" topics="room.ops"></tidings-status>
//
// With the attribute url it has a client of its own, which its property client gives to the page's
// script; or that property is set, and the client is the page's.

import { connect, TidingsError, type Client, type Off, type Options, type Status } from "@tidings/client";
import { announcement, CSS, ENGLISH, isNews, label, secondsLeft, SHAPES, type Labels } from "./look.ts";

export type { Labels } from "./look.ts";

/** CALM_MS is how long a state must last before it is announced: hiccups are not worth a word. */
const CALM_MS = 1_000;
/** SAY_MS is the least time between two announcements to a screen reader: a flapping network must
 * not talk over everything else. */
const SAY_MS = 5_000;
/** TOKEN_MS bounds a request for a token. */
const TOKEN_MS = 10_000;

const IDLE: Status = { state: "idle" };
const SVG = "http://www.w3.org/2000/svg";
const SHARES: readonly unknown[] = ["auto", "worker", "locks"] satisfies Options["share"][];

// On a server there is no HTMLElement. There the class is only a name.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** TidingsStatus is the element <tidings-status>.
 *
 * Attributes: url is where the server's /v1/… is and token-url the address of the page's own that
 * answers with a token as text; topics (names on the wire, separated by commas), share, key and
 * rewind are options of connect. A change of any of them is another client. */
export class TidingsStatus extends Base {
  static readonly observedAttributes = ["url", "token-url", "topics", "share", "key", "rewind"];

  readonly #root: ShadowRoot;
  readonly #pill = document.createElement("span");
  readonly #path = document.createElementNS(SVG, "path");
  readonly #label = document.createElement("span");
  readonly #retry = document.createElement("button");
  readonly #said = document.createElement("span");
  #labels: Labels = ENGLISH;
  #given: Client<any> | undefined;
  #own: Client<any> | undefined;
  #off: Off | undefined;
  #status = IDLE;
  #clock: ReturnType<typeof setTimeout> | undefined;
  #speech: ReturnType<typeof setTimeout> | undefined;
  #spoken: Status["state"] = "live"; // that a page goes live as it should needs no words
  #spokenAt = 0;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: "open" });
    this.#root.adoptedStyleSheets = [sheet()];
    const svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of [["viewBox", "0 0 16 16"], ["class", "shape"], ["part", "shape"], ["aria-hidden", "true"]] as const) svg.setAttribute(name, value);
    svg.append(this.#path);
    this.#pill.tabIndex = -1; // takes the focus of a button that goes away
    this.#label.className = "label";
    this.#label.part.value = "label";
    this.#retry.className = "retry";
    this.#retry.part.value = "retry";
    this.#retry.type = "button";
    this.#retry.onclick = () => this.client?.retryNow();
    this.#said.className = "said";
    this.#said.role = "status"; // polite
    this.#pill.append(svg, this.#label, this.#retry);
    this.#root.append(this.#pill, this.#said);
    this.#show();
  }

  /** client is whose status it is: the one that was set, else its own if it has a url. Setting
   * undefined goes back to its own. The element never closes a client that was set. */
  get client(): Client<any> | undefined {
    if (!this.#given && this.isConnected && this.hasAttribute("url")) this.#own ??= this.#connect();
    return this.#given ?? this.#own;
  }

  set client(client: Client<any> | undefined) {
    this.#given = client ?? undefined;
    this.#renew();
  }

  /** labels are the words. Those that are left out are English. */
  get labels(): Labels {
    return this.#labels;
  }

  set labels(labels: Partial<Labels>) {
    this.#labels = { ...ENGLISH, ...labels };
    this.#show();
  }

  connectedCallback(): void {
    // What was set before the element was defined is an ordinary property that hides ours.
    for (const name of ["client", "labels"] as const) {
      const before = Object.getOwnPropertyDescriptor(this, name)?.value;
      if (before === undefined) continue;
      delete this[name];
      this[name] = before;
    }
    this.#listen();
  }

  disconnectedCallback(): void {
    // An element that is moved is back at once.
    queueMicrotask(() => this.isConnected || this.#renew());
  }

  attributeChangedCallback(_: string, before: string | null, now: string | null): void {
    if (before !== now && this.#own) this.#renew();
    else if (this.isConnected) this.#listen();
  }

  /** renew forgets the client of before, and closes it if it was the element's own. */
  #renew(): void {
    this.#off?.();
    this.#off = undefined;
    this.#own?.close();
    this.#own = undefined;
    clearTimeout(this.#speech);
    this.#speech = undefined;
    this.#listen();
  }

  #listen(): void {
    if (this.#off) return;
    const client = this.isConnected ? this.client : undefined;
    if (client) this.#off = client.status.subscribe((status) => this.#set(status));
    else this.#set(IDLE);
  }

  #connect(): Client<any> {
    const read = (name: string) => this.getAttribute(name) ?? undefined;
    const [from, share, topics] = [read("token-url"), read("share"), read("topics")?.split(",").map((t) => t.trim()).filter(Boolean)];
    const options: Options = { url: read("url")!, rewind: Number(read("rewind")) || 0 };
    if (from !== undefined) options.token = () => fetchToken(from);
    if (topics?.length) options.topics = topics;
    if (SHARES.includes(share)) options.share = share as "auto";
    if (share === "false") options.share = false;
    const key = read("key");
    if (key !== undefined) options.key = key;
    return connect(options);
  }

  #set(status: Status): void {
    this.#status = status;
    this.#show();
    if (this.isConnected) this.#say();
  }

  /** show draws the status, and again when a second has passed. */
  #show(): void {
    clearTimeout(this.#clock);
    const status = this.#status;
    const { state } = status;
    const now = Date.now();
    const text = label(status, this.#labels, now);
    if (this.#pill.className !== "pill " + state) {
      this.#pill.className = "pill " + state;
      this.#pill.part.value = "pill " + state;
      this.#path.setAttribute("d", SHAPES[state]);
    }
    if (this.#label.textContent !== text) this.#label.textContent = text;
    this.#pill.title = "reason" in status ? status.reason : "";
    this.#retry.textContent = this.#labels.retry;
    const retry = "reason" in status;
    if (!retry && this.#root.activeElement === this.#retry) this.#pill.focus();
    this.#retry.hidden = !retry;
    if (status.state === "waiting" && secondsLeft(status, now) && this.isConnected) this.#clock = setTimeout(() => this.#show(), ((status.retryAt - now - 1) % 1_000) + 1);
  }

  /** say announces what lasts, not too often. */
  #say(): void {
    if (this.#speech !== undefined || !isNews(this.#status.state, this.#spoken)) return;
    this.#speech = setTimeout(() => {
      this.#speech = undefined;
      if (!isNews(this.#status.state, this.#spoken)) return;
      this.#spoken = this.#status.state;
      this.#spokenAt = Date.now();
      this.#said.textContent = announcement(this.#status, this.#labels);
    }, Math.max(CALM_MS, this.#spokenAt + SAY_MS - Date.now()));
  }
}

let shared: CSSStyleSheet | undefined;

/** sheet returns the style of all elements. Made by script, it asks nothing of the page's Content
 * Security Policy, which may refuse styles within the page. */
function sheet(): CSSStyleSheet {
  if (!shared) {
    shared = new CSSStyleSheet();
    shared.replaceSync(CSS);
  }
  return shared;
}

/** fetchToken gets a token from the page's own server, which knows who is signed in. */
async function fetchToken(url: string): Promise<string> {
  const response = await fetch(url, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(TOKEN_MS) });
  const { status } = response;
  if (response.ok) return response.text();
  // Who is signed out stays so until somebody signs in; anything else passes.
  throw new TidingsError("no_token", `The page's server gave no token (${status}).`, status === 401 || status === 403 ? 401 : 0);
}

const registry = globalThis.customElements;
if (registry && !registry.get("tidings-status")) registry.define("tidings-status", TidingsStatus);

declare global {
  interface HTMLElementTagNameMap {
    "tidings-status": TidingsStatus;
  }
}
