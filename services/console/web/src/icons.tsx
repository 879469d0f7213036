// The icons, drawn for this page on a 16-pixel grid.

import type { ComponentChildren } from "preact";
import type { View } from "./route.ts";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor"
      stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {children}
    </svg>
  );
}

export const Pause = () => <Icon><path d="M5.5 3.5v9M10.5 3.5v9" /></Icon>;
export const Play = () => <Icon><path d="M5 3.2v9.6L12.5 8z" fill="currentColor" /></Icon>;
export const Sun = () => (
  <Icon>
    <circle cx="8" cy="8" r="2.75" />
    <path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7" />
  </Icon>
);
export const Moon = () => <Icon><path d="M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z" /></Icon>;
export const Trash = () => <Icon><path d="M2.5 4h11M6.5 4V2.5h3V4M4 4l.6 9.5h6.8L12 4" /></Icon>;
export const Down = () => <Icon><path d="M8 3v10M4 9l4 4 4-4" /></Icon>;
export const Right = () => <Icon><path d="M6 3.5 10.5 8 6 12.5" /></Icon>;
export const Replay = () => <Icon><path d="M2.5 8a5.5 5.5 0 1 0 1.8-4.1M2.5 2v2.8h2.8" /></Icon>;
export const Copy = () => <Icon><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 5.5v-3h-8v8h3" /></Icon>;
export const Check = () => <Icon><path d="M3 8.5 6.5 12 13 4.5" /></Icon>;
export const Terminal = () => <Icon><path d="M2.5 4 6 8l-3.5 4M8 12h5.5" /></Icon>;
export const Search = () => <Icon><circle cx="7" cy="7" r="4.25" /><path d="m10.2 10.2 3.3 3.3" /></Icon>;
export const Warn = () => <Icon><path d="M8 2 14.5 13.5h-13zM8 6.5v3M8 11.6v.1" /></Icon>;


/** NAV are the icons of the views. */
export const NAV: Record<View, ComponentChildren> = {
  overview: <Icon><path d="M1.5 9h3l2-5.5 3 9 2-3.5h3" /></Icon>,
  connections: <Icon><circle cx="8" cy="5.25" r="2.75" /><path d="M2.5 13.5c.6-2.6 2.8-4 5.5-4s4.9 1.4 5.5 4" /></Icon>,
  topics: <Icon><path d="M3.5 2.5v9.5h4M3.5 6h4" /><rect x="9.5" y="4.5" width="4" height="3" rx=".8" /><rect x="9.5" y="10.5" width="4" height="3" rx=".8" /></Icon>,
  events: <Icon><path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.1M2.5 8h.1M2.5 12h.1" /></Icon>,
  streams: <Icon><ellipse cx="8" cy="4" rx="5.5" ry="2" /><path d="M2.5 4v8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2V4M2.5 8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2" /></Icon>,
  notifications: <Icon><path d="M8 2a4 4 0 0 0-4 4v2.500L2.800 11h10.400L12 8.500V6a4 4 0 0 0-4-4zM6.500 13.500h3" /></Icon>,
  mailbox: <Icon><rect x="2" y="3.500" width="12" height="9" rx="1.500" /><path d="m2.500 4.500 5.500 4.500 5.500-4.500" /></Icon>,
  dead: <Icon><circle cx="8" cy="8" r="5.500" /><path d="m6 6 4 4M10 6l-4 4" /></Icon>,
  templates: <Icon><rect x="2.500" y="2.500" width="11" height="11" rx="1.500" /><path d="M2.500 6h11M6.500 6v7.500" /></Icon>,
  try: <Icon><path d="M6 2.5v4L2.800 12a1 1 0 0 0 .9 1.5h8.600a1 1 0 0 0 .9-1.5L10 6.5v-4M5 2.5h6M4.800 9.5h6.400" /></Icon>,
};

/** Logo is the mark: a tide that arrives. */
export const Logo = ({ size }: { size: number }) => (
  <img src="/console/assets/favicon.svg" width={size} height={size} alt="" />
);
