// Where the page begins.

import { render } from "preact";
import { App } from "./app.tsx";
import { begin } from "./session.ts";
import { applyTheme } from "./theme.ts";
import "./style/base.css";
import "./style/overview.css";
import "./style/events.css";
import "./style/status.css";
import "./style/views.css";

applyTheme();
begin();
render(<App />, document.getElementById("app")!);
