// What happens in this program: the types of events and their data. All hooks know them.

/** Events of a room. */
export interface Events {
  "chat.message": { from: string; text: string };
  "order.paid": { id: string; total: number };
}

declare module "@tidings/client/react" {
  interface Register {
    events: Events;
  }
}
