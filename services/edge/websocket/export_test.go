package websocket

// Held is the size of the buffer that the Reader holds, 0 if none.
func (r *Reader) Held() int {
	if r.part == nil {
		return 0
	}
	return max(1, cap(r.part.data))
}
