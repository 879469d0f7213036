package proc_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tidings/scripts/bench/proc"
)

// tail are the fields of stat after the name up to system time: 250 ticks of user
// time and 50 of system time.
const tail = " S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 12 0 100 0 0\n"

func TestUsage(t *testing.T) {
	t.Parallel()
	const status = "Name:\tx\nVmHWM:\t    9999 kB\nVmRSS:\t    2048 kB\n"
	for name, c := range map[string]struct {
		stat, status string
		want         proc.Usage
		fails        bool
	}{
		"plain":                  {"7 (tidings)" + tail, status, proc.Usage{CPU: 3 * time.Second, RSS: 2 << 20}, false},
		"a name with everything": {"7 (a ) 9 (b) c)" + tail, status, proc.Usage{CPU: 3 * time.Second, RSS: 2 << 20}, false},
		"no name":                {"7 tidings", status, proc.Usage{}, true},
		"cut off":                {"7 (tidings) S 1 2 3", status, proc.Usage{}, true},
		"no number":              {strings.Replace("7 (tidings)"+tail, "250", "abc", 1), status, proc.Usage{}, true},
		"a zombie":               {"7 (tidings)" + tail, "Name:\tx\n", proc.Usage{}, true},
		"another unit":           {"7 (tidings)" + tail, "VmRSS:\t2048 MB\n", proc.Usage{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := proc.New(fstest.MapFS{"7/stat": {Data: []byte(c.stat)}, "7/status": {Data: []byte(c.status)}})
			got, err := table.Usage(7)
			if (err != nil) != c.fails || got != c.want {
				t.Errorf("got %+v, %v; want %+v, failing %v", got, err, c.want, c.fails)
			}
		})
	}
	if _, err := proc.New(fstest.MapFS{}).Usage(7); err == nil {
		t.Error("a process that is not there has a usage")
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	got := proc.New(fstest.MapFS{
		"sys/kernel/osrelease": {Data: []byte("6.1.0\n")},
		"loadavg":              {Data: []byte("1.25 0.5 0.1 1/99 1234\n")},
		"cpuinfo":              {Data: []byte("processor\t: 0\nmodel name\t: Fast One\n\nprocessor\t: 1\nmodel name\t: Fast Two\n")},
	}).Machine()
	if want := (proc.Machine{CPUs: 2, Model: "Fast One", Kernel: "6.1.0", Load: 1.25}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := proc.New(fstest.MapFS{}).Machine(); got != (proc.Machine{}) {
		t.Errorf("nothing to read gives %+v", got)
	}
}

// FuzzUsage feeds files that no kernel would write.
func FuzzUsage(f *testing.F) {
	f.Add("7 (x)"+tail, "VmRSS:\t1 kB\n")
	f.Add(")", "VmRSS:")
	f.Fuzz(func(t *testing.T, stat, status string) {
		table := proc.New(fstest.MapFS{"7/stat": {Data: []byte(stat)}, "7/status": {Data: []byte(status)}})
		if u, err := table.Usage(7); err != nil && u != (proc.Usage{}) {
			t.Errorf("%+v came with %v", u, err)
		}
	})
}

// TestSelf reads this very process where there is a /proc.
func TestSelf(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return // not Linux: the bench says so when it is started
	}
	u, err := proc.New(nil).Usage(os.Getpid())
	if err != nil || u.RSS <= 0 || u.CPU < 0 {
		t.Errorf("got %+v, %v", u, err)
	}
}
