package floor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	// patience bounds the wait for the child to connect and for a write to a child
	// that no longer reads.
	patience = 20 * time.Second
	// backlog is how many connections may wait to be accepted. Beyond it the kernel
	// drops what comes, and the dialer waits a second before it asks again.
	backlog = 4096
	// rusageThread asks getrusage for the calling thread, as RUSAGE_THREAD of
	// getrusage(2).
	rusageThread = 1
)

// Floor holds connected sockets. Make one with Open.
type Floor struct {
	fds   []int
	child *exec.Cmd
}

// Open starts program with the address and the number of sockets as its last
// arguments, which must call Drain with them, and waits until all are connected.
func Open(ctx context.Context, program []string, conns int) (*Floor, error) {
	l, addr, err := listen()
	if err != nil {
		return nil, err
	}
	defer closeFD(l)
	args := append(slices.Clip(program[1:]), addr, strconv.Itoa(conns))
	// The child is not killed with ctx: it ends by itself when its sockets do.
	f := &Floor{child: exec.CommandContext(context.WithoutCancel(ctx), program[0], args...)}
	f.child.Stderr = os.Stderr
	if err := f.child.Start(); err != nil {
		return nil, fmt.Errorf("start the drain: %w", err)
	}
	for len(f.fds) < conns {
		fd, err := accept(l)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("accept %d of %d: %w", len(f.fds)+1, conns, err), f.Close())
		}
		f.fds = append(f.fds, fd)
	}
	return f, nil
}

// listen opens a blocking listener outside of Go's poller.
func listen() (fd int, addr string, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, "", fmt.Errorf("socket: %w", err)
	}
	loopback := [4]byte{127, 0, 0, 1}
	wait := syscall.NsecToTimeval(patience.Nanoseconds())
	err = errors.Join(
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: loopback}),
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait),
		syscall.Listen(fd, backlog),
	)
	if err != nil {
		closeFD(fd)
		return 0, "", fmt.Errorf("listen: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	in, ok := name.(*syscall.SockaddrInet4)
	if err != nil || !ok {
		closeFD(fd)
		return 0, "", fmt.Errorf("getsockname: %T, %w", name, err)
	}
	port := uint16(in.Port) // The kernel gives ports of 16 bits.
	return fd, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(loopback), port)).String(), nil
}

// accept takes one connection. Its writes block, for patience at most.
func accept(l int) (int, error) {
	for {
		fd, _, err := syscall.Accept4(l, syscall.SOCK_CLOEXEC)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, err
		}
		wait := syscall.NsecToTimeval(patience.Nanoseconds())
		err = errors.Join(
			// Go sets it on every connection a server accepts.
			syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
			syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &wait),
		)
		if err != nil {
			closeFD(fd)
			return 0, err
		}
		return fd, nil
	}
}

// Measure does the work and returns what it cost.
func (f *Floor) Measure(ctx context.Context, w Work) (Cost, error) {
	// The thread's time is the writer's only if nothing else runs on it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	block := make([]byte, w.Frame*w.Batch)
	for i := range block {
		block[i] = 'x'
	}
	before, err := threadTime()
	if err != nil {
		return Cost{}, err
	}
	start := time.Now()
	for round := range w.Rounds {
		time.Sleep(time.Until(start.Add(time.Duration(round) * w.Every)))
		if err := ctx.Err(); err != nil {
			return Cost{}, err
		}
		for _, fd := range f.fds {
			if err := write(fd, block); err != nil {
				return Cost{}, fmt.Errorf("write: %w", err)
			}
		}
	}
	after, err := threadTime()
	if err != nil {
		return Cost{}, err
	}
	return Cost{Frames: w.Rounds * len(f.fds) * w.Batch, CPU: after - before}, nil
}

// write writes all of b. It goes to the kernel without telling Go's scheduler, as
// nothing here may cost more than the write itself.
func write(fd int, b []byte) error {
	for len(b) > 0 {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		b = b[n:]
	}
	return nil
}

// threadTime is the CPU time of the calling thread so far.
func threadTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// Close ends the sockets and waits for the child.
func (f *Floor) Close() error {
	for _, fd := range f.fds {
		closeFD(fd)
	}
	f.fds = nil
	if err := f.child.Wait(); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// closeFD closes a socket with nothing left to lose.
func closeFD(fd int) { _ = syscall.Close(fd) }
