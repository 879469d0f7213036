// Package smtptest is a mail server for tests: a real one on a free port of this machine,
// which keeps the mails it takes and fails on purpose. Only tests import it.
//
// # Concurrency
//
// A Server is safe for concurrent use, but for Start and Stop. It owns a goroutine that
// takes connections, which ends with Stop or with the test that made the server.
package smtptest
