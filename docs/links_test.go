package docs_test

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	fenced   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	indented = regexp.MustCompile(`(?m)^    .*$`)
	inline   = regexp.MustCompile("`([^`\n]+)`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	marks    = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// prose is a document without its blocks of code, and code the spans of code that stand in it.
func prose(document string) (text string, code []string) {
	text = indented.ReplaceAllString(fenced.ReplaceAllString(document, ""), "")
	for _, m := range inline.FindAllStringSubmatch(text, -1) {
		code = append(code, m[1])
	}
	return inline.ReplaceAllString(text, ""), code
}

// anchors are those that GitHub gives the headings of a document: letters, digits, '-' and '_' in small letters, a space is
// '-', and the second of a name ends with -1.
func anchors(document string) map[string]bool {
	found, times := map[string]bool{}, map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(document, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(marks.ReplaceAllString(m[1], "$1")))
		n := times[name]
		times[name]++
		if n > 0 {
			name = fmt.Sprint(name, "-", n)
		}
		found[name] = true
	}
	return found
}

// TestAnchors: by headings whose anchors are known.
func TestAnchors(t *testing.T) {
	got := anchors("# A b\n## What's `x_y`, in-part?\n### A b\n```\n# no heading\n```\n## [Link](to.md) é\n")
	for _, want := range []string{"a-b", "whats-x_y-in-part", "a-b-1", "link-é"} {
		if !got[want] {
			t.Errorf("no anchor %s in %v", want, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("anchors %v", got)
	}
}

// TestLinks: every relative link leads to a file or folder of the repository, and its anchor to a heading. Every link to this
// machine leads to a port on which something listens.
func TestLinks(t *testing.T) {
	r, checked := cloned(t), 0
	ports := publishedPorts(t, r)
	for _, name := range r.documents() {
		text, _ := prose(r.read(t, name))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			checked++
			u, err := url.Parse(m[1])
			switch {
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1":
				if !slices.Contains(ports, u.Port()) {
					t.Errorf("%s: nothing listens on %s; what does: %v", name, m[1], ports)
				}
			case u.Scheme != "":
			default:
				target := name
				if u.Path != "" {
					target = path.Join(path.Dir(name), u.Path)
				}
				if !r.known[target] {
					t.Errorf("%s: there is no %s", name, m[1])
				} else if u.Fragment != "" && !anchors(r.read(t, target))[u.Fragment] {
					t.Errorf("%s: %s has no heading %s", name, target, u.Fragment)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

// publishedPorts are those that docker-compose.yml publishes, and those on which the program listens by itself.
func publishedPorts(t *testing.T, r repository) (ports []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`"127\.0\.0\.1:\$\{\w+:-(\d+)\}:\d+"`).FindAllStringSubmatch(r.read(t, "docker-compose.yml"), -1) {
		ports = append(ports, m[1])
	}
	// The program's defaults are in README.md; a test of the program holds them there.
	for _, m := range regexp.MustCompile("(?m)^\\| `VITRINE_\\w*ADDR` \\| `:(\\d+)` \\|").FindAllStringSubmatch(r.read(t, "README.md"), -1) {
		ports = append(ports, m[1])
	}
	if len(ports) < 6 {
		t.Fatalf("ports %v: where are the others?", ports)
	}
	return ports
}

var (
	codeFile = regexp.MustCompile(`^[\w.-]+(?:/[\w.-]+)*\.(?:go|ya?ml|conf|sh|m?js|json|md|css|html|txt|ini|png|svg|env|mod|tmpl)$`)
	folder   = regexp.MustCompile(`^(?:\.\./)?[\w.-]+(?:/[\w.-]+)*/$`)
	testFunc = regexp.MustCompile(`^(?:Test|Benchmark|Example|Fuzz)[A-Z]\w*$`)
	makeGoal = regexp.MustCompile(`^make ([\w-]+)$`)
)

// TestCodeReferences: files, folders, tests and make's targets that stand in backticks are there. A file may be named by the
// end of its path; one that is not the repository's, or is made by a command, is listed as foreign.
func TestCodeReferences(t *testing.T) {
	r := cloned(t)
	foreign := []string{"go.work", "docker-entrypoint.sh", "profiles"}
	var source strings.Builder
	for _, name := range r.files {
		if strings.HasSuffix(name, "_test.go") {
			source.WriteString(r.read(t, name))
		}
	}
	makefile := "\n" + r.read(t, "Makefile")
	checked := 0
	for _, name := range r.documents() {
		_, code := prose(r.read(t, name))
		for _, c := range code {
			var ok bool
			switch goal := makeGoal.FindStringSubmatch(c); {
			case codeFile.MatchString(c), folder.MatchString(c):
				c = strings.TrimSuffix(c, "/")
				end := "/" + strings.TrimPrefix(strings.ReplaceAll(c, "../", ""), "/")
				ok = slices.Contains(foreign, c)
				for known := range r.known {
					ok = ok || strings.HasSuffix("/"+known, end)
				}
			case testFunc.MatchString(c):
				ok = strings.Contains(source.String(), "\nfunc "+c)
			case goal != nil:
				pattern := regexp.MustCompile(`-.*`).ReplaceAllString(goal[1], "-%")
				ok = strings.Contains(makefile, "\n"+goal[1]+":") || strings.Contains(makefile, "\n"+pattern+":")
			default:
				continue
			}
			checked++
			if !ok {
				t.Errorf("%s names %s, which there is not", name, c)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d references were found", checked)
	}
}
