/** <tidings-bell> is a bell with the number of what is new, and a notification centre behind it, for
 * pages of any framework or none:
 *
 *     <script type="module" src="/tidings/bell.js"></script>
 *     <tidings-bell url="/rt" token-url="/token"></tidings-bell>
 *
 * @module */

import { connect, TidingsError, type Client, type Off, type Options } from "@tidings/client";
import type { Entry, select } from "../inbox/fold.ts";
import type { Notifications } from "../inbox/inbox.ts";
import type { PreferencesStore } from "../inbox/preferences.ts";
import { h, icon } from "./dom.ts";
import { BELL } from "./look.ts";
import type { Panel } from "./panel.ts";
import { adopt } from "./sheet.ts";
import { badge, ENGLISH, type Labels } from "./words.ts";

export type { Labels } from "./words.ts";

/** TOKEN_MS bounds a request for a token. */
const TOKEN_MS = 10_000;

// On a server there is no HTMLElement. There the class is only a name.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** TidingsBell is the element <tidings-bell>.
 *
 * Attributes: url is where the server's /v1/… is; token is a token, or token-url the address of the
 * page's own that answers with one as text; placement says where the panel opens: "bottom-end" (the
 * default), "bottom-start", "top-end" or "top-start". Another url or token is another client.
 *
 * Events: "tidings-new", whose detail is an item that just came, and "tidings-open", whose detail is
 * the one that was clicked or opened by Enter; preventDefault keeps Enter from following its link. */
export class TidingsBell extends Base {
  static readonly observedAttributes = ["url", "token", "token-url"];

  readonly #root: ShadowRoot;
  readonly #badge = h("span", { className: "badge", part: "badge", ariaHidden: "true" });
  readonly #button = h("button", { type: "button", className: "bell", part: "bell", ariaHasPopup: "dialog", ariaExpanded: "false", "aria-controls": "panel" }, icon("bell"), this.#badge);
  readonly #said = h("span", { className: "said", role: "status" }); // polite
  #labels: Labels = ENGLISH;
  #given: Client<any> | undefined;
  #own: Client<any> | undefined;
  #store: Notifications | undefined;
  #wishes: PreferencesStore | undefined;
  #select: typeof select | undefined;
  #panel: Panel | undefined;
  #offs: Off[] | undefined;
  #run = 0; // names the client; what belongs to an older one is void

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: "open" });
    adopt(this.#root, BELL);
    this.#root.append(this.#button, this.#said);
    this.#button.onclick = () => (this.open ? this.close() : this.show());
    // Who comes near the bell may open it.
    this.#button.onpointerenter = this.#button.onfocus = () => void this.#load();
    this.#draw();
  }

  /** client is whose notifications they are: the one that was set, else its own if it has a url.
   * The element never closes a client that was set. */
  get client(): Client<any> | undefined {
    if (!this.#given && this.isConnected && this.hasAttribute("url")) this.#own ??= this.#connect();
    return this.#given ?? this.#own;
  }

  set client(client: Client<any> | undefined) {
    this.#given = client ?? undefined;
    this.#renew();
  }

  /** notifications is the store behind the bell, undefined until its code is there. */
  get notifications(): Notifications | undefined {
    return this.#store;
  }

  /** labels are the words. Those that are left out are English. */
  get labels(): Labels {
    return this.#labels;
  }

  set labels(labels: Partial<Labels>) {
    this.#labels = { ...ENGLISH, ...labels };
    this.#panel?.remove();
    this.#panel = undefined;
    this.#draw();
  }

  /** open says whether the panel is shown. */
  get open(): boolean {
    return !!this.#panel?.open;
  }

  /** show opens the panel, and what there is counts as seen. */
  async show(): Promise<void> {
    (await this.#load())?.show();
  }

  /** close hides the panel, and gives the focus back to the bell. */
  close(): void {
    this.#panel?.close();
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
    queueMicrotask(() => {
      if (!this.isConnected) this.#renew();
    });
  }

  attributeChangedCallback(_: string, before: string | null, now: string | null): void {
    if (before !== now && this.#own) this.#renew();
    else if (this.isConnected) this.#listen();
  }

  // ---- The client ----

  /** renew forgets the client of before, and closes it if it was the element's own. */
  #renew(): void {
    this.#run++;
    for (const off of this.#offs ?? []) off();
    this.#panel?.remove();
    this.#own?.close();
    this.#offs = this.#own = this.#store = this.#wishes = this.#panel = undefined;
    this.#draw();
    this.#listen();
  }

  async #listen(): Promise<void> {
    const client = this.isConnected ? this.client : undefined;
    if (!client || this.#offs) return;
    const mine = this.#run;
    const offs: Off[] = (this.#offs = []);
    let parts: typeof import("../inbox/index.ts");
    try {
      parts = await import("../inbox/index.ts");
    } catch {
      if (mine === this.#run) this.#offs = undefined; // asked again with the next attribute, or a reload
      return;
    }
    if (mine !== this.#run) return;
    this.#select = parts.select;
    this.#store = parts.notifications(client);
    this.#wishes = parts.preferences(client);
    offs.push(
      this.#store.subscribe(() => this.#draw()),
      this.#store.onNew((entry) => {
        this.#said.textContent = `${entry.title ?? this.#labels.title}, ${this.#labels.fresh}`;
        this.#button.classList.remove("news");
        void this.#button.offsetWidth; // begins the animation anew
        this.#button.classList.add("news");
        this.dispatchEvent(new CustomEvent("tidings-new", { detail: entry, bubbles: true, composed: true }));
      }),
    );
  }

  #connect(): Client<any> {
    const read = (name: string) => this.getAttribute(name) ?? undefined;
    const [token, from] = [read("token"), read("token-url")];
    const options: Options = { url: read("url")! };
    if (token !== undefined) options.token = token;
    else if (from !== undefined) options.token = () => fetchToken(from);
    return connect(options);
  }

  /** load gets the code of the panel; undefined if it does not come, or too late. */
  async #load(): Promise<Panel | undefined> {
    const mine = this.#run;
    const [inbox, wishes, client] = [this.#store, this.#wishes, this.client];
    const parts = await import("./panel.ts").catch(() => undefined);
    if (!parts || mine !== this.#run || !inbox || !wishes || !client) return undefined;
    return (this.#panel ??= new parts.Panel({ host: this, root: this.#root, button: this.#button, labels: this.#labels, client, inbox, wishes, select: this.#select! }));
  }

  #draw(): void {
    const { title, fresh } = this.#labels;
    const unseen = this.#store?.get().unseen ?? 0;
    this.#badge.hidden = !unseen;
    this.#badge.textContent = badge(unseen);
    this.#button.ariaLabel = unseen ? `${title}, ${badge(unseen)} ${fresh}` : title;
  }
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
if (registry && !registry.get("tidings-bell")) registry.define("tidings-bell", TidingsBell);

declare global {
  interface HTMLElementTagNameMap {
    "tidings-bell": TidingsBell;
  }
  interface HTMLElementEventMap {
    "tidings-new": CustomEvent<Entry>;
    "tidings-open": CustomEvent<Entry>;
  }
}
