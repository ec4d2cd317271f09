package cache

import (
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// response is what a handler answered, ready to be written again. All but recent is immutable.
type response struct {
	status int
	fields []field // sorted by name
	body   []byte

	recent atomic.Pointer[nearAnswer]
}

// field is a header field with its values, which all answers share: they have no spare capacity, so that
// an Add copies.
type field struct {
	name   string
	values []string
}

// newResponse takes over h and body. Where a body may be and h says no length, it adds one.
func newResponse(status int, h http.Header, body []byte) *response {
	p := &response{status: status, fields: make([]field, 0, len(h)+1), body: body}
	for name, values := range h {
		p.fields = append(p.fields, field{name, slices.Clip(values)})
	}
	if h["Content-Length"] == nil && bodyAllowed(status) {
		p.fields = append(p.fields, field{"Content-Length", []string{strconv.Itoa(len(body))}})
	}
	slices.SortFunc(p.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return p
}

// additive are the fields to which whoever stands around the origin may have added. Others the origin
// replaces, as it would have without a cache.
func additive(name string) bool {
	switch name {
	case "Cache-Status", "Link", "Set-Cookie", "Vary":
		return true
	}
	return false
}

// write answers w with the response, and returns how many bytes of the body w took.
func (p *response) write(w http.ResponseWriter, method string) int64 {
	h := w.Header()
	for _, f := range p.fields {
		values := f.values
		if additive(f.name) && len(h[f.name]) > 0 {
			values = append(slices.Clone(h[f.name]), values...)
		}
		h[f.name] = values
	}
	w.WriteHeader(p.status)
	if method == http.MethodHead || !bodyAllowed(p.status) {
		return 0
	}
	n, _ := w.Write(p.body) // a client that is gone: the server notices
	return int64(n)
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// whole tells whether the body is as long as the response says.
func (p *response) whole() bool {
	for _, f := range p.fields {
		if f.name == "Content-Length" && bodyAllowed(p.status) {
			return len(f.values) == 1 && f.values[0] == strconv.Itoa(len(p.body))
		}
	}
	return true
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
	return n
}

// marshal writes the response as: status, number of fields, each field's name and number of values and
// values, body.
func (p *response) marshal() []byte {
	b := binary.AppendUvarint(make([]byte, 0, p.size()+16), uint64(p.status))
	b = binary.AppendUvarint(b, uint64(len(p.fields)))
	for _, f := range p.fields {
		b = appendString(b, f.name)
		b = binary.AppendUvarint(b, uint64(len(f.values)))
		for _, v := range f.values {
			b = appendString(b, v)
		}
	}
	return appendString(b, p.body)
}

var errResponse = errors.New("not a response")

func unmarshalResponse(b []byte) (*response, error) {
	r := reader{b: b}
	status, header := int(r.uvarint()), make(http.Header)
	for range r.uvarint() {
		name := string(r.bytes())
		var values []string
		for range r.uvarint() {
			values = append(values, string(r.bytes()))
			if r.bad {
				return nil, errResponse
			}
		}
		header[name] = values
		if r.bad {
			return nil, errResponse
		}
	}
	body := r.bytes()
	if r.bad || len(r.b) != 0 || status < 100 || status > 999 {
		return nil, errResponse
	}
	return newResponse(status, header, body), nil
}
