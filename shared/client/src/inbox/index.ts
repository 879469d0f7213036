/** A person's notifications in the browser: the inbox, what is unread, and what they want to be told.
 * @module */
export type { Action, Entry, Filter, Item, Selection, State, View } from "./fold.ts";
export { select } from "./fold.ts";
export { EMPTY, notifications, type Inbox, type Notifications, type NotificationsOptions } from "./inbox.ts";
export { NO_WISHES, preferences, type Choice, type Patch, type Preferences, type PreferencesStore, type QuietHours, type Wishes } from "./preferences.ts";
