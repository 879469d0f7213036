// Package letter reads a mail as it went over the wire and says what is in it: the
// header in its order, the text and the HTML part, the files, the links, and what a
// picky receiver would say about it.
//
// Reading never fails. A mail that is broken is what somebody looks at a mailbox for,
// so faults are collected and what could be read before them is shown; where not even
// the header can be read, the source itself becomes the text. All that is shown is
// valid UTF-8, and all of it is bounded.
//
// The HTML of a mail is hostile. Page gives it a content security policy that allows
// no script, no form, no frame and no request but those for images, if asked for, and
// takes out what would do more than be looked at. Images sent along are put in place.
//
// Nothing here knows of SMTP or HTTP, and nothing runs by itself: it is a function of
// bytes.
package letter
