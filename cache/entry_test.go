package cache

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestResponseRoundTrip(t *testing.T) {
	for _, p := range []*response{
		newResponse(200, 0, http.Header{}, []byte{}),
		newResponse(204, 0, http.Header{"X": {""}}, []byte{}),
		newResponse(200, 0, http.Header{"Content-Type": {"image/png"}, "Link": {"<a>", "<b>"}}, bytes.Repeat([]byte{0, 255}, 1<<16)),
	} {
		got, err := unmarshalResponse(p.marshal())
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%+v became %+v, %v", p, got, err)
		}
		for _, f := range got.fields {
			if cap(f.values) != len(f.values) {
				t.Errorf("%s has room for an Add to write into what all answers share", f.name)
			}
		}
	}
}

func TestFarKeyIsBounded(t *testing.T) {
	a := entryKey{kindResponse, "host", strings.Repeat("a", 1<<16)}.far("tiles")
	b := entryKey{kindResponse, "host", strings.Repeat("a", 1<<16) + "b"}.far("tiles")
	if len(a) > 300 || a == b {
		t.Errorf("%d bytes, equal: %t", len(a), a == b)
	}
}

// TestNearOverhead holds entryOverhead against the heap: without it a bound in bytes would be none.
func TestNearOverhead(t *testing.T) {
	const n = 50_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	near := newNear(1<<40, 0, newMetrics("test"))
	defer near.close()
	c := &Cache{near: near, opts: Options{Name: "tiles"}}
	before := heap()
	for i := range n {
		p := newResponse(200, 0, http.Header{"Content-Type": {"image/png"}}, []byte{1})
		k := entryKey{kindResponse, "host", fmt.Sprintf("/tiles/20/%07d/%07d", i, i)}
		near.set(k, &entry{value: p, size: p.size(), lifetime: lifetime{expires: time.Now().Add(time.Hour)}}, 0)
		c.now(near.get(k, time.Now()), p, time.Now()) // what a hit leaves behind counts too
	}
	near.otter.CleanUp()
	real, weighed := (heap()-before)/n, near.otter.WeightedSize()/n
	runtime.KeepAlive(near)
	t.Logf("an entry takes %d bytes and is weighed as %d", real, weighed)
	if real > weighed || weighed > 2*real {
		t.Errorf("an entry takes %d bytes and is weighed as %d", real, weighed)
	}
}
