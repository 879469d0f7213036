package envelope_test

import (
	"strings"
	"testing"

	"tidings/services/producer/envelope"
)

// TestKeysOfDifferentSendersDiffer holds pairs that a careless key would confuse.
func TestKeysOfDifferentSendersDiffer(t *testing.T) {
	t.Parallel()
	key := func(body string, headers ...string) string {
		t.Helper()
		b, err := envelope.Parse(request("", body, headers...))
		if err != nil {
			t.Fatal(err)
		}
		return b.Items[0].Key
	}
	seen := map[string]string{}
	add := func(name, key string) {
		if key == "" || len(key) > 128 || strings.TrimSpace(key) != key {
			t.Errorf("%s: bad key %q", name, key)
		}
		if other, twice := seen[key]; twice {
			t.Errorf("%s and %s share the key %q", name, other, key)
		}
		seen[key] = name
	}
	add("header", envelope.RequestKey("a b", "c", 0))
	add("header, other split", envelope.RequestKey("a", "b c", 0))
	add("header, other index", envelope.RequestKey("a", "b c", 1))
	add("user all", envelope.RequestKey("all", "x", 0))
	add("id", key(`{"topic":"all","id":"x 0"}`))
	add("id with a space after", key(`{"topic":"all","id":"x 0 "}`))
	add("other topic", key(`{"topic":"room.all","id":"x 0"}`))
	add("cloud", key(cloud("", ""), ctCloud))
	add("cloud, other source", key(cloud("source", `"source":"s 1"`), ctCloud))
	add("cloud, other id", key(cloud("id", `"id":"1 1"`), ctCloud))
	add("native like cloud", key(`{"topic":"all","id":"s 1"}`))
	add("long", key(`{"topic":"all","id":"`+strings.Repeat("é", 100)+`1"}`))
	add("other long", key(`{"topic":"all","id":"`+strings.Repeat("é", 100)+`2"}`))
	if got := key(`{"topic":"all"}`); got != "" {
		t.Errorf("an event without id has the key %q", got)
	}
}
