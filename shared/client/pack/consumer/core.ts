// The program of a user of the package: it must compile as it stands.

import { connect, TidingsError, type Client, type Message, type Status } from "@tidings/client";

interface Order {
  id: string;
  total: number;
}
interface Events {
  "order.paid": Order;
  "chat.message": { from: string; text: string };
}

const rt: Client<Events> = connect<Events>({ url: "/rt", token: async () => "…", share: "auto" });
const room = rt.room("order-42");

const off: () => void = room.on("order.paid", (data, message) => {
  const total: number = data.total;
  const type: "order.paid" = message.type;
  const cursor: string | undefined = message.cursor;
  // @ts-expect-error: an order has no text
  void data.text;
  // @ts-expect-error: messages are not to be written to
  message.id = "";
  void [total, type, cursor];
});
room.on("*", (m) => {
  // The type tells which data it is.
  if (m.type === "chat.message") void (m.data.text satisfies string);
  // @ts-expect-error: it may be an order
  else void m.data.text;
});
// @ts-expect-error: there is no such event
room.on("order.payed", () => {});
// @ts-expect-error: the data of another event
room.on("chat.message", (data: Order) => data);
// @ts-expect-error: an event needs all of its data
void room.publish("chat.message", { from: "ann" });
// @ts-expect-error: there is no such event
void room.publish("chat.massage", { from: "ann", text: "hi" });
// @ts-expect-error: there is no such option
connect({ uri: "/rt" });
void room.publish("chat.message", { from: "ann", text: "hi" }, { key: "k-1" }).catch((e) => {
  if (e instanceof TidingsError) void (e.code satisfies string);
});

const stop: () => void = rt.status.subscribe((status: Status) => {
  switch (status.state) {
    case "waiting":
    case "offline":
      return void (status.retryAt satisfies number);
    case "denied":
      return void (status.reason satisfies string);
    case "live":
      return void (status.via satisfies "sse" | "ws" | "poll");
    case "idle":
    case "connecting":
    case "catching-up":
      return;
    default:
      // No state is left over.
      status satisfies never;
  }
});
// @ts-expect-error: not every status has a reason
void rt.status.get().reason;

async function read(signal: AbortSignal): Promise<void> {
  for await (const m of room.events("order.paid", { since: "", signal })) {
    void (m satisfies Message<Order, "order.paid">);
  }
  const page = await room.history({ limit: 10 });
  void page.cursor;
}

// Without a map of events anything goes, but for the names of the package's own.
const loose = connect();
loose.user().on("anything", (data) => void data.at.all);
// @ts-expect-error: there is no such function
loose.user().listen("anything");

export { off, read, stop };
