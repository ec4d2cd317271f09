package cache

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// guide is kept under the key of a URL in the place of a response: where that depends on fields of the request, or is
// for its asker alone.
type guide struct {
	alone  bool
	id     uint64   // part of the keys of the variants: a new guide knows none of an older one's
	fields []string // on which they depend, sorted
}

// How long a guide stands. One that says alone is followed for a while, and for another by all but one, who looks
// whether that is still so; one to variants for as long as any of them, and a day at least.
const (
	aloneFor     = time.Minute
	aloneOverdue = 10 * time.Minute
	guidesFor    = 24 * time.Hour
)

func (e *entry) asGuide() *guide { g, _ := e.value.(*guide); return g }

// guideTo is an entry that leads to variants which live until end, or to none.
func guideTo(g *guide, now, end time.Time) *entry {
	d := aloneFor
	if !g.alone {
		d = leadsFor(now, end)
	}
	return &entry{value: g, size: sizeOf(g.fields), lifetime: standing(now, d)}
}

// leadsFor is how long something stands that leads to what lives until end.
func leadsFor(now, end time.Time) time.Duration { return max(guidesFor, 2*end.Sub(now)) }

func standing(now time.Time, d time.Duration) lifetime {
	l := lifetime{created: now, expires: now.Add(d)}
	l.stale = l.expires.Add(aloneOverdue)
	l.last, l.kept = l.stale, l.stale
	return l
}

// variant is the key of the response to a request with header h.
func (g *guide) variant(k entryKey, h http.Header) entryKey {
	return g.key(k, digest(g.fields, h))
}

func (g *guide) key(k entryKey, digest string) entryKey {
	return entryKey{kind: kindVariant, host: k.host, name: k.name + " " + string(k.kind) + strconv.FormatUint(g.id, 36) + digest}
}

// alias is kept, in one process, under the key of a language: the key of a variant in it.
type alias struct{ to entryKey }

// aliasOf is an entry that leads to e, which is kept under k.
func aliasOf(k entryKey, e *entry, now time.Time) *entry {
	return &entry{value: alias{k}, lifetime: standing(now, leadsFor(now, e.end())), mark: e.mark}
}

// inLanguage is the key of the alias of the language that these lines name, where nothing but the language varies. No
// header has its digest.
func (g *guide) inLanguage(primary entryKey, lines []string) (entryKey, bool) {
	const field = "Accept-Language"
	if len(lines) != 1 || strings.Contains(lines[0], ",") || len(g.fields) != 1 || g.fields[0] != field {
		return entryKey{}, false
	}
	const language = "\x00Content-Language"
	return g.key(primary, digest([]string{language}, http.Header{language: {strings.ToLower(lines[0])}})), true
}

// preferred is the language that a request prefers to all others, or nothing, as inLanguage wants it.
func preferred(h http.Header) []string {
	all := preferencesIn(h["Accept-Language"])
	if len(all) == 0 || all[0].what == "*" || all[0].weight == 0 || len(all) > 1 && all[1].weight == all[0].weight {
		return nil
	}
	return []string{all[0].what}
}

// nearest returns what the near tier has for a request with header h under k, or nil. If a guide led there, it returns that
// too, and the key of what the request asks for.
func (c *Cache) nearest(k entryKey, h http.Header, now time.Time) (e, from *entry, at entryKey) {
	e = c.near.get(k, now)
	if e == nil {
		return nil, nil, k
	}
	if g := e.asGuide(); g != nil && !g.alone {
		at := g.variant(k, h)
		return c.variantOf(e, k, at, h, now), e, at
	}
	return e, nil, k
}

// variantOf returns the entry to which from, a guide, leads, or nil: that under at, or one in the language that h prefers.
func (c *Cache) variantOf(from *entry, primary, at entryKey, h http.Header, now time.Time) *entry {
	e := c.near.get(at, now)
	if e == nil {
		if e, at = c.inPreferredLanguage(from.asGuide(), primary, h, now); e == nil {
			return nil
		}
	}
	if from.outdates(e, now) {
		c.near.soften(at, from.expires)
		return c.near.get(at, now)
	}
	return e
}

// inPreferredLanguage returns a fresh entry in the language that h prefers to all others, with its key, or nil. Who refreshes
// one that is not would ask in its own words, and the answer be kept elsewhere.
func (c *Cache) inPreferredLanguage(g *guide, primary entryKey, h http.Header, now time.Time) (*entry, entryKey) {
	at, ok := g.inLanguage(primary, preferred(h))
	if !ok {
		return nil, at
	}
	led := c.near.get(at, now)
	if led == nil {
		return nil, at
	}
	to := led.value.(alias).to
	if e := c.near.get(to, now); e != nil && e.at(now) == fresh {
		return e, to
	}
	return nil, to
}

// outdates tells whether e, a guide, was purged softly since the load of a variant began, and that with it.
func (e *entry) outdates(variant *entry, now time.Time) bool {
	began := variant.created.Add(-variant.cost)
	return e.at(now) != fresh && began.Before(e.expires) && variant.expires.After(e.expires)
}

// primary is the key of the URL whose variant k is.
func (k entryKey) primary() entryKey {
	if k.kind != kindVariant {
		return k
	}
	i := strings.LastIndexByte(k.name, ' ')
	return entryKey{kind: kind(k.name[i+1]), host: k.host, name: k.name[:i]}
}

// leads tells whether g leads to all that a response depends on.
func (g *guide) leads(fields []string) bool {
	for _, name := range fields {
		if !slices.Contains(g.fields, name) {
			return false
		}
	}
	return true
}

// selecting are the fields that a Vary names, each once, sorted (RFC 9110, section 12.5.5).
func selecting(vary []string) (names []string) {
	for name := range listed(vary) {
		names = append(names, http.CanonicalHeaderKey(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// digest is what h says in these fields. It is a hash: credentials may be among them, and it is part of keys.
func digest(fields []string, h http.Header) string {
	var b []byte
	for _, name := range fields {
		b = appendString(b, name)
		lines, ok := h[name]
		b = appendBool(b, ok)
		b = appendString(b, normalized(name, lines))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// normalized is one spelling of all that say the same (RFC 9111, section 4.1).
func normalized(name string, lines []string) string {
	switch name {
	case "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language":
		var b strings.Builder
		for _, p := range preferencesIn(lines) {
			b.WriteString(p.what + ";q=" + strconv.FormatFloat(p.weight, 'g', -1, 64) + ",")
		}
		return b.String()
	case "Authorization", "Cookie", "Origin", "Referer", "User-Agent":
		return strings.Join(lines, ", ")
	}
	// Fields that nobody here knows are taken for lists, whose members may have space around them.
	var b strings.Builder
	for member := range listed([]string{strings.Join(lines, ", ")}) { // a quote may go on in the next line
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(member)
	}
	return b.String()
}

// preference is a member of a list with weights (RFC 9110, section 12.4.2).
type preference struct {
	what   string
	weight float64 // from 0 to 1
}

// preferencesIn are the members of such a list, the heaviest first: the order of equals says nothing, nor does case.
func preferencesIn(lines []string) (all []preference) {
	for member := range listed(lines) {
		what, rest := cutUnquoted(member, ';')
		p := preference{strings.ToLower(strings.Trim(what, " \t")), 1}
		for part := ""; rest != ""; {
			part, rest = cutUnquoted(rest, ';')
			part = strings.Trim(part, " \t")
			if name, q, _ := strings.Cut(part, "="); strings.EqualFold(name, "q") {
				if weight, err := strconv.ParseFloat(q, 64); err == nil && weight >= 0 && weight <= 1 {
					p.weight = weight
					continue
				}
			}
			p.what += ";" + part
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b preference) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), strings.Compare(a.what, b.what))
	})
	return all
}

// A guide's payload begins with a zero, a response's never does.
func (g *guide) marshal() []byte {
	b := binary.BigEndian.AppendUint64(appendBool([]byte{0}, g.alone), g.id)
	for _, name := range g.fields {
		b = appendString(b, name)
	}
	return b
}

func unmarshalGuide(b []byte) (*guide, error) {
	r := reader{b: b[1:]}
	g := &guide{alone: r.byte() == 1, id: r.uint64()}
	for len(r.b) > 0 && !r.bad {
		g.fields = append(g.fields, string(r.bytes()))
	}
	if r.bad || !g.alone && len(g.fields) == 0 {
		return nil, errResponse
	}
	return g, nil
}
