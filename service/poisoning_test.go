package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// What attackers send. Nobody else may be sent any of it.
const (
	ownHost  = "vitrine.example"
	evilHost = "evil.example"
	canary   = "c4nary"
	evilID   = "0af7651916cd43dd8448eb211c80319c" // of a trace
)

// poison are the values that each header field of the list is tried with.
var poison = []string{
	evilHost, "https://" + evilHost + "/" + canary, "http", "https", "1", "8443", "POST", "/admin", canary,
	canary + "\t\"'><script>\\u0000%00%0d%0aX-Evil:" + evilHost + ";|&$(id){{7*7}}\xff\xc0\xaf",
	canary + strings.Repeat("x", oversize),
}

// oversize is nearly what the server takes: MaxHeaderBytes, and 4 KiB of net/http's own.
const oversize = 20<<10 - 512

// How what an attack brings is kept.
type effect int

const (
	fills     effect = iota // under the visitor's key: to the cache it is the same request
	elsewhere               // under another host's
	lost                    // not at all, or for another path
)

// attacks are requests that come before a visitor's. {path} is the visitor's, {tail} the same with its last byte escaped,
// {etag} the ETag of the answer to it. Lines end as wire.send has it; where no Host is, it is the visitor's.
var attacks = map[effect][]string{
	fills: {
		// The query, of which the service wants nothing.
		"GET {path}?utm_source=c4nary&utm_content=evil.example", "GET {path}?fbclid=c4nary", "GET {path}?c4nary",
		"GET {path}?callback=c4nary", "GET {path}?x=c4nary&x=evil.example", "GET {path}?utm_content=1;callback=c4nary",
		"GET {path}?a=1%3Bcallback=c4nary", "GET {path}?%75tm_source=c4nary", "GET {path}?q=%zz",
		"GET {path}?%00=c4nary%0d%0a", "GET {path}?", "GET {path}??", "GET {path}?&&=", "GET {path}?#c4nary",
		"GET {path}?host=evil.example", "GET {path}?z=9&x=9&y=9&name=atlas.css", "GET {path}?_method=POST&__amp=1",
		"GET {path}?\"'><script>c4nary</script>", "GET {path}?url=http://evil.example/%2e%2e/",
		"GET {path}?" + strings.Repeat("c4nary=1&", 2<<10),
		// Other spellings of the path, of the host and of the target.
		"GET {tail}", "GET {tail}?c4nary", "GET c4nary:{path}", "GET javascript:{path}?c4nary",
		"GET http://vitrine.example{path}\nHost: evil.example", "GET https://vitrine.example{path}",
		"GET HTTP://VITRINE.EXAMPLE{tail}?c4nary", "GET https://c4nary:evil.example@vitrine.example{path}",
		"GET {path}\nHost: VITRINE.Example", "GET {path}\nHOST:\tvitrine.example ", "GET {path} HTTP/1.0",
		"GET {path} HTTP/1.0\nConnection: keep-alive",
		// Less than the whole.
		"HEAD {path}", "HEAD {path}?c4nary\nRange: bytes=0-0", "HEAD {path}\nIf-None-Match: *",
		"HEAD {path}\nX-HTTP-Method-Override: GET", "GET {path}\nRange: bytes=0-0", "GET {path}\nRange: bytes=-1",
		"GET {path}\nRange: bytes=1-", "GET {path}\nRange: bytes=0-0,2-2", "GET {path}\nRange: bytes=999999999-",
		"GET {path}\nRange: bytes=5-2", "GET {path}\nRange: bytes=c4nary", "GET {path}\nRange: items=0-0",
		"GET {path}\nRange: bytes=-", "GET {path}\nRange: bytes=0-18446744073709551616",
		"GET {path}\nRange: bytes=0-0\nRange: bytes=1-1", "GET {path}\nRange: bytes=0-0\nIf-Range: {etag}",
		"GET {path}\nRange: bytes=0-0\nIf-Range: \"c4nary\"", "GET {path}\nIf-None-Match: *",
		"GET {path}\nIf-None-Match: {etag}", "GET {path}\nIf-None-Match: \"c4nary\"",
		"GET {path}\nIf-None-Match: W/{etag}, c4nary", "GET {path}\nIf-Match: *", "GET {path}\nIf-Match: \"c4nary\"",
		"GET {path}\nIf-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", "GET {path}\nIf-Modified-Since: c4nary",
		"GET {path}\nIf-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT",
		// What asks the cache for more than it has to give.
		"GET {path}\nCache-Control: no-cache", "GET {path}\nCache-Control: no-store",
		"GET {path}\nCache-Control: max-age=0", "GET {path}\nCache-Control: c4nary=",
		"GET {path}\nCache-Control: max-stale=99999, min-fresh=99999, private, s-maxage=0, public",
		"GET {path}\nPragma: no-cache, akamai-x-get-cache-key, x-get-cache-key",
		// Who asks, for what, from where.
		"GET {path}\nAccept: text/c4nary;q=0.1, */*;q=0\nAccept-Charset: utf-7", "GET {path}\nAccept: image/webp",
		"GET {path}\nAccept-Encoding: gzip, br, zstd", "GET {path}\nAccept-Encoding: identity;q=0, c4nary",
		"GET {path}\nAccept-Language: c4nary, de;q=0.5", "GET {path}\nOrigin: https://evil.example",
		"GET {path}\nOrigin: null\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors",
		"GET {path}\nCookie: session=c4nary; fehost=evil.example",
		"GET {path}\nUser-Agent: c4nary\nReferer: https://evil.example/\nDNT: 1\nSave-Data: on",
		"GET {path}\nProxy-Authorization: Basic YzRuYXJ5OmM0bmFyeQ==",
		"GET {path}\nTraceparent: 00-" + evilID + "-b7ad6b7169203331-01\nTracestate: c4nary=evil.example\nBaggage: c4nary=evil.example",
		"GET {path}\nX-B3-Traceid: " + evilID + "\nX-B3-Spanid: b7ad6b7169203331\nX-B3-Sampled: 1\nX-Request-Id: c4nary",
		// Fields that count together, or in a spelling of their own.
		"GET {path}\nX-Forwarded-Scheme: nothttps\nX-Forwarded-Host: evil.example",
		"GET {path}\nX-Forwarded-Host: vitrine.example\nX-Forwarded-Host: evil.example",
		"GET {path}\nX-Forwarded-Host: a\n evil.example", "GET {path}\nx-fORWARDED-hOST: evil.example",
		"GET {path}\nConnection: close, Host, Accept, X-Forwarded-Host",
		"GET {path}?_method=DELETE\nX-HTTP-Method-Override: DELETE\nX-HTTP-Method: DELETE\nX-Method-Override: DELETE",
		"GET {path}\nX-HTTP-Method-Override: HEAD", "GET {path}\nContent-Length: 0", "GET {path}\nExpect: 100-continue",
	},
	elsewhere: {
		"GET http://evil.example{path}", "GET http://vitrine.example:8443{path}",
		"GET http://c4nary@evil.example{path}\nHost: vitrine.example", "GET {path}\nHost: evil.example",
		"GET {path}\nHost: vitrine.example:80", "GET {path}\nHost: vitrine.example:c4nary",
		"GET {path}\nHost: vitrine.example.", "GET {path}\nHost: vitrine.example,evil.example",
		"GET {path}\nHost: vitrine.example%2fc4nary", "GET {path}\nHost:",
		"GET {path} HTTP/1.0\nX-Forwarded-Host: evil.example\nHost:",
	},
	lost: {
		// Other paths.
		"GET //evil.example{path}", "GET /{path}", "GET /.{path}", "GET /c4nary/..{path}", "GET {path}/", "GET {path}/.",
		"GET {path}/../c4nary", "GET {path}/c4nary.css", "GET {path}.css", "GET {path};c4nary=1", "GET {path}%3Fc4nary",
		"GET {path}%23c4nary", "GET {path}#c4nary", "GET {path}%00", "GET {path}%2F", "GET {path}%20c4nary",
		"GET {path}%0d%0aX-Evil:%20evil.example", "GET {path}\\..\\c4nary", "GET {path} c4nary", "GET {path}\a",
		"GET {path}%", "GET *", "GET {path}\nHost: vitrine.example/c4nary?x=",
		"GET {path}\nHost: vitrine.example\nHost: evil.example", "GET {path}\nHost: vitrine.example\n evil.example",
		"GET {path} HTTP/9.9",
		// Other methods.
		"OPTIONS {path}\nOrigin: https://evil.example", "OPTIONS *", "TRACE {path}\nX-Evil: c4nary", "CONNECT {path}",
		"PURGE {path}", "DELETE {path}", "get {path}", "C4NARY {path}", "PUT {path}\nContent-Length: 6\n\nc4nary",
		"PATCH {path}\nContent-Length: 6\n\nc4nary", "POST {path}\nContent-Length: 6\n\nc4nary",
		"POST {path}\nX-HTTP-Method-Override: GET\nContent-Location: {path}",
		// What the cache passes on, or refuses.
		"GET {path}\nAuthorization: Basic YzRuYXJ5OmM0bmFyeQ==", "GET {path}\nAuthorization: Bearer c4nary",
		"HEAD {path}\nAuthorization: Bearer c4nary", "GET {path}\nAuthorization:",
		"GET {path}\nAuthorization: Bearer c4nary\nRange: bytes=0-0", "GET {path}\nCache-Control: only-if-cached",
		"GET {path}\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: YzRuYXJ5\nSec-WebSocket-Version: 13",
		"GET {path}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__",
		"GET {path}\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 34\n\ncallback=c4nary&host=evil.example&",
		"HEAD {path}\nContent-Length: 6\n\nc4nary",
		"GET {path}\nTransfer-Encoding: chunked\nTrailer: X-Evil\n\n6\nc4nary\n0\nX-Evil: c4nary\n\n",
		"GET {path}\nTransfer-Encoding: chunked\nContent-Length: 3\n\n0\n\n",
		// What net/http refuses: an error that a cache may take for the visitor's.
		"GET {path}\nTransfer-Encoding: c4nary", "GET {path}\nContent-Length: c4nary", "GET {path}\nContent-Length: -1",
		"GET {path}\nExpect: c4nary", "GET {path}\nX-Metachar-Header: \a", "GET {path}\nX-Metachar-Header: \x00",
		"GET {path}\nX-Metachar-Header: a\rb", "GET {path}\nX-Metachar-Header: \x7f", "GET {path}\nX-Evil : c4nary",
		"GET {path}\nX Evil: c4nary", "GET {path}\n\\: 1", "GET {path}\nc4nary", "GET {path}\n: c4nary",
		"GET {path}\nX-Oversized-Header-1: " + strings.Repeat("x", 32<<10),
		"GET {path}?" + strings.Repeat("c4nary=1&", 4<<10),
	},
}

// TestNothingUnkeyedChangesAnAnswer: whatever a request says beside its host and its path, the next visitor gets the answer
// that he would have got without it.
func TestNothingUnkeyedChangesAnAnswer(t *testing.T) {
	t.Parallel()
	fields := poisoningHeaders(t)
	for _, test := range []struct {
		desc, path string
		status     int
		together   int // fields of a request: more where nothing is kept, or a load takes long; 0: that takes too long
	}{
		{"the page", "/", 200, 16}, {"an asset", "/assets/atlas.js", 200, 16}, {"health", "/health", 200, 16}, {"the endpoint", "/slow", 200, 1},
		{"a tile", "/tiles/5/12/16", 200, 48}, {"statistics", "/stats/5/12/16", 200, 16}, {"statistics of children", "/stats/4/6/8", 200, 0},
		{"unknown path", "/nothing", 404, 16},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, test.path, test.status)
			if test.together > 0 {
				s.attackWithFields(t, fields, test.together)
			}
			last := test.path[len(test.path)-1:]
			in := strings.NewReplacer("{path}", test.path, "{etag}", s.clean.Header.Get("Etag"),
				"{tail}", strings.TrimSuffix(test.path, last)+fmt.Sprintf("%%%X", last))
			for e, requests := range attacks {
				for _, request := range requests {
					request = in.Replace(request)
					s.attack(t, e, request)
					if s.cached() {
						s.attackAbreast(t, request, false)
						s.attackAbreast(t, request, true)
					}
				}
			}
			t.Logf("%d attacks", s.attacks)
		})
	}
}

// poisoningHeaders are the names in the list.
func poisoningHeaders(t *testing.T) (names []string) {
	t.Helper()
	list, err := os.ReadFile("testdata/poisoning-headers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if !strings.HasPrefix(line, "#") {
			names = append(names, strings.TrimSpace(line))
		}
	}
	if len(names) < 200 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("%d names; want at least 200, sorted, each once", len(names))
	}
	return names
}

// attackWithFields has the fields with each value, so many together, and all together as far as a request has room.
// Each is alone with one value at least.
func (s *siege) attackWithFields(t *testing.T, fields []string, together int) {
	t.Helper()
	own := []string{"Authorization", "Upgrade"} // with them the answer is for its asker
	common := slices.DeleteFunc(slices.Clone(fields), func(field string) bool { return slices.Contains(own, field) })
	requests := make(map[effect][]string)
	for _, value := range poison {
		with := func(fields []string) (request string) {
			request = "GET " + s.path
			for _, field := range fields {
				request += "\n" + field + ": " + value
			}
			return request
		}
		few, room := together, oversize/(len(value)+40)
		if value == canary {
			few = 1
		}
		for some := range slices.Chunk(common, few) {
			requests[fills] = append(requests[fills], with(some[:min(len(some), max(room, 1))]))
		}
		for _, field := range own {
			requests[lost] = append(requests[lost], with([]string{field}))
		}
		if room <= len(own) {
			continue
		}
		for many := range slices.Chunk(common, room-len(own)) {
			requests[fills] = append(requests[fills], with(many))
			requests[lost] = append(requests[lost], with(slices.Concat(many, own)))
		}
	}
	for e, requests := range requests {
		if s.hosted() {
			s.attackHosts(t, e, requests)
			continue
		}
		for _, request := range requests {
			s.attack(t, e, request)
		}
	}
}

// siege is a program with an attacker and a visitor of one path.
type siege struct {
	*program
	path              string
	clean             answer // of a program that nobody attacks
	attacker, visitor wire
	attacks, wrong    int
}

func besiege(t *testing.T, path string, status int) *siege {
	t.Helper()
	env := map[string]string{"VITRINE_SLOW_DELAY": "1ms", "VITRINE_CACHE_TTL": "1h", "VITRINE_LOG_LEVEL": "error"}
	s := &siege{program: start(t, env), path: path}
	s.attacker.addr, s.visitor.addr = s.publicAt.Addr().String(), s.publicAt.Addr().String()
	calm := wire{addr: start(t, env).publicAt.Addr().String()}
	defer calm.hangUp()
	clean, err := calm.ask("GET " + path)
	if err != nil || clean[0].StatusCode != status {
		t.Fatalf("before any attack: %v, %v; want %d", clean, err, status)
	}
	s.clean = clean[0]
	t.Cleanup(func() { s.attacker.hangUp(); s.visitor.hangUp() })
	return s
}

// cached tells whether answers are kept, hosted whether those of each host are others to the cache.
func (s *siege) cached() bool { return s.clean.Header["Cache-Status"] != nil }
func (s *siege) hosted() bool { return !strings.HasPrefix(s.path, "/stats/") }

// attack has a request be the first that the caches hear of, and the visitor come next.
func (s *siege) attack(t *testing.T, e effect, request string) {
	t.Helper()
	s.forget(t)
	first, err := s.attacker.ask(request)
	if err != nil {
		t.Fatalf("%.200q: %v", request, err)
	}
	s.judge(t, e, request, first[0], s.visit(t, request))
}

// attackHosts is attack for many requests, each at a host of its own, with its visitor behind it on the same connection.
func (s *siege) attackHosts(t *testing.T, e effect, requests []string) {
	t.Helper()
	for some := range slices.Chunk(requests, 32) {
		var all []string
		for _, request := range some {
			s.attacks++
			host := fmt.Sprintf("\nHost: %d.%s", s.attacks, ownHost)
			all = append(all, request+host, "GET "+s.path+host)
		}
		answers, err := s.visitor.ask(all...)
		if err != nil {
			t.Fatalf("%.200q and so on: %v", all[0], err)
		}
		for i, request := range some {
			s.check(t, request, answers[2*i+1])
			s.judge(t, e, request, answers[2*i], answers[2*i+1])
		}
	}
}

// judge compares what an attacker gets and what the next visitor gets.
func (s *siege) judge(t *testing.T, e effect, request string, first, next answer) {
	t.Helper()
	kept := strings.HasSuffix(first.Header.Get("Cache-Status"), "; stored")
	if e == fills && s.cached() && !kept {
		s.fail(t, request, "status %d, Cache-Status %q; want it kept", first.StatusCode, first.Header.Get("Cache-Status"))
	}
	whole := first.StatusCode == s.clean.StatusCode && strings.HasPrefix(request, "GET ")
	if e == fills && whole && first.Header.Get("Content-Encoding") == "" { // or Vary says for whom it is
		// It is nobody else's, but another cache may stand in front. A condition that does not hold adds Accept-Ranges, a
		// client that wants no other answer Connection.
		own := []string{"Accept-Ranges", "Connection"}
		if got, want := lasting(first, own...), lasting(s.clean, own...); got != want {
			s.fail(t, request, "its own answer is\n%.300q\nwant\n%.300q", got, want)
		}
	}
	switch status := next.Header.Get("Cache-Status"); {
	case !s.cached():
		if status != "" {
			s.fail(t, request, "Cache-Status %q, want none", status)
		}
	case kept && (e != elsewhere || !s.hosted()):
		if spelled(status) != "hit near" || whole && (next.body != first.body || next.Header.Get("Etag") != first.Header.Get("Etag")) {
			s.fail(t, request, "Cache-Status %q, want a hit of what was kept:\n%.300q\nand before\n%.300q", status, next.body, first.body)
		}
	case spelled(status) != "miss none" || !strings.HasSuffix(status, "; stored"):
		s.fail(t, request, "Cache-Status %q, want a miss that is kept", status)
	}
}

// attackAbreast has visitors come while a request is under way, whose client may have left.
func (s *siege) attackAbreast(t *testing.T, request string, leaves bool) {
	t.Helper()
	s.forget(t)
	if err := s.attacker.dial(); err != nil {
		t.Fatal(err)
	}
	_ = say(s.attacker.conn, request) // a server that refuses what is too large has answered it all the same
	if leaves {
		s.attacker.leave()
	}
	s.visit(t, request)
	if _, err := s.attacker.receive(request); err != nil && !leaves {
		t.Fatalf("%.200q: %v", request, err)
	}
	if leaves {
		s.attacker.hangUp()
	}
	s.visit(t, request)
}

func (s *siege) forget(t *testing.T) {
	t.Helper()
	s.attacks++
	for _, c := range s.caches.all() {
		if err := c.PurgeAll(t.Context(), cache.Hard); err != nil {
			t.Fatal(err)
		}
	}
}

// visit asks as everybody does, after or beside an attack.
func (s *siege) visit(t *testing.T, attack string) answer {
	t.Helper()
	a, err := s.visitor.ask("GET " + s.path)
	if err != nil {
		t.Fatalf("after %.200q: %v", attack, err)
	}
	s.check(t, attack, a[0])
	return a[0]
}

// check compares what a visitor gets with what everybody does.
func (s *siege) check(t *testing.T, attack string, a answer) {
	t.Helper()
	if got, want := lasting(a), lasting(s.clean); got != want {
		s.fail(t, attack, "a visitor gets\n%.300q\nwant\n%.300q", got, want)
	}
	var all bytes.Buffer
	_ = a.Header.Write(&all) // a buffer takes everything
	all.WriteString(a.body)
	for _, sign := range []string{evilHost, canary, evilID} {
		if strings.Contains(strings.ToLower(all.String()), sign) {
			s.fail(t, attack, "a visitor gets %s in\n%.300q", sign, all.String())
		}
	}
}

// fail reports what the visitor gets after an attack, and gives up where there is no end to it.
func (s *siege) fail(t *testing.T, attack, format string, args ...any) {
	t.Helper()
	t.Errorf("after %.200q: "+format, append([]any{attack}, args...)...)
	if s.wrong++; s.wrong == 5 {
		t.FailNow()
	}
}

var computed = regexp.MustCompile(`"(computed_at|took)":"[^"]*"`)

// lasting is what of an answer everybody gets, at any time, without some fields.
func lasting(a answer, without ...string) string {
	h := a.Header.Clone()
	for _, field := range append(without, "Date", "Age", "Cache-Status", "Traceresponse", "Server-Timing") {
		h.Del(field)
	}
	body := computed.ReplaceAllString(a.body, `"$1":""`)
	if body != a.body {
		h.Del("Etag")
		h.Del("Content-Length")
	}
	b := bytes.NewBufferString(a.Status + "\n")
	_ = h.Write(b) // a buffer takes everything
	return b.String() + body
}

// wire speaks HTTP word for word, as no client of net/http does.
type wire struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

// ask sends all requests at once, and reads the answers.
func (w *wire) ask(requests ...string) (answers []answer, err error) {
	sent := make(chan error, 1)
	if err := w.dial(); err != nil {
		return nil, err
	}
	conn := w.conn
	go func() { sent <- say(conn, requests...) }()
	for _, request := range requests {
		a, err := w.receive(request)
		if err != nil {
			return answers, err
		}
		answers = append(answers, a)
	}
	<-sent // a server that refuses what is too large has answered it all the same
	return answers, nil
}

func (w *wire) dial() (err error) {
	if w.conn == nil {
		if w.conn, err = net.Dial("tcp", w.addr); err != nil {
			return err
		}
		w.in = bufio.NewReader(w.conn)
	}
	return w.conn.SetDeadline(time.Now().Add(patience))
}

// say writes requests: each a line, fields and after an empty line a body, with \n for \r\n.
func say(to io.Writer, requests ...string) error {
	var all strings.Builder
	for _, request := range requests {
		head, body, _ := strings.Cut(request, "\n\n")
		line, fields, _ := strings.Cut(head, "\n")
		if !strings.Contains(line, " HTTP/") {
			line += " HTTP/1.1"
		}
		if !strings.Contains(strings.ToLower("\n"+fields), "\nhost:") {
			line += "\nHost: " + ownHost
		}
		if fields != "" {
			fields += "\n"
		}
		all.WriteString(strings.ReplaceAll(line+"\n"+fields+"\n"+body, "\n", "\r\n"))
	}
	_, err := io.WriteString(to, all.String())
	return err
}

func (w *wire) receive(request string) (answer, error) {
	method, _, _ := strings.Cut(request, " ")
	for {
		res, err := http.ReadResponse(w.in, &http.Request{Method: method})
		if err != nil {
			w.hangUp()
			return answer{}, err
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.Close {
			w.hangUp()
		}
		return answer{res, string(body)}, err
	}
}

// leave makes the server think that this client is gone. What it still says tells when it has ended.
func (w *wire) leave() {
	if conn, ok := w.conn.(*net.TCPConn); ok {
		_ = conn.CloseWrite() // a server that is gone already is none to leave
	}
}

func (w *wire) hangUp() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// TestPoisonOfTheWhole: an origin that answers parts, conditions, queries and bodies fills the cache with none of that.
func TestPoisonOfTheWhole(t *testing.T) {
	t.Parallel()
	const whole = "the whole"
	for _, ranges := range []bool{false, true} {
		replicas := replicasOf(t, cache.HTTP{Query: []string{}, Ranges: ranges}, func(w http.ResponseWriter, r *http.Request) {
			said, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Etag", `"v1"`)
			if r.Method == http.MethodHead {
				return // without a word of a length
			}
			http.ServeContent(w, r, "x.txt", time.Unix(1e9, 0), strings.NewReader(whole+r.URL.RawQuery+r.Header.Get("Cache-Control")+string(said)))
		})
		for i, test := range []struct {
			method, query, body string
			header              []string
		}{
			{http.MethodHead, "", "", nil}, {http.MethodHead, "", canary, nil}, {http.MethodGet, "", canary, nil},
			{http.MethodGet, "?callback=c4nary", "", nil}, {http.MethodHead, "?callback=c4nary", canary, nil},
			{http.MethodGet, "", "", []string{"Range", "bytes=0-0"}}, {http.MethodGet, "", "", []string{"Range", "bytes=-1"}},
			{http.MethodGet, "", "", []string{"Range", "bytes=0-99"}}, {http.MethodGet, "", "", []string{"Range", "bytes=99-"}},
			{http.MethodGet, "", "", []string{"Range", "bytes=0-0,2-2"}}, {http.MethodGet, "", "", []string{"Range", "bytes=c4nary"}},
			{http.MethodGet, "", "", []string{"Range", "bytes=0-0", "If-Range", `"v1"`}},
			{http.MethodGet, "", "", []string{"Range", "bytes=0-0", "If-Range", `"v2"`}},
			{http.MethodGet, "", "", []string{"If-None-Match", `"v1"`}}, {http.MethodGet, "", "", []string{"If-None-Match", "*"}},
			{http.MethodGet, "", "", []string{"If-Match", `"v2"`}}, {http.MethodHead, "", "", []string{"If-Match", `"v2"`}},
			{http.MethodGet, "", "", []string{"If-Modified-Since", time.Unix(2e9, 0).UTC().Format(http.TimeFormat)}},
			{http.MethodGet, "", "", []string{"If-Unmodified-Since", time.Unix(1e8, 0).UTC().Format(http.TimeFormat)}},
			{http.MethodGet, "", "", []string{"Cache-Control", "no-transform"}},
			{http.MethodGet, "", "", []string{"Cache-Control", "only-if-cached"}},
		} {
			path := fmt.Sprintf("/%d", i)
			askReplica(replicas[0], httptest.NewRequest(test.method, path+test.query, strings.NewReader(test.body)), test.header...)
			for _, replica := range replicas {
				if w := askReplica(replica, httptest.NewRequest(http.MethodGet, path, nil)); w.Code != http.StatusOK || w.Body.String() != whole {
					t.Errorf("after %+v, ranges %t: %d %q, want all of %q", test, ranges, w.Code, w.Body, whole)
				}
			}
		}
	}
}

// TestPoisonThatVaryNames: what an answer repeats of a field that its Vary names is kept for those who send the same.
func TestPoisonThatVaryNames(t *testing.T) {
	t.Parallel()
	replicas := replicasOf(t, cache.HTTP{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language, x-forwarded-host")
		w.Header().Set("X-Repeated", fmt.Sprintf("%q %q", r.Header["X-Forwarded-Host"], r.Header["Accept-Language"]))
		_, _ = io.WriteString(w, w.Header().Get("X-Repeated")) // a recorder takes everything
	})
	for _, step := range []struct {
		desc, want string
		known      bool
		header     []string
	}{
		{"an attacker", `["evil.example"] []`, false, []string{"X-Forwarded-Host", evilHost}},
		{"a visitor", `[] []`, false, nil},
		{"another visitor", `[] []`, true, nil},
		{"the attacker again", `["evil.example"] []`, true, []string{"X-Forwarded-Host", evilHost}},
		{"another attacker", `["c4nary"] []`, false, []string{"X-Forwarded-Host", canary}},
		{"one who says nothing", `[""] []`, false, []string{"X-Forwarded-Host", ""}},
		{"one who says two things", `["evil.example" "c4nary"] []`, false, []string{"X-Forwarded-Host", evilHost, "X-Forwarded-Host", canary}},
		{"one who says them in the other field", `[] ["evil.example"]`, false, []string{"Accept-Language", evilHost}},
		{"one who says both", `["evil.example"] ["evil.example"]`, false, []string{"X-Forwarded-Host", evilHost, "Accept-Language", evilHost}},
		{"one who says it in a field of no account", `[] []`, true, []string{"X-Host", evilHost}},
		{"the visitor at the end", `[] []`, true, nil},
	} {
		for i, replica := range replicas {
			w := askReplica(replica, httptest.NewRequest(http.MethodGet, "/", nil), step.header...)
			if got := w.Body.String(); got != step.want || w.Header().Get("X-Repeated") != step.want {
				t.Errorf("%s at replica %d: %s and %s, want %s", step.desc, i, got, w.Header().Get("X-Repeated"), step.want)
			}
			if status := w.Header().Get("Cache-Status"); i == 0 && strings.Contains(status, "; hit") != step.known {
				t.Errorf("%s: Cache-Status %q, a hit is %t", step.desc, status, step.known)
			}
		}
	}
}

// TestPoisonOfTheAuthorized: an answer that depends on Authorization and says nothing of being kept is for its asker alone,
// whoever comes meanwhile or next.
func TestPoisonOfTheAuthorized(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		replicas := replicasOf(t, cache.HTTP{}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			fmt.Fprintf(w, "for %q", r.Header["Authorization"])
		})
		for i, test := range []struct {
			method string
			header []string
		}{
			{http.MethodGet, nil}, {http.MethodHead, nil}, {http.MethodGet, []string{"Range", "bytes=0-99"}},
			{http.MethodGet, []string{"If-Match", "*"}},
			{http.MethodGet, []string{"If-None-Match", `"c4nary"`}}, {http.MethodGet, []string{"Cache-Control", "max-stale, only-if-cached"}},
			{http.MethodGet, []string{"Authorization", "Basic Ym9iOg=="}},
		} {
			ask := func(replica http.Handler, method string, header ...string) *httptest.ResponseRecorder {
				return askReplica(replica, httptest.NewRequest(method, fmt.Sprintf("/%d", i), nil), header...)
			}
			for _, replica := range replicas {
				go ask(replica, test.method, append([]string{"Authorization", "alice"}, test.header...)...)
				time.Sleep(500 * time.Millisecond)
				for _, next := range []struct{ who, authorization string }{
					{"a visitor meanwhile", ""}, {"a visitor after that", ""}, {"alice", "alice"}, {"bob", "bob"}, {"a visitor at the end", ""},
				} {
					header, want := []string(nil), "for []"
					if next.authorization != "" {
						header, want = []string{"Authorization", next.authorization}, fmt.Sprintf("for [%q]", next.authorization)
					}
					if w := ask(replica, http.MethodGet, header...); w.Code != http.StatusOK || w.Body.String() != want {
						t.Errorf("%s %v: %s gets %d %q, want %q", test.method, test.header, next.who, w.Code, w.Body, want)
					}
				}
			}
		}
	})
}

// replicasOf are two caches of one handler, over one store.
func replicasOf(t *testing.T, options cache.HTTP, origin http.HandlerFunc) (replicas []http.Handler) {
	t.Helper()
	store := new(storetest.Memory)
	for range 2 {
		c, err := cache.New(store, cache.Options{TTL: time.Hour, HTTP: options})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		replicas = append(replicas, c.Handler(origin))
	}
	return replicas
}

func askReplica(h http.Handler, r *http.Request, header ...string) *httptest.ResponseRecorder {
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
