// Package proc reads from Linux's /proc what a process has used and what kind of
// machine this is. It asks the kernel and not the process, so a server is measured
// by the same ruler whatever it thinks of itself.
package proc
