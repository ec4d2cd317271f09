package cache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"
)

// directive is a member of Cache-Control, and what RFC 9111 reads in it.
type directive struct {
	text, name string
	seconds    int64 // its argument; -1: that is no delta-seconds (section 1.2.2)
}

var (
	lifetimes = rapid.Custom(func(t *rapid.T) directive {
		d := rapid.SampledFrom([]directive{
			{"=0", "", 0}, {"=1", "", 1}, {"=7", "", 7}, {"=60", "", 60}, {"=0060", "", 60}, {`="60"`, "", 60}, {`="\6\0"`, "", 60}, {"=3600", "", 3600},
			{"=2147483648", "", 1 << 31}, {"=99999999999999999999", "", 1 << 31},
			{"", "", -1}, {"=", "", -1}, {`=""`, "", -1}, {"=-1", "", -1}, {"=1.5", "", -1}, {"=6O", "", -1}, {"=60 s", "", -1}, {"=60;x", "", -1},
		}).Draw(t, "argument")
		d.name = rapid.SampledFrom([]string{"max-age", "max-age", "s-maxage"}).Draw(t, "name")
		spelled := rapid.SampledFrom([]func(string) string{strings.ToLower, strings.ToUpper}).Draw(t, "case")
		d.text = spelled(d.name) + d.text
		return d
	})
	harmless = rapid.SampledFrom([]directive{
		{text: "public", name: "public"}, {text: "PUBLIC", name: "public"}, {text: "must-revalidate"}, {text: "proxy-revalidate"}, {text: "no-transform"},
		{text: "immutable"}, {text: `private="x-own"`}, {text: `no-cache="X-Own, x-other"`}, {text: "must-understand", name: "must-understand"},
		{text: `ext="max-age=0, no-store"`}, {text: `ext="a\", private, b"`}, {text: "ext='s-maxage=5'"}, {text: "no-storeroom"}, {text: ""},
	})
	forbidding = rapid.SampledFrom([]directive{
		{text: "no-store", name: "no-store"}, {text: "No-Store=1", name: "no-store"}, {text: "private", name: "private"}, {text: "no-cache", name: "no-cache"},
	})
	control = rapid.SliceOfN(rapid.OneOf(lifetimes, lifetimes, harmless, harmless, harmless, forbidding), 0, 4)
)

// stamp is a date in a header, counted from when the response was begun.
type stamp struct {
	after  time.Duration
	layout string
	text   string // in its place, where there is no layout
}

func (s stamp) written(begun time.Time) string {
	if s.layout == "" {
		return s.text
	}
	return begun.Add(s.after).UTC().Format(s.layout)
}

// dated is what says the only stamp of a field, in whole seconds. Its second result is false where that is none.
func dated(all []stamp, begun time.Time) (time.Time, bool) {
	if len(all) != 1 || all[0].layout == "" {
		return time.Time{}, false
	}
	return begun.Add(all[0].after).Truncate(time.Second), true
}

// stamps draws no line of a field, one, or as many as most.
func stamps(most int, after ...time.Duration) *rapid.Generator[[]stamp] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) stamp {
		if rapid.IntRange(0, 5).Draw(t, "invalid") == 0 {
			return stamp{text: rapid.SampledFrom([]string{"", "0", "-1", "soon", "Sat, 01 Jan 2000 00:00:00", "2000-01-01T00:00:00Z"}).Draw(t, "text")}
		}
		return stamp{
			after: rapid.SampledFrom(after).Draw(t, "after"),
			// The three of RFC 9110, section 5.6.7.
			layout: rapid.SampledFrom([]string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}).Draw(t, "layout"),
		}
	}), 0, most)
}

type ages struct {
	lines   []string
	seconds int64 // -1: nobody knows
}

// script is what an origin answers, time and again.
type script struct {
	status                  int
	control                 []directive
	oneLine, cookie         bool
	date, expires, modified []stamp
	age                     ages
	takes                   time.Duration
}

var scripts = rapid.Custom(func(t *rapid.T) script {
	return script{
		status:   rapid.SampledFrom([]int{200, 200, 200, 200, 203, 204, 301, 302, 404, 410, 500, 501, 503, 599}).Draw(t, "status"),
		control:  control.Draw(t, "control"),
		oneLine:  rapid.Bool().Draw(t, "one line"),
		date:     stamps(1, 0, 0, -3*time.Second, -10*time.Minute, -24*time.Hour+3*time.Minute, 5*time.Second, time.Hour).Draw(t, "date"),
		expires:  stamps(2, 0, time.Second, time.Minute, time.Hour, -time.Hour).Draw(t, "expires"),
		modified: stamps(1, -10*time.Second, -10*time.Minute, -10*time.Hour, -480*time.Hour, time.Hour).Draw(t, "modified"),
		age: rapid.SampledFrom([]ages{
			{}, {}, {}, {[]string{"0"}, 0}, {[]string{"7"}, 7}, {[]string{" 59 "}, 59}, {[]string{"3600"}, 3600}, {[]string{"2147483648"}, 1 << 31},
			{[]string{"99999999999999999999"}, 1 << 31}, {[]string{""}, -1}, {[]string{"-1"}, -1}, {[]string{"1.5"}, -1}, {[]string{"new"}, -1},
			// Of a list the first counts, but what several caches have said counts as unknown (ageIn's comment).
			{[]string{"7,60"}, 7}, {[]string{"7, 60"}, -1}, {[]string{"7", "60"}, -1},
		}).Draw(t, "age"),
		takes: rapid.SampledFrom([]time.Duration{0, 0, 300 * time.Millisecond, 2 * time.Second}).Draw(t, "takes"),
	}
})

func (s script) write(h http.Header, begun time.Time) {
	for _, d := range s.control {
		h.Add("Cache-Control", d.text)
	}
	if s.oneLine && len(s.control) > 0 {
		h.Set("Cache-Control", strings.Join(h["Cache-Control"], " ,\t"))
	}
	for name, all := range map[string][]stamp{"Date": s.date, "Expires": s.expires, "Last-Modified": s.modified} {
		for _, one := range all {
			h.Add(name, one.written(begun))
		}
	}
	for _, line := range s.age.lines {
		h.Add("Age", line)
	}
	if s.cookie {
		h.Set("Set-Cookie", "a=b")
	}
}

// says is the first directive of a name: of several, section 4.2.1 allows to use that.
func (s script) says(name string) (directive, bool) {
	for _, d := range s.control {
		if d.name == name {
			return d, true
		}
	}
	return directive{}, false
}

// given is a response, and when it was asked for and came: request_time and response_time.
type given struct {
	script
	asked, came time.Time
}

// scripted is an origin. It numbers its answers, and says of each which it is.
type scripted struct {
	script
	mu   sync.Mutex
	gave []given
}

func (o *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := time.Now()
	o.mu.Lock()
	s, n := o.script, len(o.gave)
	o.gave = append(o.gave, given{s, asked, time.Time{}})
	o.mu.Unlock()
	s.write(w.Header(), asked)
	w.Header().Set("X-Answer", strconv.Itoa(n))
	time.Sleep(s.takes / 2)
	w.WriteHeader(s.status)
	time.Sleep(s.takes / 2)
	_, _ = io.WriteString(w, "for "+r.Header.Get("Cache-Control")+r.Header.Get("Pragma")) // 204 has none
	o.mu.Lock()
	o.gave[n].came = time.Now()
	o.mu.Unlock()
}

// get returns what a client got, the answer that this was, and whether it was there before.
func (o *scripted) get(h http.Handler, header ...string) (got *httptest.ResponseRecorder, g given, reused bool) {
	o.mu.Lock()
	before := len(o.gave)
	o.mu.Unlock()
	got = do(h, "GET", "/", header...)
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := strconv.Atoi(got.Header().Get("X-Answer"))
	if err != nil {
		return got, given{}, false
	}
	return got, o.gave[n], n < before
}
