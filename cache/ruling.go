package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// ruling is what a shared cache may do with a response (RFC 9111, sections 3 and 4.2).
type ruling struct {
	detail  string   // why it may be shared with nobody, not even those that wait for it; "": it may
	without []string // fields that are its asker's alone
	vary    []string // fields of the request on which it depends, sorted

	created time.Time // of its Age and Date, as this clock has it
	fresh   time.Duration
	said    bool // the response itself says so
	stale   Staleness
	proving bool // the origin can be asked whether it is still good
	traits
}

// traits are what a kept response is asked about for each request.
type traits uint8

const (
	strict     traits = 1 << iota // it is not served stale, whatever a request says
	forAll                        // those with Authorization included (RFC 9111, section 3.5)
	validating                    // it answers nobody before the origin has said that it is still good
	ownETag                       // the cache made its ETag: the origin does not know it
	aged                          // it came from another cache
)

func (t traits) has(some traits) bool { return t&some != 0 }

// Why a response is shared with nobody: Result.Detail.
const (
	rulePrivate   = "private"
	ruleSetCookie = "set-cookie"
	ruleVary      = "vary"
	ruleTooLarge  = "too-large"
	ruleStream    = "stream"
	ruleStatus    = "status"
)

// mostVary is how many fields a response may depend on to be kept.
const mostVary = 16

// exchange is a response's header, and when it was asked for and came.
type exchange struct {
	r          *http.Request
	status     int
	h          http.Header
	asked, now time.Time
}

// rule reads x. What says nothing of its freshness is fresh for ttl, which its handler has chosen or nobody.
func (c *Cache) rule(x exchange, ttl time.Duration, chosen bool) ruling {
	h := x.h
	cc, targeted := targetedAt(h, c.opts.HTTP.Targeted, c.opts.Name)
	if !targeted {
		cc = directivesIn(h["Cache-Control"])
	}
	u := ruling{created: x.now, proving: h["Etag"] != nil || h["Last-Modified"] != nil}
	for _, name := range []string{"private", "no-cache"} {
		// A field that may not be used again without asking is not kept (section 5.2.2.4 leaves that open).
		u.without = append(u.without, cc.fields(name)...)
	}
	if cc.has("public") || cc.has("s-maxage") || cc.has("must-revalidate") {
		u.traits |= forAll
	}
	u.vary = selecting(h["Vary"])
	u.detail = u.secluded(x, cc)

	u.fresh, u.said = c.lifetime(x, cc, targeted)
	switch {
	case u.said:
	case givesTTL(x.status, chosen):
		u.fresh = ttl
	}
	own := c.opts.Stale
	if u.fresh == 0 {
		own = Staleness{SoftTimeout: own.SoftTimeout} // they follow a time in which it was fresh
	}
	u.windows(cc, own)
	if cc.unqualified("no-cache") {
		u.fresh, u.stale, u.traits = 0, Staleness{}, u.traits|strict|validating
	}
	u.age(x)
	return u
}

// secluded says why a response may be shared with nobody, or "".
func (u ruling) secluded(x exchange, cc directives) string {
	r, status, h := x.r, x.status, x.h
	understood := http.StatusText(status) != "" && status != http.StatusPartialContent
	switch {
	case cc.has("must-understand") && !understood:
		return ruleStatus // section 5.2.2.3
	case cc.has("no-store") && !cc.has("must-understand"):
		return ruleNoStore
	case cc.unqualified("private"):
		return rulePrivate
	case cc.unqualified("no-cache") && !u.proving:
		return ruleNoCache
	case h["Set-Cookie"] != nil && !slices.Contains(u.without, "Set-Cookie"):
		return ruleSetCookie
	case r.Header["Authorization"] != nil && !u.has(forAll):
		return ruleAuthorization
	case slices.Contains(u.vary, "*"), len(u.vary) > mostVary:
		return ruleVary
	case strings.HasPrefix(h.Get("Content-Type"), "text/event-stream"):
		return ruleStream
	case status == http.StatusPartialContent && r.Header["Range"] == nil,
		r.Header["Range"] != nil && status != http.StatusPartialContent && status != http.StatusOK:
		return ruleStatus // the answer to this request, and no other
	}
	return ""
}

// windows are when it may be served stale: own where it says nothing.
func (u *ruling) windows(cc directives, own Staleness) {
	never := cc.has("must-revalidate") || cc.has("proxy-revalidate") // sections 5.2.2.2 and 5.2.2.8
	shared := cc.has("s-maxage")                                     // section 5.2.2.10
	if never || shared {
		own = Staleness{SoftTimeout: own.SoftTimeout}
		u.traits |= strict
	}
	u.stale = own
	if never {
		return
	}
	// With s-maxage, what a response itself says of being served stale is the more specific (RFC 5861).
	for name, window := range map[string]*time.Duration{
		"stale-while-revalidate": &u.stale.WhileRevalidate, "stale-if-error": &u.stale.IfError,
	} {
		if cc.has(name) {
			*window, _ = cc.duration(name) // what is no number allows nothing
		}
	}
}

// lifetime is for how long a response is fresh from when it was made, if it says so (RFC 9111, section 4.2.1).
func (c *Cache) lifetime(x exchange, cc directives, targeted bool) (_ time.Duration, said bool) {
	h := x.h
	for _, name := range []string{"s-maxage", "max-age"} {
		if cc.has(name) {
			d, _ := cc.duration(name) // what is no number: stale
			return d, true
		}
	}
	made := x.now
	if date, ok := dateOf(h); ok {
		made = date
	}
	if h["Expires"] != nil && !targeted {
		expires, err := http.ParseTime(h.Get("Expires"))
		if err != nil || len(h["Expires"]) > 1 {
			return 0, true // section 5.3
		}
		return max(expires.Sub(made), 0), true
	}
	if share := c.opts.HTTP.Heuristic; share > 0 && (heuristic(x.status) || cc.has("public")) {
		if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
			const most = 24 * time.Hour
			return min(max(time.Duration(share*float64(made.Sub(modified))), 0), most), true
		}
	}
	return 0, false
}

// heuristic tells whether a response of this status may be kept where nothing says for how long (RFC 9110, section 15.1).
func heuristic(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// givesTTL tells whether a response of this status that says nothing of its freshness gets Options.TTL, or the one that
// its handler has chosen. An error is kept only where somebody says so.
func givesTTL(status int, chosen bool) bool {
	return heuristic(status) && (chosen || status < 400)
}

// age reckons when the response was made (RFC 9111, section 4.2.3). Where another cache had it, the time that it took to
// come counts as age; of a handler's own answer it does not, or it would have grown old in being made.
func (u *ruling) age(x exchange) {
	if date, ok := dateOf(x.h); ok {
		u.created = x.now.Add(-max(x.now.Sub(date).Truncate(time.Second), 0))
	}
	if x.h["Age"] == nil {
		return
	}
	u.traits |= aged
	age, ok := ageIn(x.h["Age"])
	if !ok {
		u.fresh = 0 // nobody knows
	}
	if made := x.asked.Add(-age); made.Before(u.created) {
		u.created = made
	}
}

// ageIn reads an Age field. Of a list the first member counts (RFC 9111, section 5.1); but several lines, and what a
// proxy has made of them (RFC 9110, section 5.3: a comma and a space), are ages of several caches.
func ageIn(lines []string) (time.Duration, bool) {
	if len(lines) != 1 || strings.Contains(lines[0], ", ") {
		return 0, false
	}
	first, _, _ := strings.Cut(lines[0], ",")
	return deltaSeconds(strings.TrimSpace(first))
}

// failing tells whether a response is no better than an error (RFC 5861, section 4).
func failing(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
