package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat. The kernel converts to 100 a
// second for user space, whatever it counts in itself.
const tick = time.Second / 100

// Fields of /proc/PID/stat, counted from the one after the command's name.
const (
	fieldUser   = 11
	fieldSystem = 12
)

// errForm says that a file of /proc is not as proc(5) describes it.
var errForm = errors.New("unexpected form")

// Table is a /proc file system. Make one with New.
type Table struct{ files fs.FS }

// New returns the table in files; nil is this machine's own /proc.
func New(files fs.FS) Table {
	if files == nil {
		files = os.DirFS("/proc")
	}
	return Table{files: files}
}

// Usage is what a process has used so far.
type Usage struct {
	// CPU is its user and system time, to 10 ms.
	CPU time.Duration
	// RSS is its resident memory in bytes, now.
	RSS int64
}

// Usage reads the usage of a process. It fails when there is no such process, or
// when this system has no /proc.
func (t Table) Usage(pid int) (Usage, error) {
	dir := strconv.Itoa(pid)
	stat, err := fs.ReadFile(t.files, path.Join(dir, "stat"))
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	status, err := fs.ReadFile(t.files, path.Join(dir, "status"))
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	var u Usage
	if u.CPU, err = parseCPU(stat); err != nil {
		return Usage{}, fmt.Errorf("stat of process %d: %w", pid, err)
	}
	if u.RSS, err = parseRSS(string(status)); err != nil {
		return Usage{}, fmt.Errorf("status of process %d: %w", pid, err)
	}
	return u, nil
}

// parseCPU adds user and system time. The second field is the command's name in
// parentheses and may itself hold blanks and parentheses, so the fields are counted
// from the last closing one.
func parseCPU(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errForm
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) <= fieldSystem {
		return 0, errForm
	}
	var sum time.Duration
	for _, text := range []string{fields[fieldUser], fields[fieldSystem]} {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errForm, err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// parseRSS finds the line "VmRSS:   1234 kB".
func parseRSS(status string) (int64, error) {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || unit != "kB" {
			return 0, fmt.Errorf("%w: %q", errForm, line)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("%w: no VmRSS", errForm) // a zombie has none
}

// Machine is where a figure was measured.
type Machine struct {
	// CPUs is the number of processors and Model the name of the first.
	CPUs  int    `json:"cpus"`
	Model string `json:"model"`
	// Kernel is the release of the kernel.
	Kernel string `json:"kernel"`
	// Load is how many tasks wanted to run, over the last minute. A figure measured on
	// a machine that was busy with something else is worth little.
	Load float64 `json:"load"`
}

// Machine describes this machine. What cannot be read stays empty.
func (t Table) Machine() Machine {
	var m Machine
	// The absence of any of these files says no more than the empty field does.
	release, _ := fs.ReadFile(t.files, "sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(release))
	load, _ := fs.ReadFile(t.files, "loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	m.Load, _ = strconv.ParseFloat(first, 64)
	info, _ := fs.ReadFile(t.files, "cpuinfo")
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "processor":
			m.CPUs++
		case "model name":
			if m.Model == "" {
				m.Model = strings.TrimSpace(value)
			}
		}
	}
	return m
}
