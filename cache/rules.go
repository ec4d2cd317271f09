package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The rules that keep a request from the cache: Result.Detail of a Bypass.
const (
	ruleMethod        = "method"
	ruleAuthorization = "authorization"
	ruleUpgrade       = "upgrade"
	ruleBody          = "body"
	ruleNoStore       = "no-store"
)

// bypassed tells which rule keeps a request from the cache, or "". Where a rule is not settled here, the
// request goes past the cache rather than into it.
func bypassed(r *http.Request) string {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return ruleMethod
	case r.Header["Authorization"] != nil:
		return ruleAuthorization
	case r.Header["Upgrade"] != nil:
		return ruleUpgrade
	case r.ContentLength != 0:
		return ruleBody
	case r.Header["Cache-Control"] != nil && directives(r.Header)["no-store"] != nil:
		return ruleNoStore
	}
	return ""
}

// perRequest are fields that belong to one exchange and are never kept: connection fields (RFC 9110,
// section 7.6.1) and those that name or time a request.
var perRequest = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Server-Timing", "Traceparent", "Traceresponse", "Tracestate", "X-Request-Id", "Cache-Status",
}

// lifetime tells how long a response may be kept, and whether others than its requester may see it. What
// comes from another cache (Age), or counts its time by Expires alone, is not kept.
func lifetime(status int, h http.Header, ttl time.Duration) (keep time.Duration, shared bool) {
	cc := directives(h)
	switch {
	case cc["no-store"] != nil, cc["private"] != nil, cc["no-cache"] != nil,
		h["Set-Cookie"] != nil, h["Vary"] != nil:
		return 0, false
	case status != http.StatusOK, h["Age"] != nil:
		return 0, true
	}
	for _, name := range []string{"s-maxage", "max-age"} {
		if value := cc[name]; value != nil {
			seconds, err := strconv.ParseUint(*value, 10, 31)
			if err != nil {
				return 0, true // RFC 9111, section 4.2.1: taken for stale
			}
			return time.Duration(seconds) * time.Second, true
		}
	}
	if h["Expires"] != nil {
		return 0, true
	}
	return ttl, true
}

// directives are those of Cache-Control (RFC 9111, section 5.2), the first of a name; one without an
// argument has "".
func directives(h http.Header) map[string]*string {
	var m map[string]*string
	for _, line := range h["Cache-Control"] {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			name, value = strings.ToLower(name), strings.Trim(value, `"`)
			if m == nil {
				m = make(map[string]*string)
			}
			if m[name] == nil {
				m[name] = &value
			}
		}
	}
	return m
}
