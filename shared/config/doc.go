// Package config is the settings of a Tidings process: one struct, four sources.
//
// Settings is filled from the defaults in its tags, then from a TOML file
// (--config or TIDINGS_CONFIG), then from the environment, then from flags; a later
// source wins. Every setting has the same name everywhere: the flag --events-age is
// the variable TIDINGS_EVENTS_AGE and the file's key events_age. The struct is the
// only list of them: flags, usage text, the file's keys and the output of
// "tidings config" are made from its tags.
//
//	s, rest, err := config.Load(os.Args[2:], os.LookupEnv,
//		config.WithDefaults(map[string]string{"http": "127.0.0.1:8080"}))
//
// Load reports every fault at once, each as a Fault that names the setting, where
// the value came from and what is allowed. Values are quoted in faults unless they
// may hold a secret; secrets and URLs hide themselves (telemetry.Secret, URL).
//
// Lists are separated by commas in variables and flags, and arrays in the file.
// Sizes are bytes, or a number with KiB, MiB, GiB or TiB. Durations are Go's: 15s,
// 24h. A bool is true or false; its flag alone means true, so the other one is written
// --raw=false. An environment variable that is empty counts as not set, as compose
// files like to write them; to empty a setting use a flag or the file.
//
// The package starts no goroutines and keeps no state. Settings are not changed
// after Load and may then be shared.
package config
