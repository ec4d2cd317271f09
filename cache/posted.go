package cache

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"
)

// posted is the answer to a POST that later GETs may be given (RFC 9110, section 9.3.3). A nil one is none.
type posted struct {
	load
	src    source
	status int
	h      http.Header
	body   bytes.Buffer
}

// posted returns what is to be kept of the answer to r, a POST, if that says for how long it is fresh, and that it is what its URL
// now stands for.
func (h *Handler) posted(r *http.Request, said *wishes, status int, header http.Header) *posted {
	c := h.cache
	at := header.Get("Content-Location")
	if status != http.StatusOK || at == "" || c.queryOf(r.URL) != r.URL.RawQuery {
		return nil
	}
	if u, err := r.URL.Parse(at); err != nil || u.Host != "" && u.Host != r.Host || u.RequestURI() != r.URL.RequestURI() {
		return nil
	}
	k, now := c.responseKey(r), time.Now()
	p := &posted{status: status, h: header, load: load{Cache: c, q: question{r: r, primary: k, key: k}, r: r, said: said, asked: now}}
	if u := p.rule(p.exchange(status, header)); !u.said || u.detail != "" || lengthOf(header) > c.opts.Limits.Body {
		return nil
	}
	p.src = source{schema: responseSchema, alone: true}
	p.f, _ = c.flights.join(r.Context(), k, p.src, nil) // it hears of purges from now on
	p.f.trust, p.f.mark = c.near.trust(), c.account.mark()
	return p
}

// added is what a handler has set of h, where around was there before.
func added(h, around http.Header) http.Header {
	own := make(http.Header, len(h))
	for name, values := range h {
		before := around[name]
		switch {
		case len(values) >= len(before) && slices.Equal(values[:len(before)], before):
			if len(values) > len(before) {
				own[name] = slices.Clone(values[len(before):])
			}
		default:
			own[name] = slices.Clone(values)
		}
	}
	return own
}

// Write never fails: what is too long is not kept.
func (p *posted) Write(b []byte) (int, error) {
	if int64(p.body.Len()) <= p.opts.Limits.Body {
		p.body.Write(b)
	}
	return len(b), nil
}

func (p *posted) write(b []byte) {
	if p != nil {
		_, _ = p.Write(b)
	}
}

func (p *posted) leave() {
	if p != nil {
		p.flights.leave(p.q.key, p.f)
	}
}

// keep keeps what was copied.
func (p *posted) keep() {
	if p == nil || int64(p.body.Len()) > p.opts.Limits.Body {
		return
	}
	l := p.brought(p.status, p.h, p.body.Bytes(), false)
	p.settle(context.WithoutCancel(p.q.r.Context()), p.f, p.q.key, p.src, l, nil, p.far != nil)
}
