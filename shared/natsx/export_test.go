package natsx

// OlderThan is olderThan, which no server at hand could show.
func OlderThan(version, minimum string) bool { return olderThan(version, minimum) }
