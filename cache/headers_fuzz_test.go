package cache

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

// balanced tells whether every quoted string of a line ends in it.
func balanced(line string) bool {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		}
	}
	return !quoted
}

// FuzzDirectives: what is split over lines says what it says on one, and what was read can be written and read again.
func FuzzDirectives(f *testing.F) {
	for _, line := range []string{
		"", "max-age=5", "Max-Age=5, max-age=6", `private="x, y"`, `ext="a\", no-store", s-maxage="7"`, " ,\t, a ,", "=", `a="`, `a="\"`, `a=b"c"`, `"a,b"=c`, "a = b", `a="b"c"`,
	} {
		f.Add(line, `no-store="x\y"`)
		f.Add("public", line)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		d := directivesIn([]string{a, b})
		if balanced(a) && balanced(b) {
			if one := directivesIn([]string{a + ", " + b}); !maps.Equal(d, one) {
				t.Errorf("%q and %q are %q, and on one line %q", a, b, d, one)
			}
		}
		var again strings.Builder
		for name, value := range d {
			if name != strings.ToLower(name) {
				t.Errorf("%q is not in lower case", name)
			}
			if strings.Contains(name, `"`) {
				return // no token
			}
			again.WriteString(name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `" , `)
		}
		if e := directivesIn([]string{again.String()}); !maps.Equal(d, e) {
			t.Errorf("%q, written as %s, is %q", d, again.String(), e)
		}
	})
}

var (
	digits         = regexp.MustCompile("^[0-9]+$")
	integerOrToken = regexp.MustCompile("^(-?[0-9]+$|[A-Za-z*])")
)

// deltaSecondsAgain is section 1.2.2 of RFC 9111.
func deltaSecondsAgain(value string) (time.Duration, bool) {
	if !digits.MatchString(value) {
		return 0, false
	}
	n, _ := new(big.Int).SetString(value, 10)
	most := big.NewInt(1 << 31)
	if n.Cmp(most) > 0 {
		n = most
	}
	return time.Duration(n.Int64()) * time.Second, true
}

func FuzzDeltaSeconds(f *testing.F) {
	for _, value := range []string{"", "0", "007", "60", "2147483647", "2147483648", "2147483649", "9223372036854775808", "99999999999999999999", "-1", "+1", "1.5", "1e3", "0x1", "1_0", " 1", "٣"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d, ok := deltaSeconds(value)
		if want, valid := deltaSecondsAgain(value); d != want || ok != valid {
			t.Errorf("%q is %s, %t; want %s, %t", value, d, ok, want, valid)
		}
	})
}

// FuzzAge: one line says the first of its members, and what several caches have said nobody knows.
func FuzzAge(f *testing.F) {
	for _, line := range []string{"", "0", " 7 ", "7,60", "7 ,60", "7, 60", ",7", "-1", "1.5", "99999999999999999999", "seven"} {
		f.Add(line, "", false)
		f.Add(line, "5", true)
	}
	f.Fuzz(func(t *testing.T, a, b string, two bool) {
		first, _, _ := strings.Cut(a, ",")
		value := strings.Trim(first, " \t")
		if value != strings.TrimSpace(first) {
			t.Skip("of other space, which no field has, more is forgiven")
		}
		want, valid := deltaSecondsAgain(value)
		lines := []string{a}
		if two {
			lines = append(lines, b)
		}
		if two || strings.Contains(a, ", ") {
			want, valid = 0, false
		}
		if d, ok := ageIn(lines); d != want || ok != valid {
			t.Errorf("%q is %s, %t; want %s, %t", lines, d, ok, want, valid)
		}
		if d, ok := ageIn(nil); d != 0 || ok {
			t.Errorf("nothing is %s, %t", d, ok)
		}
	})
}

// FuzzTargeted: a targeted field says what a dictionary does (RFC 9213, section 2.1), and Surrogate-Control nothing
// that is for another.
func FuzzTargeted(f *testing.F) {
	for _, line := range []string{
		"", "max-age=60", "max-age=60;c", "max-age=60, no-store;other", `private="x"`, "no-store=?0", "a=1.5, b=:YQ==:, c=(1 2), d=@7, e", "Max-Age=60", "a, a=2",
		"max-age=60,", `a="x\"y"`, "a=tok;p=1", `content="ESI/1.0", max-age=3600+600;c`,
	} {
		f.Add(line, "no-store", "other")
		f.Add(line, "private;c", " d")
	}
	const cdn = "Cdn-Cache-Control"
	f.Fuzz(func(t *testing.T, line, theirs, whom string) {
		d, ok := targetedAt(http.Header{cdn: {line}}, []string{surrogateControl, cdn}, "c")
		want := make(directives)
		if dict, err := httpsfv.UnmarshalDictionary([]string{line}); err == nil {
			for _, name := range dict.Names() {
				member, _ := dict.Get(name)
				item, ok := member.(httpsfv.Item)
				if !ok {
					continue
				}
				item.Params = httpsfv.NewParams()
				text, err := httpsfv.Marshal(item)
				switch { // by how its value is spelled: a true, a string, an integer, a token
				case err != nil:
				case text == "?1":
					want[name] = ""
				case text[0] == '"':
					want[name] = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(text[1 : len(text)-1])
				case integerOrToken.MatchString(text):
					want[name] = text
				}
			}
		}
		if ok != (len(want) > 0) || !maps.Equal(d, want) {
			t.Errorf("%q is %q, %t; want %q", line, d, ok, want)
		}

		if strings.ContainsAny(theirs+whom, `,"`) || strings.EqualFold(strings.TrimSpace(whom), "c") {
			return
		}
		mine := surrogateDirectives([]string{line}, "c")
		if with := surrogateDirectives([]string{theirs + ";" + whom, line}, "c"); !maps.Equal(mine, with) {
			t.Errorf("%q is %q, and with %q for %q: %q", line, mine, theirs, whom, with)
		}
		if with := surrogateDirectives([]string{line, "x-mine;C", "max-age=1"}, "c"); !with.has("x-mine") || !with.has("max-age") {
			t.Errorf("%q with x-mine for C and max-age is %q", line, with)
		}
	})
}

// FuzzVary: what says the same selects the same, and nothing else does (RFC 9111, section 4.1).
func FuzzVary(f *testing.F) {
	for _, line := range []string{
		"", "accept, Accept-Language", "*", "de, en;q=0.5", "en;q=0.50, DE", "a;q=0, b;q=1.000", "text/html;level=1;q=0.3, */*", `x;p="a,b;q=1"`, "gzip ,, br", "a;q=2", "q=0.5", `"`, "ſ, K",
	} {
		f.Add(line, "de,en;q=0.5", uint8(0))
		f.Add("X-Other, x-other", line, uint8(1))
		f.Add("en", line, uint8(4))
	}
	const unknown = "X-Unknown"
	f.Fuzz(func(t *testing.T, a, b string, which uint8) {
		names := selecting([]string{a, b})
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || !slices.Equal(selecting(names), names) && balanced(a) && balanced(b) {
			t.Errorf("%q and %q name %q", a, b, names)
		}

		digestOf := func(lines ...string) string { return digest([]string{unknown}, http.Header{unknown: lines}) }
		if same := digestOf(a) == digestOf(b); same != (normalized(unknown, []string{a}) == normalized(unknown, []string{b})) {
			t.Errorf("%q and %q select the same: %t", a, b, same)
		}
		if digestOf(a) == digest([]string{unknown}, nil) {
			t.Errorf("%q selects what nothing does", a)
		}
		if !balanced(a) || !balanced(b) {
			return
		}
		if same := digestOf(a) == digestOf(b); same != slices.Equal(membersOf(a), membersOf(b)) {
			t.Errorf("%q and %q select the same: %t", a, b, same)
		}
		if digestOf(a, b) != digestOf(a+" ,\t"+b) {
			t.Errorf("%q and %q select another than on one line", a, b)
		}

		name := []string{unknown, "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language"}[which%5]
		text := normalized(name, []string{a, b})
		if again := normalized(name, []string{text}); again != text {
			t.Errorf("%s: %q and %q become %q, and that %q", name, a, b, text, again)
		}
		members := append(membersOf(a), membersOf(b)...)
		all := preferencesIn(members)
		if !slices.IsSortedFunc(all, func(a, b preference) int { return cmp.Compare(b.weight, a.weight) }) {
			t.Errorf("%q and %q prefer %v", a, b, all)
		}
		if name == unknown || slices.ContainsFunc(all, func(p preference) bool { return math.Signbit(p.weight) }) {
			return // a weight of -0 is none, and is told from 0
		}
		slices.Reverse(members)
		for i, member := range members {
			what, parameters, some := strings.Cut(member, ";")
			if members[i] = strings.Map(swapped, what); some {
				members[i] += ";" + parameters
			}
		}
		other := strings.Join(members, "\t, ,")
		if !strings.Contains(other, `"`) {
			other = strings.ReplaceAll(other, ";", " ;\t")
		}
		if again := normalized(name, []string{other}); again != normalized(name, []string{a, b}) {
			t.Errorf("%s: %q and %q become %q, but %q %q", name, a, b, text, other, again)
		}
	})
}

func membersOf(line string) []string { return slices.Collect(listed([]string{line})) }

// swapped is a letter in the other case.
func swapped(c rune) rune {
	if c|0x20 >= 'a' && c|0x20 <= 'z' && c < 0x80 {
		return c ^ 0x20
	}
	return c
}
