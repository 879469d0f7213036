// What the page begins with and its parts use, too. A part that imports this shares all of it in one
// file: the bundler makes a file for each set of parts that use a module, and a browser fetches one
// file faster than twelve. Nothing is listed here that the page would not load anyway.

import "./ask.ts";
import "./blocked.tsx";
import "./cell.ts";
import "./commands.ts";
import "./copy.tsx";
import "./feed.ts";
import "./field.tsx";
import "./format.ts";
import "./frame.ts";
import "./hooks.ts";
import "./icons.tsx";
import "./json.ts";
import "./lazy.tsx";
import "./poll.ts";
import "./rates.ts";
import "./route.ts";
import "./router.ts";
import "./said.tsx";
import "./session.ts";
import "./settle.ts";
import "./state.tsx";
import "./status.tsx";
import "./stream.ts";
import "./theme.ts";
import "./wire.ts";
