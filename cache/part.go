package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// byteRange is a request's for one range of bytes (RFC 9110, section 14.1.2).
type byteRange struct {
	first, last int64 // last is -1: to the end; first is -1: the last so many
	text        string
}

// ranged tells whether q asks for one range, and has it be asked for as such.
func (q *question) ranged(yes bool) bool {
	lines := q.r.Header["Range"]
	if !yes || len(lines) != 1 || q.r.Method != http.MethodGet {
		return false
	}
	for _, name := range conditions {
		if q.r.Header[name] != nil {
			return false // it depends on the whole
		}
	}
	b, ok := byteRangeIn(lines[0])
	if ok {
		q.part = &b
	}
	return ok
}

func byteRangeIn(text string) (byteRange, bool) {
	unit, spec, _ := strings.Cut(text, "=")
	first, last, found := strings.Cut(strings.TrimSpace(spec), "-")
	if !strings.EqualFold(unit, "bytes") || !found {
		return byteRange{}, false
	}
	b := byteRange{text: text}
	var ok, is bool
	b.first, ok = position(first)
	b.last, is = position(last)
	return b, (ok || first == "" && is) && (is || last == "") && (b.first < 0 || b.last < 0 || b.first <= b.last)
}

// position is a number of bytes, or -1.
func position(digits string) (int64, bool) {
	if !isDigits(digits) {
		return -1, false
	}
	n, err := strconv.ParseInt(digits, 10, 62)
	if err != nil {
		return -1, false
	}
	return n, true
}

// whole tells whether the near tier has all of what q asks a part of.
func (h *Handler) whole(q *question) bool {
	all := *q
	all.part = nil
	e := h.look(&all, time.Now())
	if e == nil || all.suits(e, time.Now()) == "" {
		return false
	}
	*q = all
	return true
}

// partOf is where the body of a 206 begins in the whole, and how long that is (RFC 9110, section 14.4).
func (p *response) partOf() (first, total int64, ok bool) {
	lines := p.header("Content-Range")
	if len(lines) != 1 {
		return 0, 0, false
	}
	spec, isBytes := strings.CutPrefix(lines[0], "bytes ")
	spec, size, sized := strings.Cut(spec, "/")
	from, to, found := strings.Cut(spec, "-")
	first, ok = position(from)
	_, ends := position(to)
	if !isBytes || !sized || !found || !ok || !ends {
		return 0, 0, false
	}
	total, _ = position(size) // -1: it does not say
	return first, total, true
}

// held is what of b the response has: from and to are places in its body. A server may answer a range that is open to its
// end with less of it (RFC 9110, section 15.3.7).
func (p *response) held(b byteRange) (from, to int64, ok bool) {
	first, total, ok := p.partOf()
	end := first + int64(len(p.body))
	switch {
	case !ok || b.first < 0 && (total < 0 || end != total):
		return 0, 0, false
	case b.first < 0:
		from, to = max(total-b.last, 0)-first, end-first
	case b.last < 0:
		from, to = b.first-first, end-first
	default:
		from, to = b.first-first, b.last+1-first
	}
	return from, to, from >= 0 && from < to && to <= end-first
}

// contains tells whether p answers a request for b: as it did the same request, or from what it has.
func (p *response) contains(b byteRange) bool {
	if p.status != http.StatusPartialContent {
		return p.status == http.StatusOK
	}
	_, _, ok := p.held(b)
	return ok || p.answers(b)
}

// answers tells whether p is what the origin answered to the same request.
func (p *response) answers(b byteRange) bool {
	asked := p.header(askedRange)
	return len(asked) == 1 && asked[0] == b.text
}

// askedRange is a field of kept parts that nobody is sent: the Range of the request that brought it.
const askedRange = "\x00Range"

// writePart writes what r asks for of a part.
func (p *response) writePart(w http.ResponseWriter, r *http.Request) (status int, n int64) {
	h, body := w.Header(), p.body
	delete(h, askedRange)
	if lines := r.Header["Range"]; len(lines) == 1 {
		b, ok := byteRangeIn(lines[0])
		if from, to, held := p.held(b); ok && held && !p.answers(b) {
			first, total, _ := p.partOf()
			size := "*"
			if total >= 0 {
				size = strconv.FormatInt(total, 10)
			}
			body = body[from:to]
			h.Set("Content-Range", "bytes "+strconv.FormatInt(first+from, 10)+"-"+strconv.FormatInt(first+to-1, 10)+"/"+size)
			h.Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	w.WriteHeader(p.status)
	written, _ := w.Write(body)
	return p.status, int64(written)
}
