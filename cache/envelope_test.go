package cache

import (
	"bytes"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("payload"), "tag", "era", uint64(1), uint64(7), int64(1), int64(2), int64(3), int64(4), int64(5), false)
	f.Add(codedResponse().marshal(), "", "", uint64(2), uint64(3), int64(1), int64(2), int64(3), int64(4), int64(5), false)
	f.Add([]byte{}, "", "", uint64(0), uint64(0), int64(0), int64(-1), int64(0), int64(0), int64(0), true)
	f.Fuzz(func(t *testing.T, payload []byte, tag, era string, id, seq uint64, created, expires, stale, last, cost int64, failed bool) {
		cost &= 1<<63 - 1
		in := &entry{
			lifetime: lifetime{time.Unix(0, created), time.Unix(0, expires), time.Unix(0, stale), time.Unix(0, last), time.Unix(0, last+1)},
			id:       id, schema: 42, mark: Mark{era, seq}, tags: []string{tag, "another"}, cost: time.Duration(cost), error: failed,
		}
		in.size = len(payload) + sizeOf(in.tags)
		const schema = 42
		sealed := seal(kindValue, schema, in, payload)
		out, got, err := open(kindValue, schema, sealed)
		if err != nil || !bytes.Equal(got, payload) || !reflect.DeepEqual(in, out) {
			t.Errorf("%+v %q became %+v %q, %v", in, payload, out, got, err)
		}
		if !bytes.HasPrefix(sealed, in.head(kindValue)) || !bytes.Equal(headOf(sealed), in.head(kindValue)) {
			t.Errorf("%q does not begin with %q", sealed, in.head(kindValue))
		}
		if _, _, err := open(kindValue, schema+1, sealed); err == nil {
			t.Error("a value of another schema was accepted")
		}
		now := time.Unix(0, 1e18)
		if softer := in.with(in.softened(now)); softer.at(now) == fresh || !bytes.Equal(resealed(sealed, softer.lifetime), seal(kindValue, schema, softer, payload)) {
			t.Errorf("%+v softened became %q, want %+v", in, resealed(sealed, softer.lifetime), softer)
		}
		if _, _, err := open(kindValue, schema, seal(kindValue, schema, &entry{cost: -1 - in.cost}, payload)); err == nil {
			t.Error("a negative cost was accepted")
		}
		for i := range sealed {
			sealed[i] ^= 0x40
			if _, _, err := open(kindValue, schema, sealed); err == nil {
				t.Errorf("a flipped bit in byte %d went unnoticed", i)
			}
			sealed[i] ^= 0x40
			if i > 256 {
				break
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(seal(kindResponse, 0, &entry{tags: []string{"a"}}, newResponse(200, forAll, http.Header{"A": {"b", "c"}}, []byte("body")).marshal()))
	coded := codedResponse()
	f.Add(coded.marshal())
	f.Add(seal(kindResponse, 0, &entry{}, coded.marshal()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, payload, err := open(kindResponse, 0, b); err == nil {
			_, _ = decodeResponse(payload)
		}
		// Whatever decodes encodes to something that decodes to the same.
		p, err := unmarshalResponse(b)
		if err != nil {
			return
		}
		again, err := unmarshalResponse(p.marshal())
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add(message{kind: filled, cache: "tiles", from: "me", key: entryKey{kindResponse, "host", "/a?b"}, id: 7}.encode())
	f.Add(message{kind: failed, cache: "tiles", key: entryKey{kindValue, "", "k"}, text: "no luck", timeout: true}.encode())
	f.Add(append(message{kind: voided, cache: "tiles", tags: []string{"a", "b"}, soft: true}.encode(), "era 12"...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := decodeMessage(b)
		if !ok {
			return
		}
		again := m.encode()
		if m.kind == voided {
			again = append(again, m.mark.Era+" "+strconv.FormatUint(m.mark.Seq, 10)...)
		}
		if n, ok := decodeMessage(again); !ok || !reflect.DeepEqual(m, n) {
			t.Errorf("%+v became %+v, %t", m, n, ok)
		}
	})
}

// FuzzRedisKey: no two keys become one, and Redis' cluster finds a value and its lease in one slot.
func FuzzRedisKey(f *testing.F) {
	for _, key := range []string{"", "key", "{a}b", `\`, `\(`, "}", "a}{b", "{}"} {
		f.Add("vitrine:", key, key+"x")
		f.Add("{app}:", key, "{"+key)
	}
	tag := func(key string) string { // https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
		if i := strings.IndexByte(key, '{'); i >= 0 {
			if j := strings.IndexByte(key[i+1:], '}'); j > 0 {
				return key[i+1 : i+1+j]
			}
		}
		return key
	}
	f.Fuzz(func(t *testing.T, prefix, a, b string) {
		if strings.Contains(prefix, "{}") {
			t.Skip("Redis would look for no other braces")
		}
		s := &RedisStore{prefix: prefix}
		if (s.key(a) == s.key(b)) != (a == b) {
			t.Errorf("%q becomes %q, and %q %q", a, s.key(a), b, s.key(b))
		}
		if keys := s.keys(a); tag(keys[0]) != tag(keys[1]) {
			t.Errorf("%q lie in two slots: %q and %q", keys, tag(keys[0]), tag(keys[1]))
		}
	})
}
