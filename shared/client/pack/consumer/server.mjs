// A server that renders: nothing is connected, nothing of a browser is needed, and the process
// ends by itself.

import { connect, TidingsError } from "@tidings/client";
import * as bell from "@tidings/client/bell";
import * as element from "@tidings/client/element";
import { notifications } from "@tidings/client/inbox";
import { RealtimeProvider, useEvents, useNotifications, usePreferences, useStatus } from "@tidings/client/react";
import assert from "node:assert/strict";
import { createElement as h, StrictMode } from "react";
import { renderToString } from "react-dom/server";

for (const name of ["window", "document", "customElements"]) assert.equal(globalThis[name], undefined);
globalThis.fetch = () => assert.fail("nothing is to be fetched");

const client = connect({ url: "https://rt.example.com", token: () => assert.fail("no token is needed") });
function Page() {
  return h("p", null, useStatus().state, " ", useEvents("room.ops", "*").length, useNotifications().unread, String(usePreferences().loading));
}
const page = h(StrictMode, null, h(RealtimeProvider, { client }, h(Page)));
assert.equal(renderToString(page), "<p>idle<!-- --> <!-- -->0<!-- -->0<!-- -->true</p>");
assert.throws(() => renderToString(h(Page)), /RealtimeProvider/);
assert.equal(typeof element.TidingsStatus, "function");
assert.equal(typeof bell.TidingsBell, "function");
assert.deepEqual(notifications(client).get().items, []);
assert.ok(new TidingsError("code", "detail") instanceof Error);
console.log("rendered");
