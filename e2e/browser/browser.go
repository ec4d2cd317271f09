// Package browser looks at pages as a person does: with Chromium.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Size is that of a window, in pixels.
type Size struct{ Width, Height int }

// Desk is a window on a desk, Phone the screen of a telephone.
var (
	Desk  = Size{1400, 900}
	Phone = Size{390, 844}
)

// Text is the page's document, after its scripts have run.
func Text(ctx context.Context, chromium, url string) (string, error) {
	return run(ctx, chromium, "--dump-dom", url)
}

// Picture writes what a window shows of the page to file, as PNG.
func Picture(ctx context.Context, chromium, url, file string, size Size) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	_, err = run(ctx, chromium, "--screenshot="+file, fmt.Sprintf("--window-size=%d,%d", size.Width, size.Height), url)
	if err != nil {
		return err
	}
	_, err = os.Stat(file) // Chromium ends with 0 where it could not write
	return err
}

func run(ctx context.Context, chromium string, args ...string) (string, error) {
	profile, err := os.MkdirTemp("", "vitrine-browser")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(profile)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, append([]string{
		"--headless", "--user-data-dir=" + profile, "--hide-scrollbars",
		// Pages that stand still for ten seconds of their own time are done; those are over in one of ours.
		"--virtual-time-budget=10000",
		// It needs no profile of anybody's, and nobody outside.
		"--no-first-run", "--disable-sync", "--disable-background-networking", "--disable-component-update",
		"--disable-gpu", "--disable-quic",
		// Root, and containers, cannot make the sandbox; these pages are our own.
		"--no-sandbox",
	}, args...)...)
	// Its helpers hold its output open for a while.
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", filepath.Base(chromium), args, err)
	}
	return string(out), nil
}
