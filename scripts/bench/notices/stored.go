package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tidings/shared/natsx"
)

// Stored returns how many messages were ever stored in the streams of a prefix, those
// that are gone included.
func Stored(ctx context.Context, conn *natsx.Conn, prefix string) (n uint64, err error) {
	list := conn.JS.ListStreams(ctx)
	for info := range list.Info() {
		// Buckets are streams whose names have a prefix of their own.
		if strings.Contains(info.Config.Name, prefix+"_") {
			n += info.State.LastSeq
		}
	}
	if err := list.Err(); err != nil {
		return 0, fmt.Errorf("look at the streams: %w", err)
	}
	return n, nil
}

// Inboxes returns how many items each user's inbox has. Subjects are those of the inboxes'
// stream, with the user as the star.
func Inboxes(ctx context.Context, conn *natsx.Conn, stream, subjects string) (map[string]int, error) {
	var answer struct {
		State struct {
			Subjects map[string]int `json:"subjects"`
		} `json:"state"`
	}
	if err := ask(ctx, conn, "STREAM.INFO."+stream, map[string]string{"subjects_filter": subjects}, &answer); err != nil {
		return nil, fmt.Errorf("look at the inboxes: %w", err)
	}
	before, after, _ := strings.Cut(subjects, "*")
	out := make(map[string]int, len(answer.State.Subjects))
	for subj, n := range answer.State.Subjects {
		out[strings.TrimSuffix(strings.TrimPrefix(subj, before), after)] = n
	}
	return out, nil
}

// ask asks JetStream's API.
func ask(ctx context.Context, conn *natsx.Conn, question string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("json.Marshal: %w", err)
	}
	m, err := conn.NC.RequestWithContext(ctx, "$JS.API."+question, body)
	if err != nil {
		return err
	}
	var failed struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := errors.Join(json.Unmarshal(m.Data, &failed), json.Unmarshal(m.Data, out)); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if failed.Error != nil {
		return errors.New(failed.Error.Description)
	}
	return nil
}
