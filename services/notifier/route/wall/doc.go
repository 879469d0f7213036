// Package wall computes with local time: what clocks on the wall show in a zone.
//
// The rest of the program lives in moments (time.Time). People don't: they sleep from
// 22:00 to 07:00 and want a report at 09:00, wherever they are and whatever becomes
// of the clocks. Here a calendar Day and a time of day become a moment (Day.At), hours
// that repeat say when they let go (Windows.Release), and a Schedule says when it comes
// next. Each is told once, for all zones, including those off by 30 or 45 minutes.
//
// Two local times need a decision, and all of the package makes the same one. A time
// that is skipped when clocks go forward means the moment of the change. A time that
// occurs twice when they go back has two moments: windows begin at the first and end
// at the last, so nobody is woken in between, and schedules come at the first, once.
//
// Zones come from the zone database of the system, or from the one that is built in
// where there is none. All functions are pure and safe for concurrent use.
package wall
