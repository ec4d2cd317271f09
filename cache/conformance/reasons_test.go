package conformance

import "testing"

// reason is why tests do not pass that the suite calls required or optimal.
type reason struct {
	IDs []string
	Why string
}

var reasons = []reason{
	{
		[]string{"headers-store-Set-Cookie", "304-etag-update-response-Set-Cookie", "other-set-cookie"},
		"A response with `Set-Cookie` is neither kept nor shared, whatever else it says: one client's session must not become everybody's. " +
			"So the first two cannot be set up.",
	},
	{
		[]string{"headers-store-Transfer-Encoding"},
		"The suite sends a transfer coding that does not exist. net/http's client refuses such a response, since nobody can tell where it ends " +
			"(RFC 9112, section 6.3), and the answer is a 502.",
	},
	{
		[]string{"stale-close-must-revalidate", "stale-close-proxy-revalidate", "stale-close-no-cache", "stale-close-s-maxage=2"},
		"They ask what a cache that serves stale responses does where it may not, and look for a header field that only the origin sends, " +
			"in an answer that it did not give: it has closed the connection. No cache that `stale-close` says yes of can pass them. " +
			"Here `Options.Stale` is not set, `stale-close` says no, and they do not apply. These rules have tests of the cache's own.",
	},
	{
		[]string{"conditional-lm-fresh-no-lm"},
		"It wants a 304 to an `If-Modified-Since` of 50 minutes before the stored response's `Date`. Without a `Last-Modified` it is `Date` that is " +
			"compared (RFC 9111, section 4.3.2), and what is younger than the client's copy is a 200.",
	},
	{
		[]string{"partial-store-partial-reuse-partial-suffix"},
		"The suite's part says that it is `bytes 4-9/10`, which are six, and has five. The last byte, which is then asked for, has never come.",
	},
	{
		[]string{"partial-store-partial-complete"},
		"A part is completed only where a strong validator says that the rest is of the same whole (RFC 9111, section 3.4). The suite's part has none.",
	},
}

// checkReasons: whatever does not pass has one reason, and nothing else has.
func checkReasons(t *testing.T, rows []row) {
	t.Helper()
	given := map[string]int{}
	for _, r := range reasons {
		for _, id := range r.IDs {
			given[id]++
		}
	}
	for _, r := range rows {
		needed := 0
		if r.Kind != "check" && r.Verdict != "pass" {
			needed = 1
		}
		if given[r.ID] != needed {
			t.Errorf("%s (%s, %s) has reasons: %d, want %d: %s", r.ID, r.Kind, r.Verdict, given[r.ID], needed, r.Detail)
		}
		delete(given, r.ID)
	}
	for id := range given {
		t.Errorf("a reason is given for %s, which is no test", id)
	}
}
