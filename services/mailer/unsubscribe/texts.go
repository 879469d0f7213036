package unsubscribe

// texts are all sentences that people see. %s is the category's label, or the brand.
const (
	textTitle       = "Unsubscribe"
	textAskHead     = "Stop these mails?"
	textAsk         = "Choose what you no longer want."
	textAskAll      = "You can stop all mails from %s."
	textOnly        = "Only mails about “%s”"
	textAll         = "All mails from %s"
	textAllNote     = "What you ask for yourself, such as a receipt or a new password, still comes."
	textButton      = "Unsubscribe"
	textAgain       = "I want these mails again"
	textDoneHead    = "You are unsubscribed"
	textDoneOnly    = "You won’t get mails about “%s” any more."
	textDoneAll     = "You won’t get mails from %s any more."
	textUndo        = "Undo"
	textUndoneHead  = "Undone"
	textUndone      = "We took that back. You are not unsubscribed."
	textAgainHead   = "Welcome back"
	textAgainDone   = "You will get these mails again."
	textBadHead     = "This link does not work"
	textBad         = "A part of it may be missing. Open it from the mail again, or copy all of it."
	textFailedHead  = "That did not work"
	textFailed      = "We could not save your choice. Please try again in a minute."
	textRetry       = "Try again"
	textOneClick    = "You are unsubscribed.\n"
	textSomebody    = "us" // the brand, if none is configured
	textConfirmNote = "It takes effect at once. A mail that is on its way may still arrive."
)
