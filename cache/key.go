package cache

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// responseKey is the key of the response to r: host, path and query. GET and HEAD share it.
func (c *Cache) responseKey(r *http.Request) entryKey {
	return c.keyOf(r.Host, r.URL)
}

func (c *Cache) keyOf(host string, u *url.URL) entryKey {
	k := entryKey{kind: kindResponse, host: strings.ToLower(host), name: pathOf(u)}
	if query := c.queryOf(u); query != "" {
		k.name += "?" + query
	}
	return k
}

// queryOf is the query that counts, sorted by name.
func (c *Cache) queryOf(u *url.URL) string {
	if u.RawQuery == "" || c.opts.HTTP.Query != nil && len(c.opts.HTTP.Query) == 0 {
		return ""
	}
	query, err := url.ParseQuery(u.RawQuery)
	if c.opts.HTTP.Query != nil {
		for name := range query {
			if !slices.Contains(c.opts.HTTP.Query, name) {
				delete(query, name)
			}
		}
	} else if err != nil {
		return u.RawQuery // two queries that do not parse must not become one
	}
	return query.Encode()
}

// pathOf is the path in one spelling: unreserved characters are not escaped, and others with capital
// digits (RFC 3986, section 6.2.2). An escaped slash stays one, and an empty path is "/" (section 6.2.3).
func pathOf(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	if u.RawPath == "" {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		escaped := path[i : i+3]
		i += 2
		plain, err := url.PathUnescape(escaped)
		if err == nil && unreserved(plain[0]) {
			b.WriteString(plain)
		} else {
			b.WriteString(strings.ToUpper(escaped))
		}
	}
	return b.String()
}

// unreserved are letters, digits and four marks (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
