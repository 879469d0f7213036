// Package route decides what becomes of a notification for one person: which
// channels carry it, when, and why not the others.
//
// It is the pure heart of the notifier. Route takes the notification, the person,
// their preferences, the categories of this installation, what is known of the
// person otherwise (Facts) and the time, and answers with one Delivery for every
// channel there is, used or not. Each says in a stable Reason and in a sentence why,
// so the timeline of a notification can be shown without asking anybody again. The
// same input always gives the same output: nothing here keeps time, state or a
// connection. Throttles and digests are plain values, handed in and handed back.
//
// The questions are asked of each channel in this order, and the first that settles
// the matter names the reason:
//
//  1. Does the person, or else the category, want it here? (critical asks the
//     category alone: what was turned off does not stop it)
//  2. Does anybody send over it here? Is there an address? Is it suppressed: a bounce, a complaint, an unsubscribe?
//  3. Has it expired? Is it for later?
//  4. critical goes now.
//  5. Are they muted? Muting drops what would disturb; the inbox still gets it.
//  6. Do they collect this category in a digest?
//  7. Is it quiet hours? They hold and never drop: it goes right when they end. Only
//     the sender's own expiry can make it pointless by then.
//  8. Are there too many? The overflow joins the digest.
//
// A delivery that is held is asked about again when it is due (Resume), and so is a
// digest (Flush), since preferences may have changed; job keys stay, so nothing is
// sent twice. What local times mean while clocks change is package wall's matter.
//
// Everything that comes from outside is parsed here too: notifications, people and
// preferences. The parsers are strict and name every fault, not just the first.
//
// All values are safe for concurrent reading, and no function changes what it was given.
package route
