var p="http://www.w3.org/2000/svg";function l(e,t={},...r){let o=document.createElement(e);for(let[i,n]of Object.entries(t))i in o?o[i]=n:o.setAttribute(i,String(n));return o.append(...r),o}var c={bell:"M6 9.5a6 6 0 0 1 12 0c0 5.5 2.3 7.5 2.3 7.5H3.7S6 15 6 9.5M10 20.5a2.3 2.3 0 0 0 4 0",checks:"m2.5 13 4.2 4.2L16 8m-4.3 8 1.3 1.2L21.5 8",check:"m5 12.5 4.5 4.5L19 7.5",dot:"M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7",archive:"M3.5 4.5h17v4h-17zm1.5 4v11h14v-11M10 12.5h4",unarchive:"M3.5 4.5h17v4h-17zm1.5 4v11h14v-11M12 16.5v-5m-2 2 2-2 2 2",clock:"M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M12 7.5V12l3 2",gear:"M4 7h7.5m5 0H20M4 17h3.5m5 0H20m-8.5-10a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0m-4 10a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0",close:"m6 6 12 12M18 6 6 18",back:"m14.5 5-7 7 7 7",cloud:"M7 18.5h10a4 4 0 0 0 .6-8A6 6 0 0 0 6.3 9.6 4.5 4.5 0 0 0 7 18.5M3.5 3.5l17 17"};function g(e){let t=document.createElementNS(p,"svg");return t.setAttribute("viewBox","0 0 24 24"),t.setAttribute("aria-hidden","true"),x(t,e),t}function x(e,t){let r=document.createElementNS(p,"path");r.setAttribute("d",c[t]),e.replaceChildren(r)}function h(e,t,r,o={}){return l("button",{type:"button",className:"tool",title:t,ariaLabel:t,onclick:r,...o},g(e))}function u(e,t){let r=new Set(t);for(let o of[...e.childNodes])r.has(o)||o.remove();t.forEach((o,i)=>e.childNodes[i]===o||e.insertBefore(o,e.childNodes[i]??null))}var f=`
:host { display: inline-block; color-scheme: light dark; font: 14px/20px var(--tidings-font, system-ui, sans-serif);
  --accent: var(--tidings-accent, light-dark(oklch(0.52 0.2 266), oklch(0.72 0.14 266))); --ground: var(--tidings-ground, light-dark(#fff, oklch(0.235 0.014 268)));
  --text: var(--tidings-text, light-dark(oklch(0.24 0.02 266), oklch(0.95 0.006 268))); --dim: var(--tidings-dim, light-dark(oklch(0.5 0.022 266), oklch(0.72 0.018 268)));
  --line: var(--tidings-line, light-dark(oklch(0.92 0.006 266), oklch(0.33 0.016 268))); --hover: light-dark(oklch(0.97 0.004 266), oklch(0.275 0.016 268));
  --tint: color-mix(in oklab, var(--accent) 12%, var(--ground)); --hot: light-dark(oklch(0.53 0.2 25), oklch(0.74 0.15 22)); }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; }
button, input { font: inherit; color: inherit; }
button { border: 0; background: none; cursor: pointer; }
svg { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bell, .tool { position: relative; display: grid; place-items: center; flex: none; width: 32px; height: 32px; padding: 0; border-radius: 8px; color: var(--dim); }
.bell { width: 40px; height: 40px; border-radius: 20px; color: inherit; }
.bell svg { width: 22px; height: 22px; }
.bell:hover, .bell[aria-expanded=true] { background: color-mix(in srgb, currentColor 10%, transparent); }
.badge { position: absolute; top: 0; left: 22px; min-width: 18px; padding: 0 5px; border-radius: 9px; box-shadow: 0 0 0 2px var(--tidings-badge-edge, Canvas);
  background: var(--tidings-badge, light-dark(oklch(0.55 0.21 25), oklch(0.57 0.2 25))); color: #fff; font: 600 11px/18px system-ui, sans-serif; text-align: center; font-variant-numeric: tabular-nums; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: no-preference) { .news svg { animation: ring .7s ease-in-out; transform-origin: 50% 15%; } @keyframes ring { 20% { rotate: 12deg; } 45% { rotate: -10deg; } 70% { rotate: 6deg; } } }
@media (forced-colors: active) { .badge { border: 1px solid; } }
@media (hover: none) { .bell { width: 44px; height: 44px; border-radius: 22px; } .badge { left: 24px; } }
`,b=`
h2, h3, b { font-weight: 600; }
small { color: var(--dim); font-size: 13px; }
button:disabled { opacity: .4; cursor: default; }
.tool:not(:disabled):hover { background: color-mix(in oklab, var(--text) 9%, transparent); color: var(--text); }
.panel { position: fixed; inset: auto; flex-direction: column; width: min(400px, 100vw - 16px); height: min(600px, 100dvh - 16px); padding: 0; overflow: hidden;
  border: 1px solid var(--line); border-radius: var(--tidings-radius, 14px); background: var(--ground); color: var(--text); text-align: start;
  box-shadow: 0 12px 32px -6px light-dark(#1014302e, #000b); }
.panel[data-open] { display: flex; }
.panel:focus { outline: none; }
header { display: flex; align-items: center; gap: 2px; min-height: 52px; padding: 10px 8px 2px 16px; }
header > .tool:first-child { margin-left: -8px; }
h2 { flex: 1; font-size: 16px; letter-spacing: -.01em; }
.close { display: none; }
.tabs { display: flex; flex-wrap: wrap; gap: 4px; padding: 6px 12px 10px; border-bottom: 1px solid var(--line); }
.tabs button { font-variant-numeric: tabular-nums; padding: 3px 10px; border-radius: 14px; color: var(--dim); font-weight: 500; }
.tabs [aria-pressed=true] { background: var(--tint); color: var(--accent); }
.body { position: relative; flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; scrollbar-width: thin; scroll-padding-top: 32px; }
h3 { position: sticky; top: 0; z-index: 1; padding: 10px 16px 4px; background: var(--ground); color: var(--dim); font-size: 12px; line-height: 16px; }
.row { position: relative; display: grid; grid-template-columns: 8px 1fr auto; column-gap: 10px; padding: 10px 16px 12px 14px; cursor: pointer; }
.row + .row::before { content: ""; position: absolute; inset: 0 16px auto 32px; border-top: 1px solid var(--line); }
.row:hover { background: var(--hover); }
.row:focus-visible { outline-offset: -3px; border-radius: 10px; }
.dot { width: 8px; height: 8px; margin-top: 6px; border-radius: 4px; }
.unread .dot { background: var(--accent); }
.name { font-weight: 500; overflow-wrap: anywhere; }
.row:not(.unread) .name { color: color-mix(in oklab, var(--text) 78%, var(--ground)); }
.unread .name { font-weight: 600; }
time { justify-self: end; padding-left: 12px; color: var(--dim); font-size: 12px; white-space: nowrap; }
.row p { grid-column: 2 / 4; margin-top: 2px; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; color: var(--dim); overflow-wrap: anywhere; }
.foot { grid-column: 2 / 4; display: flex; flex-wrap: wrap; align-items: center; gap: 6px; margin-top: 6px; }
.chip { padding: 0 7px; border-radius: 10px; background: color-mix(in oklab, var(--text) 7%, transparent); color: var(--dim); font-size: 12px; }
.hot { background: color-mix(in oklab, var(--hot) 14%, transparent); color: var(--hot); font-weight: 600; }
.action { padding: 2px 10px; border: 1px solid var(--line); border-radius: 8px; color: var(--accent); font-size: 13px; font-weight: 500; text-decoration: none; }
.action:hover { border-color: currentColor; }
.tools { position: absolute; top: 4px; right: 10px; display: flex; background: inherit; opacity: 0; }
.row:is(:hover, :focus-within) .tools { opacity: 1; }
.row:is(:hover, :focus-within) time { visibility: hidden; }
.blank { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 4px; height: 100%; padding: 24px 40px 56px; color: var(--dim); text-align: center; }
.blank > svg { width: 72px; height: 72px; margin-bottom: 12px; padding: 20px; border-radius: 36px; background: var(--tint); color: var(--accent); }
.blank b { color: var(--text); font-size: 15px; }
.blank .action { margin-top: 12px; padding: 5px 14px; }
.bone { height: 92px; background: linear-gradient(var(--line) 0 0) 32px 16px / 46% 11px, linear-gradient(var(--line) 0 0) 32px 40px / 78% 9px, linear-gradient(var(--line) 0 0) 32px 60px / 30% 9px; background-repeat: no-repeat; opacity: .75; }
.bar { position: absolute; z-index: 2; inset: auto 12px 12px; display: flex; align-items: center; min-height: 40px; padding: 6px 8px 6px 14px; border-radius: 10px; background: var(--text); color: var(--ground); box-shadow: 0 4px 14px #0003; }
.bar span { flex: 1; }
.bar button { padding: 4px 8px; font-weight: 600; text-decoration: underline; text-underline-offset: 3px; }
.bar button:focus-visible { outline-color: currentColor; }
.menu { position: absolute; z-index: 2; inset: auto 12px 12px; display: grid; padding: 6px; border: 1px solid var(--line); border-radius: 12px; background: var(--ground); box-shadow: 0 8px 28px #0004; }
.menu small { padding: 4px 10px 6px; }
.menu button { display: flex; justify-content: space-between; gap: 16px; padding: 7px 10px; border-radius: 8px; text-align: start; }
.menu button:is(:hover, :focus-visible) { background: var(--hover); }
.menu span { color: var(--dim); }
@media (prefers-reduced-motion: no-preference) {
  .tools { transition: .12s; }
  .panel[data-open] { animation: rise .14s ease-out; }
  .bar, .menu { animation: rise .16s ease-out; }
  .late { animation: rise .16s 2s ease-out both; }
  .bone { animation: breathe 1.6s ease-in-out infinite alternate; }
  @keyframes rise { from { opacity: 0; translate: 0 6px; } }
  @keyframes breathe { to { opacity: .35; } }
}
@media (hover: none) {
  .tool { width: 44px; height: 44px; }
  .tools { position: static; grid-area: 3 / 2 / auto / 4; place-self: end; margin: 2px -12px -8px 0; opacity: 1; }
  .foot { grid-row: 3; margin-right: 128px; }
  .row time { visibility: visible !important; }
  .tabs button { padding: 9px 14px; border-radius: 20px; }
  .action { padding: 7px 12px; }
  .menu button { padding: 12px 10px; }
}
@media (max-width: 480px) {
  .panel { inset: auto 0 0 !important; width: 100%; max-width: none; height: min(88dvh, 720px); border-width: 1px 0 0; border-radius: 18px 18px 0 0; padding-bottom: env(safe-area-inset-bottom); }
  .panel::backdrop { background: #0006; }
  .panel[data-open] { animation-name: slide; }
  .close { display: grid; }
  @keyframes slide { from { translate: 0 100%; } }
}
@media (forced-colors: active) { .bar { border: 1px solid; } .unread .dot { background: Highlight; } }
`,v=`
.form { padding: 0 16px 16px; }
.form h3 { margin: 12px 0 4px; padding: 0; position: static; }
.form > p { padding: 24px 0 12px; }
.line { display: flex; align-items: center; gap: 16px; padding: 12px 0; border-bottom: 1px solid var(--line); cursor: pointer; }
.line span { flex: 1; }
.line b { display: block; font-weight: 500; }
.hours { display: flex; gap: 20px; padding: 10px 0; border-bottom: 1px solid var(--line); }
.hours label { display: flex; align-items: center; gap: 8px; color: var(--dim); }
.hours input { padding: 4px 8px; border: 1px solid var(--line); border-radius: 8px; background: none; color: var(--text); }
.matrix { display: grid; grid-template-columns: 1fr repeat(var(--n), minmax(52px, auto)); align-items: center; justify-items: center; }
.matrix > small { font-size: 12px; }
.matrix.paused { opacity: .5; }
.category { justify-self: start; padding: 10px 0; overflow-wrap: anywhere; }
.switch { appearance: none; flex: none; position: relative; width: 36px; height: 22px; border-radius: 11px; background: light-dark(oklch(0.66 0.015 266), oklch(0.5 0.018 268)); cursor: pointer; }
.switch::after { content: ""; position: absolute; inset: 3px auto 3px 3px; width: 16px; border-radius: 8px; background: #fff; }
.switch:checked { background: light-dark(var(--accent), oklch(0.58 0.19 266)); }
.switch:checked::after { translate: 14px; }
@media (prefers-reduced-motion: no-preference) { .switch, .switch::after { transition: .12s; } }
@media (forced-colors: active) { .switch { border: 1px solid; } .switch:checked { background: Highlight; } .switch::after { background: ButtonText; } }
`;var d=new Map;function k(e,t){if(!d.has(t)){let o=new CSSStyleSheet;o.replaceSync(t),d.set(t,o)}let r=d.get(t);e.adoptedStyleSheets.includes(r)||(e.adoptedStyleSheets=[...e.adoptedStyleSheets,r])}var S={title:"Notifications",fresh:"new",all:"All",unread:"Unread",archived:"Archived",snoozed:"Snoozed",today:"Today",yesterday:"Yesterday",now:"now",readAll:"Mark all read",markRead:"Mark as read",markUnread:"Mark as unread",archive:"Archive",unarchive:"Move to inbox",snooze:"Snooze",wake:"Wake up now",snoozeUntil:"Snooze until",hour:"In an hour",evening:"This evening",tomorrow:"Tomorrow",week:"Next week",undo:"Undo",didArchive:"Archived",didUnarchive:"Moved to inbox",didRead:"All marked as read",didSnooze:"Snoozed until",close:"Close",back:"Back",critical:"Critical",emptyAll:"You’re all caught up",emptyAllHint:"What’s new will show up here.",emptyUnread:"Nothing left to read",emptyArchived:"Nothing archived yet",emptySnoozed:"Nothing is snoozed",failed:"Notifications can’t be loaded",retry:"Try again",offline:"Offline. You’ll see what’s new when you’re back.",preferences:"Preferences",pause:"Pause everything",pauseHint:"Only critical notifications reach you.",quiet:"Quiet hours",quietHint:"Mail and messages wait until they end.",from:"From",to:"To",channels:"What reaches you, and how",inbox:"Inbox",mail:"Mail",push:"Push",sms:"SMS",hook:"Hook"},M=e=>e>99?"99+":""+e,z=e=>e.charAt(0).toUpperCase()+e.slice(1).replace(/[-_.]+/g," ");function D(e,t){try{let r=new URL(String(e),t);if(/^https:\/\//i.test(String(e))?r.protocol==="https:":/^\//.test(String(e))&&r.origin===new URL(t).origin)return r}catch{}}function A(e,t,{today:r,yesterday:o},i){let n=s=>new Date(s.getFullYear(),s.getMonth(),s.getDate()).getTime(),a=Math.round((n(t)-n(e))/864e5);return a<1?r:a<2?o:new Intl.DateTimeFormat(i,{...a<7?{weekday:"long"}:{day:"numeric",month:"long"},...e.getFullYear()===t.getFullYear()?{}:{year:"numeric"}}).format(e)}function N(e,t,{now:r},o){let i=Math.floor((+t-+e)/6e4);if(i<1)return r;if(e.toDateString()!==t.toDateString())return new Intl.DateTimeFormat(o,{timeStyle:"short"}).format(e);let n=new Intl.RelativeTimeFormat(o,{style:"narrow"});return i<60?n.format(-i,"minute"):n.format(-Math.floor(i/60),"hour")}function L(e){let t=(o,i)=>new Date(e.getFullYear(),e.getMonth(),e.getDate()+o,i),r=(8-e.getDay())%7||7;return[["hour",new Date(+e+36e5)],...e.getHours()<17?[["evening",t(0,18)]]:[],["tomorrow",t(1,9)],["week",t(r<2?r+7:r,9)]]}function H(e,t,r){let o={hour:"numeric",minute:"2-digit"};return new Intl.DateTimeFormat(r,e.toDateString()===t.toDateString()?o:+e-+t<6*864e5?{weekday:"short",...o}:{weekday:"short",day:"numeric",month:"short",...o}).format(e)}function T({preferences:e,categories:t},r,o){let i=e.categories?.[r];return i?.enabled!==!1&&(i?.channels?.[o]??e.channels?.[o]??t[r]?.channels?.includes(o)??!0)}function E(e,t,r,o){let i={[r]:o},n=e.preferences.categories?.[t]?.enabled===!1;if(n)for(let a of e.channels)i[a]=a===r&&o;return{categories:{[t]:n?{enabled:null,channels:i}:{channels:i}}}}export{l as a,g as b,x as c,h as d,u as e,f,b as g,v as h,k as i,S as j,M as k,z as l,D as m,A as n,N as o,L as p,H as q,T as r,E as s};
