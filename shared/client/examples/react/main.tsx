import { connect, TidingsError } from "@tidings/client";
import { RealtimeProvider } from "@tidings/client/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import type { Events } from "./events.ts";

// One client for the whole page, outside of React. It connects when a component listens.
const rt = connect<Events>({
  token: fetchToken,
  rewind: 20,
  worker: "/tidings/worker.js", // the bundler moved the rest of the package into main.js
});

async function fetchToken(): Promise<string> {
  const response = await fetch("/token", { cache: "no-store" });
  // By the status the client knows what passes, and what waits for somebody to sign in.
  if (!response.ok) throw new TidingsError("no_token", `There is no token for you (${response.status}).`, response.status);
  return response.text();
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <RealtimeProvider client={rt}>
      <App />
    </RealtimeProvider>
  </StrictMode>,
);
