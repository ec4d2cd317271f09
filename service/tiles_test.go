package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
)

func TestTiles(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	seen := map[string]string{}
	for _, name := range []string{"0/0/0", "1/0/0", "1/1/1", "2/1/1", "29/163084529/268435456"} {
		a := get(t, p.url+"/tiles/"+name)
		a.want(t, http.StatusOK, "image/png")
		img, err := png.Decode(strings.NewReader(a.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := img.Bounds(), image.Rect(0, 0, 256, 256); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
		if other, ok := seen[a.body]; ok {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[a.body] = name
		if got := a.Header.Get("Cache-Status"); got != "tiles; fwd=uri-miss; stored" {
			t.Errorf("%s: Cache-Status %q, want a miss", name, got)
		}

		again := get(t, p.url+"/tiles/"+name)
		if again.body != a.body || !strings.HasPrefix(again.Header.Get("Cache-Status"), "tiles; hit;") {
			t.Errorf("%s, once more: %d bytes after %d, Cache-Status %q", name, len(again.body), len(a.body), again.Header.Get("Cache-Status"))
		}
	}
	// Another program draws the same.
	if a := get(t, start(t, nil).url+"/tiles/2/1/1"); seen[a.body] != "2/1/1" {
		t.Error("two programs draw one tile differently")
	}
}

// TestTilesFit: a tile is what its four children show, at half the size.
func TestTilesFit(t *testing.T) {
	t.Parallel()
	for px := range tileSide / 2 {
		for _, child := range (tile{3, 2, 4}).children() {
			re, im := child.point(2*px, 2*px)
			re2, im2 := child.point(2*px+1, 2*px+1)
			x, y := px+(child.x-4)*tileSide/2, px+(child.y-8)*tileSide/2
			wantRe, wantIm := (tile{3, 2, 4}).point(x, y)
			if !near((re+re2)/2, wantRe) || !near((im+im2)/2, wantIm) {
				t.Fatalf("pixel %d/%d of the tile is %v %v, its child %v says %v %v", x, y, wantRe, wantIm, child, (re+re2)/2, (im+im2)/2)
			}
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	const limit = 1000
	for _, test := range []struct {
		desc   string
		re, im float64
		want   int
	}{
		{"the middle", 0, 0, limit}, {"the bulb", -1, 0, limit}, {"the tip", -2, 0, limit},
		{"outside both closed forms", -.12, .75, limit},
		{"far away", 3, 0, 1}, {"near", 1, 0, 3}, {"right of the cusp", .26, 0, 30},
	} {
		if got := escape(test.re, test.im, limit); got != test.want {
			t.Errorf("%s: %d steps, want %d", test.desc, got, test.want)
		}
	}
}

// TestNoTile: what names no tile is answered before any cache, in a form that programs can read.
func TestNoTile(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, test := range []struct {
		desc, tile string
		status     int
	}{
		{"letters", "a/b/c", 400}, {"a letter", "1/1/x", 400}, {"a suffix", "1/1/1.png", 400},
		{"a leading zero", "01/1/1", 400}, {"a plus", "1/+1/1", 400}, {"a fraction", "1/1/1.0", 400}, {"minus zero", "1/-0/1", 400},
		{"a space", "1/%201/1", 400}, {"hexadecimal", "0x1/1/1", 400}, {"an exponent", "1e0/1/1", 400}, {"other digits", "1/%D9%A1/1", 400},
		{"an underscore", "10/1_0/1", 400}, {"a slash", "1/1%2F1/1", 400},
		{"too large a number", "1/99999999999999999999/1", 400}, {"too large a level", "99999999999999999999/0/0", 400},
		{"too deep", "30/0/0", 404}, {"far too deep", "64/0/0", 404}, {"above the map", "-1/0/0", 404},
		{"x beyond", "1/2/0", 404}, {"y beyond", "1/0/2", 404}, {"x before", "1/-1/0", 404}, {"y before", "1/0/-1", 404},
		{"x beyond at the deepest", "29/536870912/0", 404}, {"x of 63 bits", "1/9223372036854775807/0", 404},
	} {
		for _, endpoint := range []string{"tiles", "stats"} {
			a := get(t, fmt.Sprintf("%s/%s/%s", p.url, endpoint, test.tile))
			a.want(t, test.status, "application/problem+json")
			var body struct {
				Title, Detail string
				Status        int
			}
			a.json(t, &body)
			if body.Status != test.status || body.Title != http.StatusText(test.status) || body.Detail == "" {
				t.Errorf("%s: %s", test.desc, a.body)
			}
			if a.Header["Cache-Status"] != nil {
				t.Errorf("%s: went to a cache: %s", test.desc, a.Header["Cache-Status"])
			}
		}
	}
	// The least and the most that there is.
	for _, tile := range []string{"0/0/0", "29/0/0", "29/536870911/536870911"} {
		get(t, p.url+"/tiles/"+tile).want(t, http.StatusOK, "image/png")
		get(t, p.url+"/stats/"+tile).want(t, http.StatusOK, "application/json")
	}
}

// TestTileHead: HEAD has the headers of GET.
func TestTileHead(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	head := ask(t, http.MethodHead, p.url+"/tiles/1/0/0")
	body := get(t, p.url+"/tiles/1/0/0").body
	head.want(t, http.StatusOK, "image/png")
	if head.body != "" || head.ContentLength != int64(len(body)) || !bytes.HasPrefix([]byte(body), []byte("\x89PNG")) {
		t.Errorf("HEAD says %d bytes and has %d, GET has %d", head.ContentLength, len(head.body), len(body))
	}
}
