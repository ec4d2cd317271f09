package telemetry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
)

// relay sends header to a server that calls another one, and returns its answer and what that call sent.
func relay(t *testing.T, tel *telemetry.Telemetry, header http.Header) (res *http.Response, sent http.Header) {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = r.Header }))
	defer upstream.Close()
	client := http.Client{Transport: tel.Transport(&http.Transport{DisableKeepAlives: true})}
	res, _, err := ask(t, tel.Server(route("GET /", func(_ http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, upstream.URL, nil)
		if err != nil {
			t.Error(err)
			return
		}
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
	}), nil), "GET", "/", header)
	if err != nil {
		t.Fatal(err)
	}
	return res, sent
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// TestTraceparent holds the server to https://www.w3.org/TR/trace-context/ on what callers send.
func TestTraceparent(t *testing.T) {
	const ids = callersTrace + "-" + callersSpan
	for _, test := range []struct {
		desc      string
		lines     []string
		continued bool
		sampled   bool // of what goes on from here
	}{
		{"none", nil, false, true},
		{"sampled", []string{"00-" + ids + "-01"}, true, true},
		{"not sampled", []string{"00-" + ids + "-00"}, true, false},
		{"sampled, and random as level 2 has it", []string{"00-" + ids + "-03"}, true, true},
		{"whitespace around it", []string{" \t00-" + ids + "-01\t "}, true, true},
		{"empty", []string{""}, false, true},
		{"upper-case trace", []string{"00-" + strings.ToUpper(callersTrace) + "-" + callersSpan + "-01"}, false, true},
		{"upper-case span", []string{"00-" + callersTrace + "-00F067AA0BA902B7-01"}, false, true},
		{"upper-case flags", []string{"00-" + ids + "-0A"}, false, true},
		{"upper-case version", []string{"0A-" + ids + "-01"}, false, true},
		{"no hex in the trace", []string{"00-" + callersTrace[:31] + "g-" + callersSpan + "-01"}, false, true},
		{"no hex in the span", []string{"00-" + callersTrace + "-00f067aa0ba902b.-01"}, false, true},
		{"no hex in the flags", []string{"00-" + ids + "-0."}, false, true},
		{"no hex in the version", []string{"0.-" + ids + "-01"}, false, true},
		{"trace too long", []string{"00-" + callersTrace + "0-" + callersSpan + "-01"}, false, true},
		{"span too short", []string{"00-" + callersTrace + "-" + callersSpan[1:] + "-01"}, false, true},
		{"flags too long", []string{"00-" + ids + "-001"}, false, true},
		{"flags too short", []string{"00-" + ids + "-1"}, false, true},
		{"no flags", []string{"00-" + ids}, false, true},
		{"version too long", []string{"000-" + ids + "-01"}, false, true},
		{"version too short", []string{"0-" + ids + "-01"}, false, true},
		{"zero trace", []string{"00-00000000000000000000000000000000-" + callersSpan + "-01"}, false, true},
		{"zero span", []string{"00-" + callersTrace + "-0000000000000000-01"}, false, true},
		{"version 00 with more", []string{"00-" + ids + "-01-more"}, false, true},
		{"version 00 with a dot at its end", []string{"00-" + ids + "-01."}, false, true},
		{"version 01", []string{"01-" + ids + "-01"}, true, true},
		{"version cc", []string{"cc-" + ids + "-01"}, true, true},
		{"version cc, not sampled", []string{"cc-" + ids + "-00"}, true, false},
		{"version cc with more", []string{"cc-" + ids + "-01-what-the-future-will-be-like"}, true, true},
		{"version cc with more, and no dash before it", []string{"cc-" + ids + "-01.what-the-future-will-be-like"}, false, true},
		{"version cc with unknown flags", []string{"cc-" + ids + "-fd"}, true, true},
		{"version cc, too short", []string{"cc-" + ids}, false, true},
		{"version fe", []string{"fe-" + ids + "-01"}, true, true},
		{"version ff", []string{"ff-" + ids + "-01"}, false, true},
		{"two", []string{"00-" + ids + "-01", "00-" + strings.Replace(ids, "4", "5", 1) + "-01"}, false, true},
		{"two that are the same", []string{"00-" + ids + "-01", "00-" + ids + "-01"}, false, true},
		{"two on a line", []string{"00-" + ids + "-01,00-" + ids + "-01"}, false, true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, _ := setup(t, nil, telemetry.Options{})
			spans := recordSpans(t, tel)
			res, sent := relay(t, tel, http.Header{"Traceparent": test.lines, "Tracestate": {"foo=1"}})
			traceID, spanID, flags := traceresponse(t, res)
			if continued := traceID == callersTrace; continued != test.continued {
				t.Errorf("trace %s, continued is %t, want %t", traceID, continued, test.continued)
			}
			// Where traceparent does not parse, tracestate must not be looked at.
			if got := sent.Get("Tracestate"); got == "foo=1" != test.continued {
				t.Errorf("tracestate %q goes on", got)
			}
			want := "00"
			if test.sampled {
				want = "01"
			}
			var client trace.SpanID
			for _, s := range spans.Ended() {
				if s.SpanKind() == trace.SpanKindClient {
					client = s.SpanContext().SpanID()
				}
			}
			parts := strings.Split(sent.Get("Traceparent"), "-")
			if len(parts) != 4 || parts[0] != "00" || parts[1] != traceID || parts[2] == spanID || parts[2] == callersSpan {
				t.Fatalf("sent traceparent %q; want version 00, the same trace and a new span", sent.Get("Traceparent"))
			}
			if test.sampled && parts[2] != client.String() {
				t.Errorf("sent traceparent %q, want it to name the client's span %s", sent.Get("Traceparent"), client)
			}
			// The random flag may go on too; the flags that nobody defined may not.
			if sampled := parts[3] == "01" || parts[3] == "03"; sampled != test.sampled || parts[3] > "03" || flags[1] != parts[3][1] {
				t.Errorf("flags %s sent and %s answered, want like %s", parts[3], flags, want)
			}
		})
	}
}

// TestTracestate: it goes on as it came or not at all, and never costs the trace.
func TestTracestate(t *testing.T) {
	members := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("k%d=%d", i, i)
		}
		return strings.Join(list, ",")
	}
	for _, test := range []struct {
		desc  string
		lines []string
		want  string
	}{
		{"none", nil, ""},
		{"one", []string{"foo=1"}, "foo=1"},
		{"two, in their order", []string{"foo=1,bar=2"}, "foo=1,bar=2"},
		{"lines, in their order", []string{"foo=1,bar=2", "rojo=1,congo=2", "baz=3"}, "foo=1,bar=2,rojo=1,congo=2,baz=3"},
		{"an empty line first", []string{"", "foo=1"}, "foo=1"},
		{"an empty line last", []string{"foo=1", ""}, "foo=1"},
		{"empty", []string{""}, ""},
		{"empty members", []string{"foo=1,,bar=2,"}, "foo=1,bar=2"},
		{"whitespace around members", []string{"foo=1 \t , \t bar=2, \t baz=3"}, "foo=1,bar=2,baz=3"},
		{"a tenant's key", []string{"fw529a3039@dt=FfFFff"}, "fw529a3039@dt=FfFFff"},
		{"a value with spaces in it", []string{"foo=a b"}, "foo=a b"},
		{"32 members", []string{members(32)}, members(32)},
		{"33 members", []string{members(33)}, ""},
		{"33 members on two lines", []string{members(20), strings.ReplaceAll(members(13), "k", "l")}, ""},
		{"the same key twice", []string{"foo=1,foo=2"}, ""},
		{"the same key on two lines", []string{"foo=1", "foo=2"}, ""},
		{"no value", []string{"foo"}, ""},
		{"an empty value", []string{"foo="}, ""},
		{"an equals sign in a value", []string{"foo=bar=baz"}, ""},
		{"an upper-case key", []string{"FOO=1"}, ""},
		{"a space in a key", []string{"foo =1"}, ""},
		{"a key too long", []string{strings.Repeat("z", 257) + "=1"}, ""},
		{"a value too long", []string{"foo=" + strings.Repeat("v", 257)}, ""},
		{"one that is wrong among others", []string{"bar=2,foo@=1"}, ""},
		{"one that is wrong on another line", []string{"bar=2", "foo.bar=1"}, ""},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, _ := setup(t, nil, telemetry.Options{})
			res, sent := relay(t, tel, http.Header{"Traceparent": {traceparent}, "Tracestate": test.lines})
			if traceID, _, _ := traceresponse(t, res); traceID != callersTrace {
				t.Errorf("trace %s: tracestate broke it", traceID)
			}
			if got := strings.Join(sent["Tracestate"], "|"); got != test.want {
				t.Errorf("%q goes on, want %q", got, test.want)
			}
		})
	}
	t.Run("without a traceparent", func(t *testing.T) {
		tel, _ := setup(t, nil, telemetry.Options{})
		if _, sent := relay(t, tel, http.Header{"Tracestate": {"foo=1"}}); sent["Tracestate"] != nil {
			t.Errorf("%q goes on", sent["Tracestate"])
		}
	})
}

// TestPropagators: OTEL_PROPAGATORS, in and out.
func TestPropagators(t *testing.T) {
	const id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	w3c := http.Header{"Traceparent": {"00-" + id + "-" + parent + "-01"}, "Baggage": {"user=alice"}}
	b3 := http.Header{"B3": {id + "-" + parent + "-1"}}
	b3multi := http.Header{"X-B3-Traceid": {id}, "X-B3-Spanid": {parent}, "X-B3-Sampled": {"1"}}
	for _, test := range []struct {
		value     string
		in        http.Header
		continued bool
		out       []string
		warns     string
	}{
		{"", w3c, true, []string{"Traceparent", "Baggage"}, ""},
		{"tracecontext,baggage", w3c, true, []string{"Traceparent", "Baggage"}, ""},
		{"tracecontext", w3c, true, []string{"Traceparent"}, ""},
		{"baggage", w3c, false, []string{"Baggage"}, ""},
		{"none", w3c, false, nil, ""},
		{"b3", w3c, false, []string{"B3"}, ""},
		{"b3", b3, true, []string{"B3"}, ""},
		{"b3multi", b3multi, true, []string{"X-B3-Traceid", "X-B3-Spanid", "X-B3-Sampled"}, ""},
		{"b3,tracecontext", b3, true, []string{"B3", "Traceparent"}, ""},
		{"pigeon", w3c, true, []string{"Traceparent", "Baggage"}, "pigeon"},
		{"tracecontext,pigeon", w3c, true, []string{"Traceparent"}, "pigeon"},
	} {
		t.Run(test.value, func(t *testing.T) {
			tel, logs := setup(t, map[string]string{"OTEL_PROPAGATORS": test.value}, telemetry.Options{})
			res, out := relay(t, tel, test.in)
			traceID, _, _ := traceresponse(t, res)
			if continued := traceID == id; continued != test.continued {
				t.Errorf("trace %s, continued is %t, want %t", traceID, continued, test.continued)
			}
			for _, name := range []string{"Traceparent", "Baggage", "B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Sampled"} {
				want := false
				for _, expected := range test.out {
					want = want || expected == name
				}
				if got := out.Get(name); (got != "") != want {
					t.Errorf("sent %s: %q, want one: %t", name, got, want)
				}
			}
			warning := ""
			for _, line := range logs.Records(t, "opentelemetry") {
				warning += fmt.Sprint(line["error"])
			}
			if test.warns == "" && warning != "" || !strings.Contains(warning, test.warns) {
				t.Errorf("the log warns %q, want of %q", warning, test.warns)
			}
		})
	}
}
