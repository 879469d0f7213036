// Components of a user of the package: they must compile as they stand.

import { connect, type Client } from "@tidings/client";
import { RealtimeProvider, useConnection, useEvents, useNotifications, usePreferences, useRealtime, useStatus } from "@tidings/client/react";
import { StrictMode } from "react";

interface Shop {
  "order.paid": { id: string; total: number };
}
interface Chat {
  "chat.message": { text: string };
}

// What all hooks know without being told.
declare module "@tidings/client/react" {
  interface Register {
    events: Shop;
  }
}

const rt = connect<Shop>({ url: "/rt" });

function Orders() {
  const client: Client<Shop> = useRealtime();
  const paid = useEvents(client.room("shop"), "order.paid", { keep: 10 });
  const named = useEvents("room.shop", "order.paid");
  const all = useEvents("room.shop", "*");
  const none = useEvents(undefined, "order.paid");
  const chat = useEvents(client.room<Chat>("chat"), "chat.message");
  // @ts-expect-error: there is no such event
  useEvents("room.shop", "order.payed");
  // @ts-expect-error: a room of other events
  useEvents(client.room<Chat>("chat"), "order.paid");
  // @ts-expect-error: a number
  useEvents("room.shop", "order.paid", { keep: "10" });
  // @ts-expect-error: a list is not to be written to
  paid.push(named[0]!);
  const total: number = paid.reduce((sum, { data }) => sum + data.total, 0);
  const texts: string[] = chat.map(({ data }) => data.text);
  const ids: string[] = [...all, ...none].map(({ data }) => data.id);
  return <p>{total} {named.length} {texts} {ids}</p>;
}

function Pill() {
  const { status, retryNow } = useConnection();
  const same = useStatus();
  // @ts-expect-error: only some states have a reason
  void same.reason;
  return "reason" in status ? <button onClick={retryNow}>{status.reason}</button> : <p>{status.state}</p>;
}

function Inbox() {
  const { items, unread, loading, error, inbox } = useNotifications({ filter: "unread", category: "orders", onNew: ({ title }) => void title?.trim() });
  const { preferences, patch } = usePreferences();
  // @ts-expect-error: there is no such filter
  useNotifications({ filter: "new" });
  // @ts-expect-error: a list is not to be written to
  items.pop();
  // @ts-expect-error: a category has no such wish
  patch({ categories: { orders: { loud: true } } });
  const quiet: boolean = preferences.enabled === false;
  return <ul onClick={() => patch({ enabled: quiet ? null : false, categories: { orders: { channels: { mail: true } } }, quiet_hours: [{ from: "22:00", to: "07:00" }] })}>
    {loading} {unread} {error?.detail}
    {items.map(({ id, title, actions = [] }) => <li key={id} onClick={() => inbox.read(id).catch(() => inbox.undo())}>{title} {actions[0]?.label}</li>)}
  </ul>;
}

export const page = (
  <StrictMode>
    <RealtimeProvider client={rt}>
      <Orders />
      <Pill />
      <Inbox />
    </RealtimeProvider>
  </StrictMode>
);

// @ts-expect-error: a provider has something to provide
export const empty = <RealtimeProvider />;
