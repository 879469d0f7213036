// A page's script with the elements and the store: it must compile as it stands.

import { connect } from "@tidings/client";
import { TidingsBell } from "@tidings/client/bell";
import { TidingsStatus } from "@tidings/client/element";
import { notifications, select, type Entry } from "@tidings/client/inbox";

const element: TidingsStatus = document.createElement("tidings-status");
element.client = connect({ url: "/rt" });
element.client = undefined;
element.labels = { live: "Verbunden" };
document.querySelector("tidings-status")?.client?.retryNow();
// @ts-expect-error: not a client
element.client = "/rt";
// @ts-expect-error: there is no such label
element.labels = { alive: "Verbunden" };

const bell: TidingsBell = document.createElement("tidings-bell");
bell.client = connect();
bell.labels = { title: "Nachrichten" };
bell.addEventListener("tidings-new", ({ detail }) => console.log(detail.title));
void bell.show();
// @ts-expect-error: there is no such label
bell.labels = { titel: "Nachrichten" };

const inbox = notifications(connect(), { onNew: (entry: Entry) => console.log(entry.id) });
const off = inbox.subscribe(({ items, unseen }) => console.log(unseen, select(items, { filter: "archived" }).length));
void inbox.read("all").then(inbox.undo).then(off);
void inbox.snooze("id", new Date());
// @ts-expect-error: until when?
void inbox.snooze("id");
