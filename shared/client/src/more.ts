// What most pages never need, as one part that is loaded when it is: the other ways to the server,
// and iterators.
export { history } from "./history.ts";
export { iterate } from "./iterate.ts";
export { poll } from "./poll.ts";
export { socket as ws } from "./socket.ts";
