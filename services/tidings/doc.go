// Command tidings is all of Tidings in one binary: "tidings dev" runs everything on
// this machine, "tidings up" runs services for production, and the other commands
// help with both. The commands are thin: what they do lives in services/app and
// in the packages under shared.
package main
