package cache

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sliceOf is what a Content-Range says of whole.
func sliceOf(whole []byte, contentRange string) ([]byte, error) {
	var first, last int
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/", &first, &last); err != nil {
		return nil, err
	}
	if first < 0 || first > last || last >= len(whole) {
		return nil, fmt.Errorf("%q of %d bytes", contentRange, len(whole))
	}
	return whole[first : last+1], nil
}

// FuzzRange: what a kept part has of a range are those bytes of the whole.
func FuzzRange(f *testing.F) {
	for _, text := range []string{"bytes=0-4", "bytes=2-", "bytes=3-3", "bytes=3-8", "bytes=-3", "bytes=-5", "bytes=-99", "bytes=-0", "bytes=4-2", "BYTES= 1-1 ", "bytes=0-1,3-4", "bytes=99-", "bytes=0-99999999999999999999", "lines=0-1", "bytes", ""} {
		f.Add(text, []byte("0123456789"), uint(2), uint(4), true)
		f.Add(text, []byte("0123456789"), uint(0), uint(9), false)
		f.Add(text, []byte("0123456789"), uint(0), uint(9), true)
		f.Add(text, []byte("0123456789"), uint(5), uint(4), true)
	}
	f.Fuzz(func(t *testing.T, text string, whole []byte, from, length uint, sized bool) {
		b, ok := byteRangeIn(text)
		if len(whole) == 0 || !ok {
			t.Skip()
		}
		start := int64(from % uint(len(whole)))
		end := start + 1 + int64(length%uint(int64(len(whole))-start))
		total := "*"
		if sized {
			total = strconv.Itoa(len(whole))
		}
		h := http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%s", start, end-1, total)}}
		p := newResponse(http.StatusPartialContent, 0, h, whole[start:end])
		if first, size, ok := p.partOf(); first != start || sized && size != int64(len(whole)) || !sized && size != -1 || !ok {
			t.Errorf("%q begins at %d of %d, %t", h, first, size, ok)
		}

		first, last := b.first, b.last // of the whole, as far as that is known
		switch {
		case b.first < 0 && sized:
			first, last = max(int64(len(whole))-b.last, 0), int64(len(whole))-1
		case b.last < 0:
			last = end - 1 // as much as there is
		}
		x, y, held := p.held(b)
		if want := first >= start && first <= last && last < end; held != want || p.contains(b) != want {
			t.Fatalf("%q of %q: held: %t, contained: %t; want %t", text, h, held, p.contains(b), want)
		}
		asked := h.Clone()
		asked[askedRange] = []string{text}
		if same := newResponse(http.StatusPartialContent, 0, asked, p.body); !same.contains(b) {
			t.Errorf("%q is not in what it was answered with", text)
		}
		if !held {
			return
		}
		if x < 0 || x >= y || y > int64(len(p.body)) || !bytes.Equal(p.body[x:y], whole[first:last+1]) {
			t.Fatalf("%q of %q: %d to %d", text, h, x, y)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header["Range"] = []string{text}
		status, n := p.write(w, r)
		part, err := sliceOf(whole, w.Header().Get("Content-Range"))
		if status != w.Code || status != http.StatusPartialContent || n != int64(len(part)) || err != nil || !bytes.Equal(w.Body.Bytes(), part) || !bytes.Equal(part, whole[first:last+1]) {
			t.Errorf("%q of %q: %d %q %v, %v", text, h, status, w.Body, w.Header(), err)
		}
	})
}

// FuzzGuide: a guide is read as it was written, and of anything else nothing worse comes than an error.
func FuzzGuide(f *testing.F) {
	f.Add([]byte{}, true, uint64(0), "", "")
	f.Add((&guide{id: 7, fields: []string{"Accept"}}).marshal(), false, uint64(7), "Accept", "Cookie")
	f.Add(newResponse(200, aged, http.Header{"A": {"b", "c"}}, []byte("body")).marshal(), true, uint64(1), "Ä", "*")
	f.Add(codedResponse().marshal(), true, uint64(1), "", "")
	f.Add([]byte{0, 0, 1}, false, uint64(1)<<63, "", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, b []byte, alone bool, id uint64, one, other string) {
		for _, g := range []*guide{{alone: alone, id: id, fields: []string{one, other}}, {alone: true, id: id}} {
			if again, err := decodeResponse(g.marshal()); err != nil || !reflect.DeepEqual(again, any(g)) {
				t.Errorf("%+v became %+v, %v", g, again, err)
			}
		}
		v, err := decodeResponse(b)
		if err != nil {
			return
		}
		again, err := decodeResponse(v.(interface{ marshal() []byte }).marshal())
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%+v became %+v, %v", v, again, err)
		}
	})
}

// FuzzConditions: whatever a request makes its answer depend on, it gets the whole, what it named of that, or nothing.
// If-Match and If-Unmodified-Since are not the cache's (RFC 9111, section 4.3.2): there is no 412.
func FuzzConditions(f *testing.F) {
	const etag, modified = `"v1"`, "Sat, 01 Jan 2000 00:00:00 GMT"
	for _, each := range [][]string{
		{"", "", "", "", "", ""}, {etag, "", "", "", "", ""}, {`W/"v1", "v2"`, modified, "", "", "", ""}, {"*", "", "", "", "", ""}, {"", modified, "", "", "", ""},
		{"", "Fri, 31 Dec 1999 00:00:00 GMT", "", "", "bytes=1-", ""}, {"", "", `"v2"`, "", "", ""}, {"", "", etag, "Fri, 31 Dec 1999 00:00:00 GMT", "", ""},
		{"", "", "", "", "bytes=2-4", ""}, {"", "", "", "", "bytes=-3", etag}, {"", "", "", "", "bytes=-3", `"v2"`}, {"", "", "", "", "bytes=0-1,4-5", modified},
		{"", "", "", "", "bytes=99-", ""}, {"", "", "", "", "bytes=x", ""}, {"", "", "", "", "lines=1-2", ""},
	} {
		for _, kind := range []uint8{0, 1, 2, 3, 12, 16, 28} {
			f.Add([]byte("0123456789"), kind, each[0], each[1], each[2], each[3], each[4], each[5])
		}
	}
	none := regexp.MustCompile(`-[ \t]*0+[ \t]*(,|$)`)
	fields := []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "Range", "If-Range"}
	f.Fuzz(func(t *testing.T, body []byte, kind uint8, noneMatch, since, match, unmodified, part, ifRange string) {
		if none.MatchString(part) {
			t.Skip("TODO: the last 0 bytes are a 206 whose Content-Range ends before it begins")
		}
		h := http.Header{"Content-Type": {"text/plain"}, "Last-Modified": {modified}, "Etag": {etag}}
		if kind&1 != 0 {
			h["Etag"] = []string{"W/" + etag}
		}
		if kind&2 != 0 {
			delete(h, "Last-Modified")
		}
		p := newResponse([]int{200, 200, 200, 404}[kind>>2%4], 0, h, body)
		r := httptest.NewRequest([]string{"GET", "HEAD"}[kind>>4%2], "/", nil)
		for i, value := range []string{noneMatch, since, match, unmodified, part, ifRange} {
			if value != "" {
				r.Header[fields[i]] = []string{value}
			}
		}
		w := httptest.NewRecorder()
		status, n := p.write(w, r)
		got, text := w.Header(), fmt.Sprintf("%s %v %q gets %d, %d bytes: %d %v %q", r.Method, r.Header, body, status, n, w.Code, w.Header(), w.Body)
		if w.Code != status || int64(w.Body.Len()) != n || p.status != http.StatusOK && status != p.status {
			t.Fatal(text)
		}
		if length := got.Get("Content-Length"); length != "" && length != strconv.FormatInt(n, 10) && r.Method == "GET" && status != http.StatusNotModified {
			t.Errorf("Content-Length %s: %s", length, text)
		}
		allowed := []int{p.status}
		if p.status == http.StatusOK {
			allow := func(status int, fields ...string) {
				if slices.ContainsFunc(fields, func(name string) bool { return r.Header[name] != nil }) {
					allowed = append(allowed, status)
				}
			}
			allow(http.StatusNotModified, "If-None-Match", "If-Modified-Since")
			if r.Method == "GET" {
				allow(http.StatusPartialContent, "Range")
				allow(http.StatusRequestedRangeNotSatisfiable, "Range")
			}
		}
		switch {
		case !slices.Contains(allowed, status):
			t.Errorf("none of %v: %s", allowed, text)
		case status == http.StatusNotModified, r.Method == "HEAD":
			if n != 0 {
				t.Error(text)
			}
		case status == http.StatusPartialContent:
			if err := partial(got, w.Body.Bytes(), body); err != nil {
				t.Errorf("%v: %s", err, text)
			}
		case status != http.StatusRequestedRangeNotSatisfiable && !bytes.Equal(w.Body.Bytes(), body):
			t.Error(text)
		}
	})
}

// partial checks a 206 against the whole: of one range, or of several.
func partial(h http.Header, body, whole []byte) error {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return err
	}
	if kind != "multipart/byteranges" {
		part, err := sliceOf(whole, h.Get("Content-Range"))
		if err == nil && !bytes.Equal(part, body) {
			err = fmt.Errorf("want %q", part)
		}
		return err
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		each, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(each)
		if err != nil {
			return err
		}
		if err := partial(http.Header(each.Header), b, whole); err != nil {
			return err
		}
	}
}
