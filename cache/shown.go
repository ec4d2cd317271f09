package cache

import (
	"net/http"
	"slices"
	"strings"
)

// shown is r as the origin may see it: of host and URL only what is part of the key.
func (c *Cache) shown(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.Host = strings.ToLower(r.Host)
	r.URL.Scheme, r.URL.User, r.URL.Host, r.URL.ForceQuery = "", nil, "", false
	r.URL.RawQuery = c.queryOf(r.URL)
	if r.URL.RawPath != "" {
		r.URL.RawPath = pathOf(r.URL)
	}
	r.RequestURI = r.URL.RequestURI() // it has the whole query
	if !c.opts.HTTP.Heed {
		delete(r.Header, "Cache-Control") // another cache behind the handler might heed it
		delete(r.Header, "Pragma")
	}
	if slices.Contains(c.opts.HTTP.Targeted, surrogateControl) {
		r.Header.Add("Surrogate-Capability", strings.ToLower(c.opts.Name)+`="Surrogate/1.0"`)
	}
	return r
}

// conditions are the fields that make a request a conditional one (RFC 9110, section 13.1).
var conditions = []string{"If-None-Match", "If-Modified-Since", "If-Range", "If-Match", "If-Unmodified-Since"}

// originRequest is what the origin is asked to fill the cache: all of the response, whatever condition this client sent,
// or a part.
func (c *Cache) originRequest(r *http.Request, part bool) *http.Request {
	r = c.shown(r)
	r.Method = http.MethodGet
	r.Body = http.NoBody
	for _, name := range conditions {
		delete(r.Header, name)
	}
	if !part {
		delete(r.Header, "Range")
	}
	return r
}
