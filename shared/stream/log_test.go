package stream_test

import (
	"testing"

	"tidings/shared/stream"
	"tidings/shared/stream/streamtest"
	"tidings/shared/testkit"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, func(*testing.T) streamtest.Home {
		m := stream.NewMemory(streamtest.PerTopic)
		return streamtest.Home{
			Log: m, Recreate: m.Recreate,
			Stop: func() { m.SetAway(true) }, Start: func() { m.SetAway(false) },
		}
	})
}

func TestNATS(t *testing.T) {
	t.Parallel()
	streamtest.Run(t, func(t *testing.T) streamtest.Home {
		limits := testkit.Limits()
		limits.PerTopic = streamtest.PerTopic
		l, conn := testkit.EventLog(t, limits)
		return streamtest.Home{
			Log:  l,
			Stop: conn.Embedded().Stop,
			Start: func() {
				if err := conn.Embedded().Start(); err != nil {
					t.Fatalf("restart NATS: %v", err)
				}
				testkit.Eventually(t, "the log to be back", func() bool {
					_, err := l.Epoch(t.Context())
					return err == nil
				})
			},
			Recreate: func() {
				if err := conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(stream.Name)); err != nil {
					t.Fatalf("delete the stream: %v", err)
				}
				testkit.Eventually(t, "the log to be made anew", func() bool {
					_, err := l.Epoch(t.Context())
					return err == nil
				})
			},
		}
	})
}
