package cache

import (
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// coded is a response's body in a coding, and what of its header is another than that of the body as it came.
type coded struct {
	*coding
	body   []byte
	length []string // Content-Length
	etag   []string // nil: it has none, or the same
	next   *coded   // in another one, which is preferred less; nil: there is none
}

// newCoded returns body in c, of a response with this ETag.
func newCoded(c *coding, body []byte, etag []string) *coded {
	d := &coded{coding: c, body: body, length: []string{strconv.Itoa(len(body))}}
	if len(etag) == 1 && !strings.HasPrefix(etag[0], "W/") {
		// A strong one must tell codings apart (RFC 9110, section 8.8.3.3).
		d.etag = []string{strings.TrimSuffix(etag[0], `"`) + "-" + c.name + `"`}
	}
	return d
}

// isETag tells whether an ETag is one (RFC 9110, section 8.8.3), as far as a suffix depends on it.
func isETag(s string) bool {
	s = strings.TrimPrefix(s, "W/")
	return len(s) >= 2 && s[0] == '"' && strings.IndexByte(s[1:], '"') == len(s)-2
}

// describe has h speak of the body in its coding.
func (d *coded) describe(h http.Header) {
	h["Content-Encoding"], h["Content-Length"] = d.line, d.length
	if d.etag != nil {
		h["Etag"] = d.etag
	}
}

// size is what it weighs, in bytes.
func (d *coded) size() int {
	const overhead = 144 // itself, two fields, and the digits of a length
	n := len(d.body) + overhead
	for _, v := range d.etag {
		n += len(v)
	}
	return n
}

// byEncoding is what Vary says, on whatever of them is sent, of a response that has its body in several codings.
var byEncoding = []string{"Accept-Encoding"}

// codedFor is the body in the coding that r prefers, the earlier one of equals, or nil for the body as it came: that is what
// those get who name no coding, or want a part. What a part of one in a coding is worth, clients do not agree on.
func (p *response) codedFor(r *http.Request) (best *coded) {
	lines := r.Header["Accept-Encoding"]
	if len(lines) == 0 || asksForPart(r) {
		return nil
	}
	a, most := acceptedBy(lines), 0.
	for d := p.coded; d != nil; d = d.next {
		if w := a.weights[d.place]; w > most && w >= a.identity {
			best, most = d, w
		}
	}
	return best
}

// accepted says how welcome codings are to a client, from 0, not at all, to 1 (RFC 9110, section 12.5.3). The body as it
// came is what remains, welcome or not.
type accepted struct {
	line     string
	weights  [len(codings)]float64
	identity float64
}

// acceptedIn reads the lines of Accept-Encoding.
func acceptedIn(lines []string) *accepted {
	said := make(map[string]float64)
	for _, p := range preferencesIn(lines) {
		name := strings.TrimPrefix(p.what, "x-") // section 8.4.1.3: x-gzip
		if _, again := said[name]; !again {
			said[name] = p.weight
		}
	}
	weight := func(name string) float64 {
		if w, ok := said[name]; ok {
			return w
		}
		return said["*"]
	}
	a := &accepted{identity: weight("identity")}
	for _, c := range codings {
		a.weights[c.place] = weight(c.name)
	}
	return a
}

// spellings are the last few Accept-Encoding fields that were read, each in the place of its hash: nearly all requests have
// one of a handful, and reading it costs as much as the rest of finding the answer. What a client makes up takes one place.
var (
	spellings    [64]atomic.Pointer[accepted]
	spellingSeed = maphash.MakeSeed()
)

// longestSpelling is of how many bytes one is remembered at most.
const longestSpelling = 128

// acceptedBy is acceptedIn, from memory if that has it.
func acceptedBy(lines []string) *accepted {
	if len(lines) != 1 || len(lines[0]) > longestSpelling {
		return acceptedIn(lines)
	}
	known := &spellings[maphash.String(spellingSeed, lines[0])%uint64(len(spellings))]
	if a := known.Load(); a != nil && a.line == lines[0] {
		return a
	}
	a := acceptedIn(lines)
	a.line = strings.Clone(lines[0])
	known.Store(a)
	return a
}
