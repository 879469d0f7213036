package producer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"

	"tidings/shared/subject"
)

// hostTopic is where a machine's figures go.
func hostTopic(name string) subject.Topic { return subject.Room("host", name) }

// hostSample is one reading of a machine. A figure that this system does not have
// is nil.
type hostSample struct {
	at            time.Time
	cpus          *int
	cpu           *cpu.TimesStat // seconds since the machine's start
	used, total   *uint64        // bytes of memory
	load          *load.AvgStat
	interfaces    map[string]net.IOCountersStat // by name, without loopback
	uptimeSeconds *uint64
}

// hostData is the data of an event of type host.metrics. null is unknown.
type hostData struct {
	Host        string   `json:"host"`
	CPUPercent  *float64 `json:"cpu_percent"` // of all CPUs together, 0 to 100
	CPUCount    *int     `json:"cpu_count"`
	MemUsed     *uint64  `json:"mem_used"`
	MemTotal    *uint64  `json:"mem_total"`
	Load1       *float64 `json:"load1"`
	Load5       *float64 `json:"load5"`
	Load15      *float64 `json:"load15"`
	NetRxPerSec *float64 `json:"net_rx_bytes_per_s"`
	NetTxPerSec *float64 `json:"net_tx_bytes_per_s"`
	UptimeSec   *uint64  `json:"uptime_s"`
}

// hostFeed reads this machine. One goroutine owns it.
type hostFeed struct {
	name string
	cpus *int // read once: it costs a file of many pages, and does not change
	last *hostSample
}

// read takes the figures now; rates are since the last call.
func (h *hostFeed) read(ctx context.Context, now time.Time) (any, error) {
	if h.cpus == nil {
		if n, err := cpu.CountsWithContext(ctx, true); err == nil {
			h.cpus = &n
		}
	}
	sample, err := readHost(ctx, now)
	if err != nil {
		return nil, err
	}
	sample.cpus = h.cpus
	data := hostFigures(h.name, h.last, sample)
	h.last = sample
	return data, nil
}

// readHost reads what this system has. It fails only if there is nothing at all:
// a container that hides one figure still shows the others.
func readHost(ctx context.Context, now time.Time) (*hostSample, error) {
	s := &hostSample{at: now}
	var faults []error
	note := func(what string, err error) { faults = append(faults, fmt.Errorf("%s: %w", what, err)) }
	if times, err := cpu.TimesWithContext(ctx, false); err != nil {
		note("cpu", err)
	} else if len(times) > 0 {
		s.cpu = &times[0]
	}
	if memory, err := mem.VirtualMemoryWithContext(ctx); err != nil {
		note("mem", err)
	} else {
		s.used, s.total = &memory.Used, &memory.Total
	}
	if average, err := load.AvgWithContext(ctx); err != nil {
		note("load", err)
	} else {
		s.load = average
	}
	if counters, err := net.IOCountersWithContext(ctx, true); err != nil {
		note("net", err)
	} else {
		s.interfaces = map[string]net.IOCountersStat{}
		for _, c := range counters {
			if !loopback(c.Name) {
				s.interfaces[c.Name] = c
			}
		}
	}
	if uptime, err := host.UptimeWithContext(ctx); err != nil {
		note("uptime", err)
	} else {
		s.uptimeSeconds = &uptime
	}
	if s.cpu == nil && s.total == nil && s.load == nil && s.interfaces == nil && s.uptimeSeconds == nil {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// loopback reports whether an interface only talks to its own machine.
func loopback(name string) bool {
	return name == "lo" || name == "lo0" || strings.HasPrefix(name, "Loopback")
}

// hostFigures computes an event's data from two readings; last is nil at first.
func hostFigures(name string, last, s *hostSample) hostData {
	d := hostData{Host: name, CPUCount: s.cpus, MemUsed: s.used, MemTotal: s.total, UptimeSec: s.uptimeSeconds}
	if s.load != nil {
		d.Load1, d.Load5, d.Load15 = &s.load.Load1, &s.load.Load5, &s.load.Load15
	}
	if last == nil {
		return d
	}
	if last.cpu != nil && s.cpu != nil {
		d.CPUPercent = cpuPercent(*last.cpu, *s.cpu)
	}
	if last.interfaces != nil && s.interfaces != nil {
		d.NetRxPerSec, d.NetTxPerSec = netRates(last, s)
	}
	return d
}

// cpuPercent is the share of time not spent idle between two readings, nil when
// no time passed. Each part is clamped by itself: Linux lets iowait run backwards.
func cpuPercent(before, after cpu.TimesStat) *float64 {
	grown := func(a, b float64) float64 { return max(b-a, 0) }
	idle := grown(before.Idle, after.Idle) + grown(before.Iowait, after.Iowait)
	// Guest time is left out: it is part of user time already.
	busy := grown(before.User, after.User) + grown(before.System, after.System) + grown(before.Nice, after.Nice) +
		grown(before.Irq, after.Irq) + grown(before.Softirq, after.Softirq) + grown(before.Steal, after.Steal)
	if idle+busy <= 0 {
		return nil
	}
	percent := legible(100 * busy / (idle + busy))
	return &percent
}

// netRates adds up the interfaces that both readings have. Summed counters would
// jump when an interface comes or goes.
func netRates(last, s *hostSample) (rx, tx *float64) {
	elapsed := s.at.Sub(last.at)
	if elapsed <= 0 {
		return nil, nil
	}
	rx, tx = new(float64), new(float64)
	for name, after := range s.interfaces {
		if before, known := last.interfaces[name]; known {
			*rx += *rate(before.BytesRecv, after.BytesRecv, elapsed)
			*tx += *rate(before.BytesSent, after.BytesSent, elapsed)
		}
	}
	return rx, tx
}
