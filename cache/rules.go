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

// leave is what a response allows.
type leave struct {
	keep   time.Duration // how long it is fresh
	stale  Staleness     // and may be served after that
	shared bool          // with others than its requester
}

// permits tells what a response allows, where ttl and stale hold unless it says otherwise. What comes from
// another cache (Age), or counts its time by Expires alone, is not kept.
func permits(status int, h http.Header, ttl time.Duration, stale Staleness) leave {
	cc := directives(h)
	switch {
	case cc["no-store"] != nil, cc["private"] != nil, cc["no-cache"] != nil,
		h["Set-Cookie"] != nil, h["Vary"] != nil:
		return leave{}
	case status != http.StatusOK, h["Age"] != nil:
		return leave{shared: true}
	}
	window := func(name string, initial time.Duration) time.Duration {
		if value := cc[name]; value != nil {
			d, _ := deltaSeconds(*value) // what is no number allows nothing
			return d
		}
		return initial
	}
	stale.WhileRevalidate = window("stale-while-revalidate", stale.WhileRevalidate)
	stale.IfError = window("stale-if-error", stale.IfError)
	if cc["must-revalidate"] != nil || cc["proxy-revalidate"] != nil || cc["s-maxage"] != nil {
		stale = Staleness{} // RFC 9111, sections 5.2.2.2, 5.2.2.8 and 5.2.2.10
	}
	for _, name := range []string{"s-maxage", "max-age"} {
		if value := cc[name]; value != nil {
			d, ok := deltaSeconds(*value)
			if !ok {
				return leave{shared: true} // RFC 9111, section 4.2.1: taken for stale
			}
			return leave{d, stale, true}
		}
	}
	if h["Expires"] != nil {
		return leave{shared: true}
	}
	return leave{ttl, stale, true}
}

// deltaSeconds is RFC 9111's form of a duration (section 1.2.2).
func deltaSeconds(value string) (time.Duration, bool) {
	seconds, err := strconv.ParseUint(value, 10, 31)
	return time.Duration(seconds) * time.Second, err == nil
}

// failing tells whether a response is no better than an error (RFC 5861, section 4).
func failing(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
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
