package e2e_test

import (
	"fmt"
	"testing"
)

// gallery shows an element in every state, for eyes.
const gallery = `(() => {
	const h1 = document.querySelector("h1");
	for (const status of [%s]) {
		const e = document.createElement("tidings-status");
		e.client = { status: { get: () => status, subscribe: (f) => (f(status), () => {}) }, retryNow() {} };
		const p = document.createElement("p");
		p.append(e);
		h1.after(p);
	}
	return true;
})()`

// TestClientLooks opens the example pages and the element in all its states as the
// console's pages are looked at: in light and dark, wide and on a phone.
func TestClientLooks(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	url, strangers := newExamples(t, tidings), serveExamples(t, tidings, "")
	tidings.mustPublish(said(1), said(2), said(3),
		`{"topic":"room.kitchen","type":"chat.message","data":{"from":"Zoë","text":"A word that is long: Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"}}`,
		`{"topic":"room.kitchen","type":"order.paid","data":{"id":"A-1","total":129.9}}`,
		`{"topic":"room.orders","type":"order.paid","data":{"id":"A-1","total":129.9,"items":[{"sku":"lamp-3","n":1},{"sku":"cable","n":2}]}}`)
	all := ""
	for _, s := range states {
		all += fmt.Sprintf("{ state: %q, ...%s },", s.name, s.status)
	}
	for _, l := range looks {
		p := newPage(t)
		p.scheme(l.scheme)
		p.size(l.width, l.height, l.dots)
		p.visit(url + "/react/")
		p.until("a live pill", fmt.Sprintf(pill, "live"))
		p.until("the messages", chat+`.includes("gesetz")`)
		p.looksRight("client-react-"+l.name, l.width)

		p.expect(`status of 401`)
		p.visit(strangers + "/react/")
		p.until("a denial", fmt.Sprintf(pill, "denied"))
		p.looksRight("client-react-denied-"+l.name, l.width)

		p.visit(url + "/plain.html")
		p.until("the element to say Live", labelled("^Live$"))
		p.until("an event", orders)
		eval[bool](p, fmt.Sprintf(gallery, all))
		p.looksRight("client-plain-"+l.name, l.width)
	}
}
