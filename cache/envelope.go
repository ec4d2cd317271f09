package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"time"
)

// The envelope of an entry in the far tier, version 3, integers big endian, times in nanoseconds since 1970:
//
//	0   1  version
//	1   1  kind
//	2   8  id
//	10  4  CRC-32C (RFC 3720) of all but itself
//	14  8  created
//	22  8  expires
//	30  8  stale
//	38  8  last
//	46  8  kept
//	54  8  cost, nanoseconds
//	62  8  schema, which says how to read the payload
//	70  1  flags: 1 is an error
//	71  8  number of the last purge before its load
//	79  …  era of that number; number of tags; tags; as marshal writes strings and numbers
//	…   …  payload; of an error, 1 if it is ErrLoadTimeout or else 0, and its text
const (
	envelopeVersion = 3
	envelopeHead    = 10 // bytes that tell one entry from another
	envelopeHeader  = 79
	flagError       = 1
)

var (
	errCorrupt = errors.New("cache: not a whole entry of this version")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// seal puts an entry into its envelope.
func seal(k kind, schema uint64, e *entry, payload []byte) []byte {
	b := make([]byte, envelopeHeader, envelopeHeader+len(e.mark.Era)+len(payload)+8+sizeOf(e.tags))
	b[0], b[1] = envelopeVersion, byte(k)
	be := binary.BigEndian
	be.PutUint64(b[2:], e.id)
	putLifetime(b, e.lifetime)
	be.PutUint64(b[54:], uint64(e.cost))
	be.PutUint64(b[62:], schema)
	if e.error {
		b[70] = flagError
	}
	be.PutUint64(b[71:], e.mark.Seq)
	b = appendString(b, e.mark.Era)
	b = binary.AppendUvarint(b, uint64(len(e.tags)))
	for _, tag := range e.tags {
		b = appendString(b, tag)
	}
	b = append(b, payload...)
	be.PutUint32(b[10:], envelopeSum(b))
	return b
}

func envelopeSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:10], castagnoli), castagnoli, b[14:])
}

// open returns the entry without its value, and the payload, which shares b's memory.
func open(k kind, schema uint64, b []byte) (*entry, []byte, error) {
	e, payload, err := unseal(b)
	if err == nil && (b[1] != byte(k) || binary.BigEndian.Uint64(b[62:]) != schema) {
		err = errCorrupt
	}
	if err != nil {
		return nil, nil, err
	}
	e.schema = schema
	return e, payload, nil
}

// unseal is open for whoever need not read the payload.
func unseal(b []byte) (*entry, []byte, error) {
	be := binary.BigEndian
	if len(b) < envelopeHeader || b[0] != envelopeVersion || b[70]&^flagError != 0 || be.Uint32(b[10:]) != envelopeSum(b) {
		return nil, nil, errCorrupt
	}
	at := func(i int) time.Time { return time.Unix(0, int64(be.Uint64(b[14+8*i:]))) }
	e := &entry{
		id:       be.Uint64(b[2:]),
		lifetime: lifetime{created: at(0), expires: at(1), stale: at(2), last: at(3), kept: at(4)},
		cost:     time.Duration(be.Uint64(b[54:])),
		error:    b[70] == flagError,
		mark:     Mark{Seq: be.Uint64(b[71:])},
	}
	if e.cost < 0 {
		return nil, nil, errCorrupt // it would be subtracted from what is saved
	}
	r := reader{b: b[envelopeHeader:]}
	e.mark.Era = string(r.bytes())
	for range r.uvarint() {
		e.tags = append(e.tags, string(r.bytes()))
		if r.bad {
			break
		}
	}
	if r.bad {
		return nil, nil, errCorrupt
	}
	e.size = len(r.b) + sizeOf(e.tags)
	return e, r.b, nil
}

// head is how e's envelope begins: no other's begins so.
func (e *entry) head(k kind) []byte {
	return binary.BigEndian.AppendUint64([]byte{envelopeVersion, byte(k)}, e.id)
}

func putLifetime(b []byte, l lifetime) {
	for i, t := range []time.Time{l.created, l.expires, l.stale, l.last, l.kept} {
		binary.BigEndian.PutUint64(b[14+8*i:], uint64(t.UnixNano()))
	}
}

// resealed is b with another lifetime.
func resealed(b []byte, l lifetime) []byte {
	b = slices.Clone(b)
	putLifetime(b, l)
	binary.BigEndian.PutUint32(b[10:], envelopeSum(b))
	return b
}

// sizeOf is what tags weigh, in bytes.
func sizeOf(tags []string) (n int) {
	for _, tag := range tags {
		n += len(tag) + 16
	}
	return n
}

// headOf is how b begins, whatever it is.
func headOf(b []byte) []byte { return b[:min(len(b), envelopeHead)] }

// newID is one that no other entry has.
func newID() uint64 { return rand.Uint64() }
