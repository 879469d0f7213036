import type { Status } from "@tidings/client";
import { useConnection, useEvents, useRealtime } from "@tidings/client/react";
import { useEffect, useState, type FormEvent } from "react";

const ROOM = "room.kitchen";

export function App() {
  const [inside, setInside] = useState(true);
  return (
    <main>
      <header>
        <h1>Kitchen</h1>
        <Pill />
        <button type="button" className="quiet" onClick={() => setInside(!inside)}>{inside ? "Leave" : "Enter"}</button>
      </header>
      {inside ? <Room /> : <p className="hint">You left. With nobody listening there is no connection.</p>}
    </main>
  );
}

const WORDS: Record<Status["state"], string> = {
  idle: "Not connected",
  connecting: "Connecting",
  "catching-up": "Catching up",
  live: "Live",
  waiting: "Reconnecting",
  offline: "Offline",
  denied: "Denied",
};

function Pill() {
  const { status, retryNow } = useConnection();
  const { state } = status;
  return (
    <>
      <p className="pill" data-state={state} role="status">{WORDS[state]}</p>
      {"reason" in status && <button type="button" className="retry" title={status.reason} onClick={retryNow}>Retry now</button>}
      {status.state === "denied" && <p className="reason">{status.reason} {status.hint}</p>}
    </>
  );
}

function Room() {
  const messages = useEvents(ROOM, "chat.message", { keep: 50 });
  const paid = useEvents(ROOM, "order.paid");
  const total = paid.reduce((sum, { data }) => sum + data.total, 0);
  return (
    <>
      <p className="hint">Orders paid: {paid.length}, {total.toFixed(2)} € in all</p>
      <ol className="messages">
        {messages.map(({ cursor, data, replayed }) => (
          <li key={cursor} className={replayed ? "replayed" : ""}><b>{data.from}</b> {data.text}</li>
        ))}
        {messages.length === 0 && <li className="hint">No message yet. Say hello.</li>}
      </ol>
      <Composer />
    </>
  );
}

function Composer() {
  const rt = useRealtime();
  const [text, setText] = useState("");
  const [fault, setFault] = useState("");
  const send = async (e: FormEvent) => {
    e.preventDefault();
    try {
      await rt.topic(ROOM).publish("chat.message", { from: "You", text });
      setText("");
      setFault("");
    } catch (error) {
      setFault((error as Error).message); // what was typed stays
    }
  };
  // What the server refuses is said where it matters.
  useEffect(() => rt.topic(ROOM).onError((error) => setFault(error.message)), [rt]);
  return (
    <form onSubmit={send}>
      <input aria-label="Message" placeholder="Message" required maxLength={500} value={text} onChange={(e) => setText(e.target.value)} />
      <button type="submit">Send</button>
      <p role="alert">{fault}</p>
    </form>
  );
}
