// Package mta sends mails to a mail server that others wrote, and has them read by
// programs that others wrote. Its tests start the product's notifier, mailer and edge as
// a process, and an OpenSMTPD as Debian packages it; they notify people over the API,
// wait until the mails lie in Maildirs, and judge what lies there.
//
// What is proven here is what no test of our own programs can prove. A server with its own
// idea of SMTP takes the mails and stores them, and its refusal of an unknown recipient is
// told in the timeline. DKIM signatures, RSA and Ed25519, hold for go-msgauth and for
// mailauth (npm) after the server has added its own headers, cover what RFC 8058 wants
// covered, make DMARC pass, and break if anything that matters is changed. Another
// program's parser (postal-mime, npm) finds the same subject, names and texts that were
// asked for, in German and Russian too. One click unsubscribes, and a look at the link
// doesn't. And a Chromium shows the mails without overflow, in readable colours and with
// buttons for thumbs, wide and narrow, in light and dark.
//
//	npm ci --prefix scripts/tools/mta
//	go test -C scripts/tools -race -count=1 ./mta
//	TIDINGS_SHOTS=/some/dir go test -C scripts/tools -count=1 -run Looks ./mta
//
// The last one keeps screenshots. The tests need root on Linux, for OpenSMTPD wants to
// change users; it is kept in namespaces of its own with a scratch spool, so that nothing
// of the machine is changed and any number may run. They need OpenSMTPD, installed
// or as an unpacked package in the directory TIDINGS_OPENSMTPD; Node 20; and a Chromium under one
// of its usual names or where TIDINGS_CHROMIUM says. What is missing fails the run.
//
// # STARTTLS
//
// Debian 12's OpenSMTPD 6.8 was not made for its OpenSSL 3: each handshake ends with
// "missing private key" (OpenSMTPD's issue 1171). So a server of this package speaks
// STARTTLS in front of it, as stunnel would, and hands everything after the handshake through.
//
// # Concurrency
//
// Each test has a mail server and a Tidings of its own, so tests run in parallel; one
// Chromium serves all. Everything is waited for by condition and with a deadline. What
// processes say is collected by goroutines of os/exec behind a mutex; the server in front
// has two goroutines for each connection, and the test waits for their end.
package mta
