// Package browser looks at pages as a person does: with Chromium.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
)

// Size is that of a window, in pixels.
type Size struct{ Width, Height int64 }

// Desk is a window on a desk, Phone the screen of a telephone, Wall that of a large display (4K).
var (
	Desk  = Size{1400, 900}
	Phone = Size{390, 844}
	Wall  = Size{3840, 2160}
)

// Open starts a Chromium of its own, whose one window has that size. What it returns is for chromedp's functions. The
// browser ends with cancel or ctx.
func Open(ctx context.Context, chromium string, size Size) (context.Context, context.CancelFunc) {
	ctx, end := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.WindowSize(int(size.Width), int(size.Height)),
		chromedp.Flag("disable-quic", true),
		chromedp.NoSandbox, // root, and containers, cannot make one; the pages are our own
	)...)
	ctx, shut := chromedp.NewContext(ctx)
	return ctx, func() { shut(); end() }
}

// Prefer says what the user wishes of all pages: media features and their values in turn.
func Prefer(media ...string) chromedp.Action[chromedp.Void] {
	features := []map[string]string{}
	for i := 0; i < len(media); i += 2 {
		features = append(features, map[string]string{"name": media[i], "value": media[i+1]})
	}
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		return tab.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": features}, nil)
	})
}

// Page is what to look at.
type Page struct {
	URL   string
	Size  Size
	Dark  bool     // as for users who prefer that
	Click []string // CSS selectors of what is to be clicked, one after the other
	Words []string // of its text or in a link's address; one at least
}

// Look opens a page in a new Chromium, waits until it shows all words, and writes what the window then shows to file, as
// PNG. It gives up after a minute, or a quarter of one without the words.
func Look(ctx context.Context, chromium string, page Page, file string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ctx, cancel = Open(ctx, chromium, page.Size)
	defer cancel()
	scheme := "light"
	if page.Dark {
		scheme = "dark"
	}
	err := chromedp.Do(ctx, chromedp.EmulateViewport(page.Size.Width, page.Size.Height), Prefer("prefers-color-scheme", scheme), chromedp.Navigate(page.URL))
	if err != nil {
		return fmt.Errorf("%s: %w", page.URL, err)
	}
	for _, selector := range page.Click {
		if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
			return fmt.Errorf("%s: click %s: %w", page.URL, selector, err)
		}
	}
	wanted, err := json.Marshal(page.Words)
	if err != nil {
		return err
	}
	shown := fmt.Sprintf(`%s.every(word => document.body.innerText.includes(word) || [...document.links].some(a => a.href.includes(word)))`, wanted)
	wait := chromedp.Poll[chromedp.Void](shown, chromedp.WithPollingInterval(200*time.Millisecond), chromedp.WithPollingTimeout(15*time.Second))
	if _, err := chromedp.Run(ctx, wait); err != nil {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)) // as much as there is
		return fmt.Errorf("%s does not show %s: %w: %.500q", page.URL, wanted, err, text)
	}
	time.Sleep(time.Second) // what is drawn moves to its place
	if err := Picture(ctx, file); err != nil {
		return fmt.Errorf("%s: %w", page.URL, err)
	}
	return nil
}

// Picture writes what the window shows to file, as PNG, in a folder that is made if need be.
func Picture(ctx context.Context, file string) error {
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, picture, 0o644)
}
