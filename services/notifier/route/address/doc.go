// Package address knows which addresses of people can be reached. It is pure: it asks
// neither DNS nor a provider. What it accepts is safe to stand in a command of a protocol
// and in a header as it is.
package address
