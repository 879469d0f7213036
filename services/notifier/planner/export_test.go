package planner

// What the tests of the pure parts see.
var (
	Decode = decode
	Again  = again
)
