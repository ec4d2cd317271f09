package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"sync/atomic"
	"time"
)

// kind keeps apart what Fetch and Handler hold under equal names.
type kind byte

const (
	kindValue    kind = 'v'
	kindResponse kind = 'r'
)

// entryKey is made of parts, so that the key of a request is no new string.
type entryKey struct {
	kind kind
	host string // of a response's request
	name string
}

// far is the key's name in the far tier. Very long names are hashed: a URL may be kilobytes long.
func (k entryKey) far(cache string) string {
	const longest = 256
	if len(k.host)+len(k.name) > longest {
		sum := sha256.Sum256([]byte(k.host + k.name))
		return cache + ":" + string(k.kind) + "#" + hex.EncodeToString(sum[:])
	}
	return cache + ":" + string(k.kind) + ":" + k.host + k.name
}

// entry is a value with what is known of it. All but the atomics is immutable once it is shared.
type entry struct {
	value   any
	size    int // bytes of payload
	created time.Time
	expires time.Time
	cost    time.Duration // what the load took

	hash      uint64 // decides whether it is simulated
	weight    uint32 // in the near tier
	simulated atomic.Bool
	hits      atomic.Int64
}

func (e *entry) fresh(now time.Time) bool { return now.Before(e.expires) }

// age is zero where another process' clock is ahead of this one's.
func (e *entry) age(now time.Time) time.Duration { return max(now.Sub(e.created), 0) }

// The envelope of an entry in the far tier, version 1, integers big endian:
//
//	0   1  version
//	1   1  kind
//	2   4  CRC-32C (RFC 3720) of all that follows
//	6   8  created, nanoseconds since 1970
//	14  8  expires, likewise
//	22  8  cost, nanoseconds
//	30  …  payload
const (
	envelopeVersion = 1
	envelopeSum     = 6
	envelopeHeader  = 30
)

var (
	errCorrupt = errors.New("cache: not a whole entry of this version")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func seal(k kind, e *entry, payload []byte) []byte {
	b := make([]byte, envelopeHeader, envelopeHeader+len(payload))
	b[0], b[1] = envelopeVersion, byte(k)
	binary.BigEndian.PutUint64(b[6:], uint64(e.created.UnixNano()))
	binary.BigEndian.PutUint64(b[14:], uint64(e.expires.UnixNano()))
	binary.BigEndian.PutUint64(b[22:], uint64(e.cost))
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[envelopeSum:], castagnoli))
	return b
}

// open returns the entry without its value, and the payload, which shares b's memory.
func open(k kind, b []byte) (*entry, []byte, error) {
	if len(b) < envelopeHeader || b[0] != envelopeVersion || b[1] != byte(k) ||
		binary.BigEndian.Uint32(b[2:]) != crc32.Checksum(b[envelopeSum:], castagnoli) {
		return nil, nil, errCorrupt
	}
	cost := time.Duration(binary.BigEndian.Uint64(b[22:]))
	if cost < 0 {
		return nil, nil, errCorrupt // it would be subtracted from what is saved
	}
	return &entry{
		size:    len(b) - envelopeHeader,
		created: time.Unix(0, int64(binary.BigEndian.Uint64(b[6:]))),
		expires: time.Unix(0, int64(binary.BigEndian.Uint64(b[14:]))),
		cost:    cost,
	}, b[envelopeHeader:], nil
}
