package envelope

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/subject"
)

// Hook is what a webhook's configuration says about its events.
type Hook struct {
	// Topic is where they go.
	Topic subject.Topic
	// Source is the source of events whose sender has no name of its own.
	Source string
}

// ParseGitHub reads a delivery of GitHub: the event's type is "github.<event>" and
// its id the delivery's, so that a redelivery is stored once. GitHub's default is
// to send a form with the JSON in "payload"; both forms are read.
func ParseGitHub(h Hook, header http.Header, body []byte) (Batch, error) {
	var faults []Fault
	ev := event.Event{Topic: h.Topic, Source: "github", ID: header.Get("X-GitHub-Delivery"), Data: body}
	if name := header.Get("X-GitHub-Event"); name != "" {
		ev.Type = "github." + name
	} else {
		faults = append(faults, Fault{Field: "X-GitHub-Event", Code: codeMissingField, Reason: "is missing"})
	}
	if media, _, err := mime.ParseMediaType(header.Get("Content-Type")); err == nil && media == mediaForm {
		form, err := url.ParseQuery(string(body))
		if err != nil || !form.Has("payload") {
			faults = append(faults, Fault{Field: "payload", Code: codeMissingField, Reason: "is missing from the form"})
			return single(Item{}, faults)
		}
		ev.Data = []byte(form.Get("payload"))
	}
	faults = append(faults, jsonData(ev.Data)...)
	return single(keyed(ev, faults))
}

// ParseHMAC reads a request of a generic sender: any body, with type and id in
// headers. Those two are not covered by the signature.
func ParseHMAC(h Hook, header http.Header, body []byte) (Batch, error) {
	ev := event.Event{Topic: h.Topic, Type: event.DefaultType, Source: h.Source, ID: header.Get("X-Tidings-Id")}
	if t := header.Get("X-Tidings-Type"); t != "" {
		ev.Type = t
	}
	data, contentType, fault := payload(header.Get("Content-Type"), body)
	if fault != nil {
		return single(Item{}, []Fault{*fault})
	}
	ev.Data, ev.ContentType = data, contentType
	return single(keyed(ev, nil))
}

// keyed adds the rules that every event obeys to what is already known to be wrong
// and gives the event its key.
func keyed(ev event.Event, faults []Fault) (Item, []Fault) {
	if faults = append(faults, checked(ev)...); len(faults) > 0 {
		return Item{}, faults
	}
	return Item{Event: ev, Key: eventKey(ev)}, nil
}

// alertGroup is Alertmanager's webhook, version 4, as far as it is read. Members
// we don't know are let pass: a newer Alertmanager must not lose its alerts here.
type alertGroup struct {
	Receiver    json.RawMessage   `json:"receiver"`
	GroupLabels json.RawMessage   `json:"groupLabels"`
	ExternalURL json.RawMessage   `json:"externalURL"`
	Alerts      []json.RawMessage `json:"alerts"`
}

// alertHead is what decides an alert's type, id and time.
type alertHead struct {
	Status      string    `json:"status"`
	Fingerprint string    `json:"fingerprint"`
	StartsAt    time.Time `json:"startsAt"`
	EndsAt      time.Time `json:"endsAt"`
}

// ParseAlerts reads a notification of Alertmanager: one event per alert. Its id is
// made of what tells one change of the alert from another, so that the repeated
// notifications of several Alertmanagers, or after a failure, are stored once.
func ParseAlerts(h Hook, body []byte) (Batch, error) {
	if _, err := jsonBody(body); err != nil {
		return Batch{}, err
	}
	var group alertGroup
	if err := json.Unmarshal(body, &group); err != nil {
		return Batch{}, httpx.NewProblem(http.StatusBadRequest, codeBadField, "This is not a notification of Alertmanager, version 4.").WithCause(err)
	}
	if len(group.Alerts) == 0 {
		return Batch{}, httpx.Bad("alerts", codeMissingField, "The notification holds no alerts.")
	}
	return parseList(len(group.Alerts), func(i int) (Item, []Fault) { return parseAlert(h, group, group.Alerts[i]) })
}

// parseAlert reads one alert of a group.
func parseAlert(h Hook, group alertGroup, raw json.RawMessage) (Item, []Fault) {
	var head alertHead
	if err := json.Unmarshal(raw, &head); err != nil {
		return Item{}, []Fault{{Field: "alerts", Code: codeBadField, Reason: "has an alert that cannot be read"}}
	}
	ev := event.Event{
		Topic: h.Topic, Type: "alert." + head.Status, Source: "alertmanager", Time: head.StartsAt.UTC(),
		ID: head.Fingerprint + "-" + head.Status + "-" + head.StartsAt.UTC().Format(time.RFC3339Nano),
	}
	switch head.Status {
	case "firing":
	case "resolved":
		ev.Time = head.EndsAt.UTC()
		ev.ID += "-" + ev.Time.Format(time.RFC3339Nano)
	default:
		return Item{}, []Fault{{Field: "status", Code: codeBadField, Reason: "is neither firing nor resolved"}}
	}
	if head.Fingerprint == "" {
		return Item{}, []Fault{{Field: "fingerprint", Code: codeMissingField, Reason: "is missing"}}
	}
	data, err := alertData(group, raw)
	if err != nil {
		return Item{}, []Fault{{Field: "alerts", Code: codeBadField, Reason: "has an alert that cannot be read"}}
	}
	ev.Data = data
	return keyed(ev, nil)
}

// alertData is the alert as Alertmanager wrote it, with what the group knows:
// receiver, groupLabels and externalURL.
func alertData(group alertGroup, raw json.RawMessage) ([]byte, error) {
	data := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &data); err != nil {
		return nil, fmt.Errorf("json.Unmarshal: %w", err)
	}
	data["receiver"], data["groupLabels"], data["externalURL"] = group.Receiver, group.GroupLabels, group.ExternalURL
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return nil, fmt.Errorf("json.Encode: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// jsonData returns the fault of data that must be JSON.
func jsonData(data []byte) []Fault {
	reason := utf8Fault(data)
	if reason == "" {
		reason = jsonFault(data)
	}
	if reason == "" {
		return nil
	}
	return []Fault{{Field: "data", Code: codeBadJSON, Reason: reason}}
}
