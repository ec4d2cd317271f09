package cache

import (
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// response is what a handler answered, ready to be written again. It is immutable.
type response struct {
	status int
	header http.Header
	body   []byte
}

// additive are the fields to which whoever stands around the origin may have added. Others the origin
// replaces, as it would have without a cache.
var additive = map[string]bool{"Cache-Status": true, "Link": true, "Set-Cookie": true, "Vary": true}

// write answers w with the response.
func (p *response) write(w http.ResponseWriter, method string) {
	h := w.Header()
	for name, values := range p.header {
		// The slices are shared by all answers; they have no spare capacity, so that an Add copies.
		if own := h[name]; len(own) > 0 && additive[name] {
			values = append(slices.Clone(own), values...)
		}
		h[name] = values
	}
	if h["Content-Length"] == nil && bodyAllowed(p.status) {
		h["Content-Length"] = []string{strconv.Itoa(len(p.body))}
	}
	w.WriteHeader(p.status)
	if method != http.MethodHead && bodyAllowed(p.status) {
		_, _ = w.Write(p.body) // a client that is gone: the server notices
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// whole tells whether the body is as long as the response says.
func (p *response) whole() bool {
	said := p.header["Content-Length"]
	return len(said) == 0 || len(said) == 1 && said[0] == strconv.Itoa(len(p.body)) || !bodyAllowed(p.status)
}

// size is what the response weighs in the near tier, in bytes.
func (p *response) size() int {
	n := len(p.body)
	for name, values := range p.header {
		n += len(name) + 64
		for _, v := range values {
			n += len(v) + 16
		}
	}
	return n
}

// setAge says how old the value is (RFC 9111, section 5.1).
func setAge(h http.Header, created time.Time) {
	h["Age"] = []string{strconv.FormatInt(int64(max(time.Since(created), 0)/time.Second), 10)}
}

// marshal writes the response as: status, number of fields, each field's name and number of values and
// values, body; numbers are uvarints, and strings follow their length.
func (p *response) marshal() []byte {
	b := binary.AppendUvarint(make([]byte, 0, p.size()+16), uint64(p.status))
	b = binary.AppendUvarint(b, uint64(len(p.header)))
	for name, values := range p.header {
		b = appendString(b, name)
		b = binary.AppendUvarint(b, uint64(len(values)))
		for _, v := range values {
			b = appendString(b, v)
		}
	}
	return appendString(b, string(p.body))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errResponse = errors.New("not a response")

func unmarshalResponse(b []byte) (*response, error) {
	r := reader{b: b}
	p := &response{status: int(r.uvarint()), header: make(http.Header)}
	for range r.uvarint() {
		name := string(r.bytes())
		var values []string
		for range r.uvarint() {
			values = append(values, string(r.bytes()))
			if r.bad {
				return nil, errResponse
			}
		}
		p.header[name] = slices.Clip(values)
		if r.bad {
			return nil, errResponse
		}
	}
	p.body = r.bytes()
	if r.bad || len(r.b) != 0 || p.status < 100 || p.status > 999 {
		return nil, errResponse
	}
	return p, nil
}

// reader takes apart what marshal wrote. After bad, all it returns is empty.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
