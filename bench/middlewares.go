package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	ginresponse "github.com/chenyahui/gin-cache"
	"github.com/chenyahui/gin-cache/persist"
	gincontrib "github.com/gin-contrib/cache"
	"github.com/gin-contrib/cache/persistence"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/stampede"
	"github.com/gofiber/fiber/v3"
	fibercache "github.com/gofiber/fiber/v3/middleware/cache"
	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
)

// Middlewares that keep whole responses, each in memory and as its documentation shows. None has telemetry around it.
var middlewares = enlist("peers",
	contender{name: "near hit, as a library", serve: libraryHit},
	contender{name: "go-chi/stampede", serve: stampeded, asks: originAsked},
	contender{name: "gin-contrib/cache", serve: inGin(func() []gin.HandlerFunc {
		store := persistence.NewInMemoryStore(time.Hour)
		return []gin.HandlerFunc{gincontrib.CachePage(store, time.Hour, gin.WrapF(explained))}
	}), asks: originAsked},
	contender{name: "chenyahui/gin-cache", serve: inGin(func() []gin.HandlerFunc {
		store := persist.NewMemoryStore(time.Hour)
		return []gin.HandlerFunc{ginresponse.CacheByRequestURI(store, time.Hour), gin.WrapF(explained)}
	}), asks: originAsked},
	contender{name: "gofiber/fiber's cache (fasthttp)", listen: inFiber(true), asks: originAsked},
	contender{name: "gofiber/fiber (fasthttp), bare", listen: inFiber(false), asks: originAsked},
)

// asked counts what reached the origin of a middleware: of hits, nothing does.
var asked atomic.Int64

func originAsked() map[string]float64 { return map[string]float64{"origin": float64(asked.Load())} }

// ours are the header fields that a near hit adds.
var ours = []struct{ name, value string }{
	{"Age", "1"}, {"Cache-Status", "slow; hit; ttl=59; detail=near"}, {"Etag", `"0123456789abcdefghij"`},
}

// explained answers as a near hit does, for those who keep what is answered and add nothing.
func explained(w http.ResponseWriter, r *http.Request) {
	asked.Add(1)
	for _, field := range ours {
		w.Header().Set(field.name, field.value)
	}
	slowBody(w, r)
}

// libraryHit counts, and neither traces nor logs.
func libraryHit(context.Context) (http.Handler, error) {
	slow, err := cache.New(nil, cache.Options{Name: "slow", TTL: time.Hour, Registerer: prometheus.NewRegistry()})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /slow", slow.Handler(http.HandlerFunc(slowBody)))
	return mux, nil
}

func stampeded(context.Context) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /slow", stampede.Handler(512, time.Hour)(http.HandlerFunc(explained)))
	return mux, nil
}

func inGin(handlers func() []gin.HandlerFunc) func(context.Context) (http.Handler, error) {
	return func(context.Context) (http.Handler, error) {
		gin.SetMode(gin.ReleaseMode)
		router := gin.New()
		router.GET("/slow", handlers()...)
		return router, nil
	}
}

func inFiber(cached bool) func(net.Listener) error {
	return func(l net.Listener) error {
		app := fiber.New()
		if cached {
			app.Use(fibercache.New(fibercache.Config{Expiration: time.Hour, StoreResponseHeaders: true}))
		}
		app.Get("/slow", func(c fiber.Ctx) error {
			asked.Add(1)
			for _, field := range ours {
				c.Set(field.name, field.value)
			}
			c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
			return c.SendString(slowText)
		})
		return app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
	}
}
