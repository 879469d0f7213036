package websocket

// What a client may send when Limits say nothing else.
const (
	// DefaultMaxMessage is the size of a message in bytes: commands are small, and
	// this times the connections that are in the middle of a message is what a crowd
	// can make us hold.
	DefaultMaxMessage = 64 << 10
	// DefaultMaxFragments is the number of frames in a message. Browsers fragment
	// only what is larger than DefaultMaxMessage; a message in a thousand pieces is
	// there to cost us time.
	DefaultMaxFragments = 128
	// largest is the most that MaxMessage can be, so that sums of sizes fit an int
	// everywhere: 1 GiB.
	largest = 1 << 30
)

// Limits say what a Reader takes from its client. The zero Limits take text of the
// default sizes, uncompressed.
type Limits struct {
	// MaxFrame is the largest payload of a frame in bytes as it is sent; 0 means as
	// large as MaxMessage.
	MaxFrame int
	// MaxMessage is the largest message in bytes, as it is sent and once more when
	// it is inflated; 0 means DefaultMaxMessage, and 1 GiB is the most.
	MaxMessage int
	// MaxFragments is the largest number of frames in a message; 0 means
	// DefaultMaxFragments.
	MaxFragments int
	// Binary says that binary messages are taken.
	Binary bool
	// Deflate says that compressed messages are taken, because the handshake of this
	// connection agreed on it.
	Deflate bool
}

// filled returns the limits with the defaults in place.
func (l Limits) filled() Limits {
	if l.MaxMessage <= 0 {
		l.MaxMessage = DefaultMaxMessage
	}
	l.MaxMessage = min(l.MaxMessage, largest)
	if l.MaxFrame <= 0 || l.MaxFrame > l.MaxMessage {
		l.MaxFrame = l.MaxMessage
	}
	if l.MaxFragments <= 0 {
		l.MaxFragments = DefaultMaxFragments
	}
	return l
}
