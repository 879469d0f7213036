// Package smtp hands finished mails to mail providers: it knows connections, answers
// and limits, and nothing of what a mail says.
//
// A Provider is parsed from a URL. Relays are the providers in the order they are
// to be tried. Send gives one mail for one recipient to the first that takes it, and
// its Result says what can be known: Sent, Deferred (nobody has it), Held (nobody was
// asked, for a limit of ours), Refused (nobody ever will), or Unsure (the connection was
// lost after the mail began to flow, so that it may have been taken).
//
// # Whose fault it is
//
// Of the server's answer the three digits count, and nothing else, since not all
// servers send more. 500 to 599 is final, except 530, 534, 535 and 538, which are
// about our login, and 503, which is about the connection. Those, and everything that
// goes wrong before a mail is offered (no connection, no TLS, a bad certificate, a
// refused login), are the provider's fault: it is counted by its breaker and the next
// provider is asked. 421, 454 and 4.7.x mean that we send too fast: the provider is left
// alone for a while, and the mail goes elsewhere or waits. No other provider is
// asked when a result is Unsure, unless the mail says that twice is fine.
//
// # What go-mail does here
//
// go-mail's Client makes connections: greeting, EHLO, STARTTLS. The commands of a
// transaction are called on its smtp.Client one by one, because that tells at which
// command an answer was given, and because the bytes that were signed must be
// the bytes that are sent. The login waits until the connection is known to be
// encrypted. A connection that is lost inside of a mail is closed hard: any
// further command would end the mail first, and a torso would be delivered.
//
// # Concurrency
//
// Relays are safe for concurrent use. Each Send uses one connection, and there
// are at most Provider.Conns of them; who finds none waits. Run owns the
// one goroutine of the package, which closes connections that idle. Mails leave in no
// particular order.
package smtp
