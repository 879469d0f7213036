// What the bell says: words, days, times, and which links it takes. Pure, so it can be tested.

import type { Wishes } from "../inbox/preferences.ts";

/** Labels are the words of the element. */
export interface Labels {
  title: string;
  /** fresh comes after the number of unseen ones, and before the title of one that just came. */
  fresh: string;
  all: string;
  unread: string;
  archived: string;
  snoozed: string;
  today: string;
  yesterday: string;
  now: string;
  readAll: string;
  markRead: string;
  markUnread: string;
  archive: string;
  unarchive: string;
  snooze: string;
  wake: string;
  /** snoozeUntil is above the times to choose from: hour, evening, tomorrow and week. */
  snoozeUntil: string;
  hour: string;
  evening: string;
  tomorrow: string;
  week: string;
  undo: string;
  /** didArchive and the like say what "Undo" would take back; a time comes after didSnooze. */
  didArchive: string;
  didUnarchive: string;
  didRead: string;
  didSnooze: string;
  close: string;
  back: string;
  critical: string;
  emptyAll: string;
  emptyAllHint: string;
  emptyUnread: string;
  emptyArchived: string;
  emptySnoozed: string;
  failed: string;
  retry: string;
  offline: string;
  preferences: string;
  pause: string;
  pauseHint: string;
  quiet: string;
  quietHint: string;
  from: string;
  to: string;
  channels: string;
  /** inbox, mail, push, sms and hook are the names of channels. */
  inbox: string;
  mail: string;
  push: string;
  sms: string;
  hook: string;
}

/** ENGLISH are the words if no others are set. */
export const ENGLISH: Readonly<Labels> = {
  title: "Notifications",
  fresh: "new",
  all: "All",
  unread: "Unread",
  archived: "Archived",
  snoozed: "Snoozed",
  today: "Today",
  yesterday: "Yesterday",
  now: "now",
  readAll: "Mark all read",
  markRead: "Mark as read",
  markUnread: "Mark as unread",
  archive: "Archive",
  unarchive: "Move to inbox",
  snooze: "Snooze",
  wake: "Wake up now",
  snoozeUntil: "Snooze until",
  hour: "In an hour",
  evening: "This evening",
  tomorrow: "Tomorrow",
  week: "Next week",
  undo: "Undo",
  didArchive: "Archived",
  didUnarchive: "Moved to inbox",
  didRead: "All marked as read",
  didSnooze: "Snoozed until",
  close: "Close",
  back: "Back",
  critical: "Critical",
  emptyAll: "You’re all caught up",
  emptyAllHint: "What’s new will show up here.",
  emptyUnread: "Nothing left to read",
  emptyArchived: "Nothing archived yet",
  emptySnoozed: "Nothing is snoozed",
  failed: "Notifications can’t be loaded",
  retry: "Try again",
  offline: "Offline. You’ll see what’s new when you’re back.",
  preferences: "Preferences",
  pause: "Pause everything",
  pauseHint: "Only critical notifications reach you.",
  quiet: "Quiet hours",
  quietHint: "Mail and messages wait until they end.",
  from: "From",
  to: "To",
  channels: "What reaches you, and how",
  inbox: "Inbox",
  mail: "Mail",
  push: "Push",
  sms: "SMS",
  hook: "Hook",
};

/** badge is a number for a small place. */
export const badge = (n: number): string => (n > 99 ? "99+" : "" + n);

/** titled makes a name for people of one for programs. */
export const titled = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replace(/[-_.]+/g, " ");

/** link returns the URL of a link that may be shown: https, or a path of the page's own origin.
 * Anything else, such as a script, is none. */
export function link(url: unknown, page: string): URL | undefined {
  try {
    const at = new URL(String(url), page);
    // The parser's verdict counts and not the text's look: "/\t/evil" is another host.
    if (/^https:\/\//i.test(String(url)) ? at.protocol === "https:" : /^\//.test(String(url)) && at.origin === new URL(page).origin) return at;
  } catch {
    // It is no URL.
  }
  return undefined;
}

/** dayOf names the day of a moment, as it is where the person is. */
export function dayOf(at: Date, now: Date, { today, yesterday }: Labels, locale?: string): string {
  const day = (d: Date) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  const days = Math.round((day(now) - day(at)) / 86_400_000); // a day may have 23 hours
  if (days < 1) return today;
  if (days < 2) return yesterday;
  return new Intl.DateTimeFormat(locale, {
    ...(days < 7 ? { weekday: "long" } : { day: "numeric", month: "long" }), ...(at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }),
  }).format(at);
}

/** timeOf says when something was: how long ago, or the time of day if that was before today. */
export function timeOf(at: Date, now: Date, { now: just }: Labels, locale?: string): string {
  const minutes = Math.floor((+now - +at) / 60_000);
  if (minutes < 1) return just;
  if (at.toDateString() !== now.toDateString()) return new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(at);
  const ago = new Intl.RelativeTimeFormat(locale, { style: "narrow" });
  return minutes < 60 ? ago.format(-minutes, "minute") : ago.format(-Math.floor(minutes / 60), "hour");
}

/** naps are the times to choose from for who wants to be told again, the soonest first: in an hour,
 * this evening at six, tomorrow and next Monday at nine, where the person is. */
export function naps(now: Date): ["hour" | "evening" | "tomorrow" | "week", Date][] {
  const at = (days: number, hour: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const monday = (8 - now.getDay()) % 7 || 7;
  return [
    ["hour", new Date(+now + 3_600_000)],
    ...(now.getHours() < 17 ? [["evening", at(0, 18)] as ["evening", Date]] : []),
    ["tomorrow", at(1, 9)],
    ["week", at(monday < 2 ? monday + 7 : monday, 9)], // on a Sunday that is not tomorrow
  ];
}

/** momentOf says when something will be: the time of day, and the day if that is not today. */
export function momentOf(at: Date, now: Date, locale?: string): string {
  const time = { hour: "numeric", minute: "2-digit" } as const;
  return new Intl.DateTimeFormat(locale, at.toDateString() === now.toDateString() ? time
    : +at - +now < 6 * 86_400_000 ? { weekday: "short", ...time } : { weekday: "short", day: "numeric", month: "short", ...time }).format(at);
}

/** isOn says whether a category reaches a person by a channel: as they say of the category, else of
 * the channel, else as the category is by itself. */
export function isOn({ preferences, categories }: Wishes, category: string, channel: string): boolean {
  const choice = preferences.categories?.[category];
  return choice?.enabled !== false && (choice?.channels?.[channel] ?? preferences.channels?.[channel] ?? categories[category]?.channels?.includes(channel) ?? true);
}

/** turn is the change that turns a category on or off for one channel, and no other. */
export function turn(wishes: Wishes, category: string, channel: string, on: boolean): object {
  const channels: Record<string, boolean> = { [channel]: on };
  const off = wishes.preferences.categories?.[category]?.enabled === false;
  if (off) for (const other of wishes.channels) channels[other] = other === channel && on;
  return { categories: { [category]: off ? { enabled: null, channels } : { channels } } };
}
