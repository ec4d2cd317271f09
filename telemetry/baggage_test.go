package telemetry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"vitrine/telemetry"
)

// TestBaggage holds what goes on to https://www.w3.org/TR/baggage/. Members have no order, and of two with
// the same key the last counts: the specification leaves that open, OpenTelemetry's does not.
func TestBaggage(t *testing.T) {
	members := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("k%d=%d", i, i)
		}
		return strings.Join(list, ",")
	}
	long := func(n int) string { return "k=" + strings.Repeat("v", n-2) }
	for _, test := range []struct {
		desc  string
		lines []string
		want  map[string]string
	}{
		{"none", nil, nil},
		{"empty", []string{""}, nil},
		{"one", []string{"user=alice"}, map[string]string{"user": "alice"}},
		{"some", []string{"user=alice,node=DF%2028,production=false"}, map[string]string{"user": "alice", "node": "DF 28", "production": "false"}},
		{"lines", []string{"user=alice", "node=DF%2028,production=false"}, map[string]string{"user": "alice", "node": "DF 28", "production": "false"}},
		{"whitespace", []string{"user =   alice", "node = DF%2028, production\t=\tfalse"}, map[string]string{"user": "alice", "node": "DF 28", "production": "false"}},
		{"equals signs in a value", []string{"a=b=c=="}, map[string]string{"a": "b=c=="}},
		{"an empty value", []string{"a="}, map[string]string{"a": ""}},
		{"UTF-8", []string{"a=Am%C3%A9lie"}, map[string]string{"a": "Amélie"}},
		{"an encoded percent sign", []string{"a=100%25"}, map[string]string{"a": "100%"}},
		{"a plus is a plus", []string{"a=1+1"}, map[string]string{"a": "1+1"}},
		{"properties", []string{"a=b;p1;p2=v2"}, map[string]string{"a": "b;p1;p2=v2"}},
		{"a key twice", []string{"a=1,a=2"}, map[string]string{"a": "2"}},
		{"a member that is wrong costs no other", []string{"a=1,rubbish,b=2"}, map[string]string{"a": "1", "b": "2"}},
		{"a key that is wrong", []string{"(a)=1,b=2"}, map[string]string{"b": "2"}},
		{"no key", []string{"=1,b=2"}, map[string]string{"b": "2"}},
		{"a value that is wrong", []string{`a="1",b=2`}, map[string]string{"b": "2"}},
		{"a percent sign alone", []string{"a=100%,b=2"}, map[string]string{"b": "2"}},
		{"a line that is wrong costs no other", []string{"rubbish", "b=2"}, map[string]string{"b": "2"}},
		{"all wrong", []string{"rubbish"}, nil},
		{"too long by far", []string{long(9000)}, nil},
		{"lines that together are too long", []string{long(5000), "b=" + strings.Repeat("v", 5000)}, nil},
	} {
		t.Run(test.desc, func(t *testing.T) {
			got := carried(t, test.lines)
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("%.300v goes on, want %.300v", got, test.want)
			}
		})
	}
	// The least that has to be carried. What is beyond may be dropped, and is: in any case not the trace.
	t.Run("64 members", func(t *testing.T) {
		if n := len(carried(t, []string{members(64)})); n != 64 {
			t.Errorf("%d members go on, want 64", n)
		}
	})
	t.Run("64 members on two lines", func(t *testing.T) {
		if n := len(carried(t, []string{members(40), strings.ReplaceAll(members(24), "k", "l")})); n != 64 {
			t.Errorf("%d members go on, want 64", n)
		}
	})
	t.Run("200 members", func(t *testing.T) {
		if n := len(carried(t, []string{members(200)})); n < 64 || n > 200 {
			t.Errorf("%d members go on, want at least 64", n)
		}
	})
	t.Run("8192 bytes", func(t *testing.T) {
		if n := len(carried(t, []string{long(8192)})["k"]); n != 8190 {
			t.Errorf("%d bytes of the value go on, want 8190", n)
		}
	})
}

// carried is the baggage that goes on when lines come in, beside a trace that must not suffer.
func carried(t *testing.T, lines []string) map[string]string {
	t.Helper()
	tel, _ := setup(t, nil, telemetry.Options{})
	res, sent := relay(t, tel, http.Header{"Traceparent": {traceparent}, "Baggage": lines})
	if traceID, _, _ := traceresponse(t, res); traceID != callersTrace {
		t.Errorf("trace %s: baggage broke it", traceID)
	}
	if len(sent["Baggage"]) == 0 {
		return nil
	}
	b, err := baggage.Parse(sent.Get("Baggage"))
	if err != nil {
		t.Errorf("%.300q goes on: %v", sent["Baggage"], err)
	}
	all := map[string]string{}
	for _, m := range b.Members() {
		all[m.Key()] = m.Value()
		for _, p := range m.Properties() {
			all[m.Key()] += ";" + p.String()
		}
	}
	return all
}
