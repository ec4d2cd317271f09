package cache

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// codedResponse is one that has its body in all codings.
func codedResponse() *response {
	p := newResponse(http.StatusOK, forAll, http.Header{"Content-Type": {"text/plain"}, "Etag": {`"v"`}}, bytes.Repeat([]byte("body"), 300))
	p.coded = p.compressed([]string{"zstd", "gzip"})
	return p
}

// TestCodedPayload: codings are read as they were written; one that nobody knows, or where none may be, is a miss.
func TestCodedPayload(t *testing.T) {
	p := codedResponse()
	if p.coded == nil || p.coded.name != "zstd" || p.coded.next == nil || p.coded.next.name != "gzip" || p.coded.next.next != nil {
		t.Fatalf("%+v", p.coded)
	}
	payload := p.marshal()
	if again, err := unmarshalResponse(payload); err != nil || !reflect.DeepEqual(p, again) {
		t.Errorf("%+v became %+v, %v", p, again, err)
	}
	for n := range payload {
		if again, err := unmarshalResponse(payload[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are %+v", n, len(payload), again)
		}
	}
	for desc, b := range map[string][]byte{
		"an unknown coding":                    bytes.Replace(payload, []byte("\x04zstd"), []byte("\x04zstx"), 1),
		"an end too early":                     bytes.Replace(payload, []byte("\x04zstd"), []byte("\x00\x04zstd"), 1),
		"a coding of another status":           append([]byte{0xcb, 1}, payload[2:]...), // 203
		"something behind":                     append(bytes.Clone(payload), 0),
		"the codings of before there were any": bytes.TrimSuffix(newResponse(200, 0, http.Header{}, []byte("body")).marshal(), []byte{0}),
	} {
		if again, err := decodeResponse(b); err == nil {
			t.Errorf("%s: %+v", desc, again)
		}
	}
}

// FuzzAcceptEncoding: nobody gets a coding that was not named, and what is remembered of a field is what it says.
func FuzzAcceptEncoding(f *testing.F) {
	for _, line := range []string{"", "gzip", "gzip, deflate, br, zstd", "gzip;q=0, *;q=0.5", "identity;q=0", "*", "x-gzip", "gzip;q=x", `"gzip"`, "gzip;,;=", strings.Repeat("a,", 200) + "zstd"} {
		f.Add(line, "")
		f.Add("zstd;q=0.5", line)
	}
	p := codedResponse()
	f.Fuzz(func(t *testing.T, one, other string) {
		r := httptest.NewRequest("GET", "/", nil)
		for _, lines := range [][]string{{one}, {other}, {one, other}} {
			r.Header["Accept-Encoding"] = lines
			said := strings.ToLower(strings.Join(lines, ","))
			first := p.codedFor(r)
			if first != nil && !strings.Contains(said, first.name) && !strings.Contains(said, "*") {
				t.Errorf("%q gets %s", lines, first.name)
			}
			read, remembered := acceptedIn(lines), *acceptedBy(lines)
			remembered.line = ""
			if *read != remembered || p.codedFor(r) != first {
				t.Errorf("%q is %+v, and from memory %+v", lines, *read, remembered)
			}
			r.Header["Accept-Encoding"] = append(lines[:len(lines):len(lines)], "zstd;q=1, gzip;q=1")
			if d := p.codedFor(r); d != p.coded {
				t.Errorf("%q gets %v", r.Header, d)
			}
		}
	})
}

// BenchmarkAcceptEncoding is what remembering a field saves.
func BenchmarkAcceptEncoding(b *testing.B) {
	lines := []string{"gzip, deflate, br, zstd"}
	for name, read := range map[string]func([]string) *accepted{"read": acceptedIn, "remembered": acceptedBy} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read(lines)
			}
		})
	}
}
