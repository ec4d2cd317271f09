package browser_test

import (
	"bytes"
	"errors"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/e2e/browser"
	"vitrine/e2e/component"
)

// TestLook: a page is looked at when its script has written, and not before.
func TestLook(t *testing.T) {
	chromium := component.Command(t, "chromium")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><button>wait</button><script>
			const scheme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
			const shown = '<p>first, second, ' + scheme + '</p><a href="/there?">a link</a>';
			document.querySelector('button').onclick = () => setTimeout(() => document.body.innerHTML = shown, 500);
		</script>`))
	}))
	defer page.Close()
	file := filepath.Join(t.TempDir(), "new", "page.png")
	if err := browser.Look(t.Context(), chromium, browser.Page{URL: page.URL, Size: browser.Phone, Dark: true, Click: []string{"button"}, Words: []string{"second", "first", "dark", "/there?"}}, file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.DecodeConfig(bytes.NewReader(text))
	if err != nil || picture.Width != int(browser.Phone.Width) || picture.Height != int(browser.Phone.Height) {
		t.Errorf("a picture of %d × %d, %v; want %v", picture.Width, picture.Height, err, browser.Phone)
	}

	file = filepath.Join(t.TempDir(), "page.png")
	err = browser.Look(t.Context(), chromium, browser.Page{URL: page.URL, Size: browser.Phone, Words: []string{"wait", "third"}}, file)
	if err == nil || !strings.Contains(err.Error(), page.URL+" does not show") {
		t.Errorf("a word is missing: %v; want an error that names the page", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a picture without the word: %v", err)
	}
}
