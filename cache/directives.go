package cache

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// directives are those of Cache-Control (RFC 9111, section 5.2): names in lower case, without an argument "". Of several
// of a name the first counts (section 4.2.1), but for private and no-cache: they forbid what any of them forbids.
type directives map[string]string

func (d directives) has(name string) bool { _, ok := d[name]; return ok }

// unqualified tells whether name is there without an argument.
func (d directives) unqualified(name string) bool { value, ok := d[name]; return ok && value == "" }

// duration is the argument of name. Its second result is false where there is none, or it is not delta-seconds.
func (d directives) duration(name string) (_ time.Duration, ok bool) {
	value, ok := d[name]
	if !ok {
		return 0, false
	}
	return deltaSeconds(value)
}

// fields are the names of header fields that name has as its argument, if it has one.
func (d directives) fields(name string) (names []string) {
	for part := range strings.SplitSeq(d[name], ",") {
		if part = strings.TrimSpace(part); part != "" {
			names = append(names, http.CanonicalHeaderKey(part))
		}
	}
	return names
}

// directivesIn reads the lines of a Cache-Control field.
func directivesIn(lines []string) directives {
	var d directives
	for part := range listed(lines) {
		name, value, _ := strings.Cut(part, "=")
		if exact := strings.TrimRight(name, " \t"); exact != name {
			name, value = exact, " "+value // no space may stand there: the argument is none
		}
		name = strings.ToLower(name)
		if d == nil {
			d = make(directives)
		}
		before, again := d[name]
		switch value = unquote(value); {
		case name == "private" || name == "no-cache":
			if again && before == "" || strings.Contains(value, `"`) {
				value = "" // all of it, or what nobody understands
			} else if again && value != "" {
				value = before + "," + value
			}
			d[name] = value
		case !again:
			d[name] = value
		}
	}
	return d
}

// listed are the members of a list (RFC 9110, section 5.6.1), without the space around them.
func listed(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for part := ""; line != ""; {
				part, line = cutUnquoted(line, ',')
				if part = strings.Trim(part, " \t"); part != "" && !yield(part) {
					return
				}
			}
		}
	}
}

// cutUnquoted is strings.Cut at the first sep that is in no quoted string.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unquote is what a quoted string says (RFC 9110, section 5.6.4). What is none says itself.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isDigits tells whether s is 1*DIGIT.
func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// deltaSeconds is RFC 9111's form of a duration (section 1.2.2). One too large to be counted is 2^31 seconds.
func deltaSeconds(value string) (time.Duration, bool) {
	if !isDigits(value) {
		return 0, false
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || n > 1<<31 {
		n = 1 << 31
	}
	return time.Duration(n) * time.Second, true
}

// targetedAt are the directives of the first field in names that has any for the cache called name (RFC 9213, section
// 2.2). Where there are some, Cache-Control and Expires are others' business.
func targetedAt(h http.Header, names []string, name string) (directives, bool) {
	for _, field := range names {
		if field == surrogateControl {
			if d := surrogateDirectives(h[field], name); d != nil {
				return d, true
			}
			continue
		}
		dict, err := httpsfv.UnmarshalDictionary(h[field])
		if len(h[field]) == 0 || err != nil {
			continue // RFC 9213, section 2.1: ignored as a whole
		}
		d := make(directives)
		for _, key := range dict.Names() {
			member, _ := dict.Get(key)
			if item, ok := member.(httpsfv.Item); ok {
				if value, ok := argument(item.Value); ok {
					d[key] = value
				}
			}
		}
		if len(d) > 0 {
			return d, true
		}
	}
	return nil, false
}

// surrogateControl is a targeted field from before structured ones (W3C Note "Edge Architecture Specification", 2001).
const surrogateControl = "Surrogate-Control"

// surrogateDirectives are those for all, or for the cache called name: behind a semicolon stands whom one is for.
func surrogateDirectives(lines []string, name string) directives {
	var mine, all []string
	for member := range listed(lines) {
		directive, whom, named := strings.Cut(member, ";")
		switch {
		case !named:
			all = append(all, directive)
		case strings.EqualFold(strings.TrimSpace(whom), name):
			mine = append(mine, directive)
		}
	}
	d := directivesIn(append(mine, all...)) // the first counts
	if !d.has("max-age") && !d.has("no-store") {
		return nil // it speaks of something else
	}
	return d
}

// argument is a value as Cache-Control would have it. Its second result is false for one that no directive has.
func argument(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case string:
		return v, true
	case httpsfv.Token:
		return string(v), true
	case bool:
		return "", v
	}
	return "", false
}
