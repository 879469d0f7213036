// A page's script with the element: it must compile as it stands.

import { connect } from "@tidings/client";
import { TidingsStatus } from "@tidings/client/element";

const element: TidingsStatus = document.createElement("tidings-status");
element.client = connect({ url: "/rt" });
element.client = undefined;
element.labels = { live: "Verbunden" };
document.querySelector("tidings-status")?.client?.retryNow();
// @ts-expect-error: not a client
element.client = "/rt";
// @ts-expect-error: there is no such label
element.labels = { alive: "Verbunden" };
