package producer

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/net"
)

// TestHostFigures is in the package because a test can't reset the counters of the
// machine it runs on.
func TestHostFigures(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	sample := func(after time.Duration, user, idle float64, nics ...net.IOCountersStat) *hostSample {
		n, m := 4, uint64(8)
		s := &hostSample{
			at: start.Add(after), cpus: &n, cpu: &cpu.TimesStat{User: user, Idle: idle, Guest: user}, used: &m, total: &m, uptimeSeconds: &m,
			load: &load.AvgStat{Load1: 1, Load5: 5, Load15: 15}, interfaces: map[string]net.IOCountersStat{},
		}
		for _, nic := range nics {
			s.interfaces[nic.Name] = nic
		}
		return s
	}
	nic := func(name string, rx, tx uint64) net.IOCountersStat {
		return net.IOCountersStat{Name: name, BytesRecv: rx, BytesSent: tx}
	}
	const rest = `"cpu_count":4,"mem_used":8,"mem_total":8,"load1":1,"load5":5,"load15":15,`
	for _, tc := range []struct {
		name    string
		last, s *hostSample
		want    string
	}{
		{"first", nil, sample(0, 1, 1), `{"host":"h","cpu_percent":null,` + rest + `"net_rx_bytes_per_s":null,"net_tx_bytes_per_s":null,"uptime_s":8}`},
		{
			"growth", sample(0, 10, 10, nic("a", 100, 100), nic("b", 0, 0)), sample(2*time.Second, 11, 13, nic("a", 300, 100), nic("b", 20, 10)),
			`{"host":"h","cpu_percent":25,` + rest + `"net_rx_bytes_per_s":110,"net_tx_bytes_per_s":5,"uptime_s":8}`,
		},
		{
			"reset", sample(0, 10, 10, nic("a", 100, 100)), sample(time.Second, 1, 12, nic("a", 5, 300)),
			`{"host":"h","cpu_percent":0,` + rest + `"net_rx_bytes_per_s":0,"net_tx_bytes_per_s":200,"uptime_s":8}`,
		},
		{
			"interfaces come and go", sample(0, 10, 10, nic("a", 1<<40, 0)), sample(time.Second, 11, 10, nic("b", 1<<41, 0)),
			`{"host":"h","cpu_percent":100,` + rest + `"net_rx_bytes_per_s":0,"net_tx_bytes_per_s":0,"uptime_s":8}`,
		},
		{
			"no time passed", sample(0, 10, 10, nic("a", 1, 1)), sample(0, 10, 10, nic("a", 2, 2)),
			`{"host":"h","cpu_percent":null,` + rest + `"net_rx_bytes_per_s":null,"net_tx_bytes_per_s":null,"uptime_s":8}`,
		},
		{
			"nothing but a clock", sample(0, 1, 1), &hostSample{at: start.Add(time.Second)},
			`{"host":"h","cpu_percent":null,"cpu_count":null,"mem_used":null,"mem_total":null,"load1":null,"load5":null,"load15":null,` +
				`"net_rx_bytes_per_s":null,"net_tx_bytes_per_s":null,"uptime_s":null}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(hostFigures("h", tc.last, tc.s))
			if err != nil || string(got) != tc.want {
				t.Errorf("got  %s\nwant %s\n%v", got, tc.want, err)
			}
		})
	}
}
