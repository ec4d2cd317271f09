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

// Desk is a window on a desk, Phone the screen of a telephone.
var (
	Desk  = Size{1400, 900}
	Phone = Size{390, 844}
)

// Look opens a page in a new Chromium, waits until it shows all words (one at least), and writes what the window then
// shows to file, as PNG. It gives up after a minute, or a quarter of one without the words.
func Look(ctx context.Context, chromium, url string, size Size, words []string, file string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.WindowSize(int(size.Width), int(size.Height)),
		chromedp.Flag("disable-quic", true),
		chromedp.NoSandbox, // root, and containers, cannot make one; the pages are our own
	)...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(size.Width, size.Height), chromedp.Navigate(url)); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	wanted, err := json.Marshal(words)
	if err != nil {
		return err
	}
	shown := fmt.Sprintf(`%s.every(word => document.body.innerText.includes(word))`, wanted)
	wait := chromedp.Poll[chromedp.Void](shown, chromedp.WithPollingInterval(200*time.Millisecond), chromedp.WithPollingTimeout(15*time.Second))
	if _, err := chromedp.Run(ctx, wait); err != nil {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)) // as much as there is
		return fmt.Errorf("%s does not show %s: %w: %.500q", url, wanted, err, text)
	}
	time.Sleep(time.Second) // what is drawn moves to its place
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, picture, 0o644)
}
