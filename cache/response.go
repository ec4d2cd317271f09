package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// response is what a handler answered, ready to be written again. All but recent is immutable.
type response struct {
	status int
	traits
	fields []field // sorted by name
	body   []byte
	coded  *coded // the body in other codings; nil: in none

	recent atomic.Pointer[nearAnswer]
}

// field is a header field with its values, which all answers share: they have no spare capacity, so that
// an Add copies.
type field struct {
	name   string
	values []string
}

// responseSchema is that of the payloads of responses and guides.
const responseSchema = 2

func (e *entry) asResponse() *response { p, _ := e.value.(*response); return p }

// newResponse takes over h and body. Where a body may be and h says no length, it adds one.
func newResponse(status int, t traits, h http.Header, body []byte) *response {
	p := &response{status: status, traits: t, fields: make([]field, 0, len(h)+1), body: body}
	for name, values := range h {
		p.fields = append(p.fields, field{name, slices.Clip(values)})
	}
	if h["Content-Length"] == nil && bodyAllowed(status) {
		p.fields = append(p.fields, field{"Content-Length", []string{strconv.Itoa(len(body))}})
	}
	slices.SortFunc(p.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return p
}

// header are the lines of a field, or nil.
func (p *response) header(name string) []string {
	if i, ok := slices.BinarySearchFunc(p.fields, name, func(f field, name string) int { return strings.Compare(f.name, name) }); ok {
		return p.fields[i].values
	}
	return nil
}

// conditional tells whether a request with this header may be answered with less than the whole. If-Match and
// If-Unmodified-Since are for origins (RFC 9111, section 4.3.2).
func conditional(h http.Header) bool {
	return h["If-None-Match"] != nil || h["If-Modified-Since"] != nil || h["Range"] != nil
}

// write answers r with the response, or with less where r asks for that (RFC 9110, sections 13 and 14). It returns the
// status and how many bytes of the body w took.
func (p *response) write(w http.ResponseWriter, r *http.Request) (status int, n int64) {
	h := w.Header()
	for _, f := range p.fields {
		put(h, f.name, f.values)
	}
	body := p.body
	if p.coded != nil {
		put(h, "Vary", byEncoding)
		if d := p.codedFor(r); d != nil {
			d.describe(h)
			body = d.body
		}
	}
	switch {
	case p.status == http.StatusOK && conditional(r.Header):
		return p.writeSome(w, r, body)
	case p.status == http.StatusPartialContent:
		return p.writePart(w, r)
	}
	w.WriteHeader(p.status)
	if r.Method == http.MethodHead || !bodyAllowed(p.status) {
		return p.status, 0
	}
	written, _ := w.Write(body) // a client that is gone: the server notices
	return p.status, int64(written)
}

// asksForPart tells whether r has a Range that counts: of a GET, and of a known unit (RFC 9110, section 14.2).
func asksForPart(r *http.Request) bool {
	if r.Header["Range"] == nil || r.Method == http.MethodHead {
		return false
	}
	unit, _, _ := strings.Cut(r.Header.Get("Range"), "=")
	return strings.EqualFold(unit, "bytes")
}

// writeSome leaves it to net/http what of body a conditional request or one for a range gets.
func (p *response) writeSome(w http.ResponseWriter, r *http.Request, body []byte) (status int, n int64) {
	whole := !asksForPart(r)
	if r.Header["If-Match"] != nil || r.Header["If-Unmodified-Since"] != nil || whole {
		r = r.Clone(r.Context())
		delete(r.Header, "If-Match")
		delete(r.Header, "If-Unmodified-Since")
		if whole {
			delete(r.Header, "Range")
		}
	}
	modified, err := http.ParseTime(w.Header().Get("Last-Modified"))
	if err != nil {
		modified = time.Time{}
	}
	counted := &counter{ResponseWriter: w, status: p.status}
	http.ServeContent(counted, r, "", modified, bytes.NewReader(body))
	return counted.status, counted.n
}

// counter counts what is written of a kept body.
type counter struct {
	http.ResponseWriter
	status int
	n      int64
}

func (c *counter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n += int64(n)
	return n, err
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// whole tells whether the body is as long as the response says.
func (p *response) whole() bool {
	length := p.header("Content-Length")
	return !bodyAllowed(p.status) || len(length) == 1 && length[0] == strconv.Itoa(len(p.body))
}

// freshened is the header of p as a 304 updates it (RFC 9111, section 3.2): what describes the body stays. So does the
// ETag: the origin was asked about one, and can have spoken of no other.
func (p *response) freshened(h http.Header) http.Header {
	now := make(http.Header, len(p.fields)+len(h))
	for _, f := range p.fields {
		now[f.name] = f.values
	}
	delete(now, "Date") // that of the 304 counts, or when it came
	for name, values := range h {
		switch name {
		case "Content-Encoding", "Content-Length", "Content-Md5", "Content-Range", "Etag":
		default:
			now[name] = values
		}
	}
	return now
}

// size is what the response weighs in the near tier, in bytes.
func (p *response) size() int {
	n := len(p.body)
	for _, f := range p.fields {
		n += len(f.name) + 64
		for _, v := range f.values {
			n += len(v) + 16
		}
	}
	for d := p.coded; d != nil; d = d.next {
		n += d.size()
	}
	return n
}

// marshal writes the response as: status, traits, number of fields, each field's name and number of values and
// values, body, each coding's name and the body in it, and the empty name.
func (p *response) marshal() []byte {
	b := binary.AppendUvarint(make([]byte, 0, p.size()+16), uint64(p.status))
	b = append(b, byte(p.traits))
	b = binary.AppendUvarint(b, uint64(len(p.fields)))
	for _, f := range p.fields {
		b = appendString(b, f.name)
		b = binary.AppendUvarint(b, uint64(len(f.values)))
		for _, v := range f.values {
			b = appendString(b, v)
		}
	}
	b = appendString(b, p.body)
	for d := p.coded; d != nil; d = d.next {
		b = appendString(appendString(b, d.name), d.body)
	}
	return appendString(b, "")
}

var errResponse = errors.New("neither a response nor a guide")

// decodeResponse reads what marshal of a response or of a guide has written.
func decodeResponse(b []byte) (any, error) {
	if len(b) > 0 && b[0] == 0 {
		return unmarshalGuide(b)
	}
	return unmarshalResponse(b)
}

func unmarshalResponse(b []byte) (*response, error) {
	r := reader{b: b}
	p := &response{status: int(r.uvarint()), traits: traits(r.byte())}
	n := r.uvarint()
	const usual = 16
	p.fields = make([]field, 0, min(n, usual))
	values := make([]string, 0, min(n, usual)) // of all fields: most have one
	for last := ""; n > 0; n-- {
		name, first := r.text(), len(values)
		for range r.uvarint() {
			values = append(values, r.text())
			if r.bad {
				return nil, errResponse
			}
		}
		if r.bad || name <= last {
			return nil, errResponse // it would not be found
		}
		p.fields = append(p.fields, field{name, values[first:len(values):len(values)]})
		last = name
	}
	p.body = r.bytes()
	for last := &p.coded; ; last = &(*last).next {
		name := r.text()
		if name == "" {
			break
		}
		c := codingOf(name)
		if c == nil || p.status != http.StatusOK {
			return nil, errResponse
		}
		*last = newCoded(c, r.bytes(), p.header("Etag"))
	}
	if r.bad || len(r.b) != 0 || p.status < 100 || p.status > 999 {
		return nil, errResponse
	}
	return p, nil
}
