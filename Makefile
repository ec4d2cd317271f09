# make test: what a change must pass. make e2e: the whole stack in Docker. The rest runs for longer.
staticcheck = honnef.co/go/tools/cmd/staticcheck@v0.8.2
govulncheck = golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: test lint unit conformance e2e drill scaling vuln bench benchmarks profile fuzz soak

test: lint unit

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	go mod tidy -diff
	go vet ./...
	go vet -tags e2e,drill ./e2e
	go run $(staticcheck) -tags e2e,drill ./...
	cd bench && go mod tidy -diff && go vet ./... && go run $(staticcheck) ./...
	cd grafana && go mod tidy -diff && go vet . && go run $(staticcheck) ./...
	cd kubernetes && go mod tidy -diff && go vet . && go run $(staticcheck) ./...

# Unit and integration tests; those that need a program that is not here skip and say its name.
unit:
	go test -race -shuffle=on ./... -v >test.out 2>&1 || { grep -vE '^\s*(=== |--- PASS|PASS$$)' test.out; exit 1; }
	@grep -E '^(ok|FAIL)|no test files' test.out
	go test -run 'TestWhatIfIsAccurate|TestHitAllocates|TestAllocationBudget|TestThousandReplicas|TestFleetSaturates' ./cache ./service # left out above: see their files
	cd bench && go test -shuffle=on . -v >../bench.out 2>&1 || { grep -vE '^\s*(=== |--- PASS|PASS$$)' ../bench.out; exit 1; }
	cd grafana && go test -shuffle=on .
	cd kubernetes && go test -shuffle=on . -v >../kubernetes.out 2>&1 || { grep -vE '^\s*(=== |--- PASS|PASS$$)' ../kubernetes.out; exit 1; }
	@grep -hE '^(ok|FAIL)' bench.out kubernetes.out
	@grep -hE 'skipped for want of' test.out bench.out kubernetes.out || echo 'nothing was skipped'

# The public tests for HTTP caches, of Vitrine and nginx. UPDATE=1 writes docs/conformance.md anew.
conformance:
	go test -run TestConformance -count=1 -v ./cache/conformance $(if $(UPDATE),-update)

# VITRINE_PICTURES=docs/pictures keeps pictures of the pages and of the drills, VITRINE_TRANSCRIPT=docs/faults.md writes that
# table anew.
e2e: override export VITRINE_PICTURES := $(abspath $(VITRINE_PICTURES))
e2e: override export VITRINE_TRANSCRIPT := $(abspath $(VITRINE_TRANSCRIPT))
e2e:
	e2e/offline/engine
	e2e/offline/images
	go test -tags e2e -shuffle=on -count=1 -timeout 60m -v ./e2e

# Makes a fault in the running stack, checks that it is seen, and undoes it: drill-redis-down, drill-slow-origin,
# drill-errors, drill-replica-killed, drill-stampede, drill-origin-down, drill-overload.
drill-%:
	@go run ./e2e/drill $*

# Takes the real Jaeger away from a service under load, twice for VITRINE_DRILL_OUTAGE=2m.
drill:
	go test -tags drill -count=1 -timeout 30m -v ./e2e

# What a fleet costs as it grows: measures, simulates, and writes docs/scaling.md. Five minutes.
scaling:
	go run ./e2e/fleet
	go test -count=1 -run 'TestFleetSimulation|TestThousandReplicas|TestFleetSaturates' ./cache -update-simulated
	go run ./e2e/fleet -render

# Where the database cannot be reached nothing was checked, and that is what it says.
vuln:
	@go run $(govulncheck) ./... 2>vuln.out || { cat vuln.out; \
		grep -q 'fetching vulnerabilities: .* no such host' vuln.out && echo 'skipped for want of govulncheck-db'; }

# Vitrine beside its peers, and docs/performance.md from that: 25 minutes, on a machine that does nothing else.
bench:
	cd bench && go run .

# What else is measured, by Go's own benchmarks. Those of CPU time take turns.
benchmarks:
	go test -run '^$$' -bench . -skip "CPU|Accuracy|H2C" -benchmem ./...
	go test -run '^$$' -bench Accuracy -benchtime 1x -v ./cache
	go test -run '^$$' -bench 'BenchmarkCPU(Cores|Collector)' -benchtime 9x -v ./service
	go test -run '^$$' -bench 'BenchmarkH2C' -benchtime 25x -v ./service

# Where time, garbage and waiting go: of a hit, and of a load that costs its origin nothing. go tool pprof profiles/hit.test
# profiles/hit.cpu, and likewise mem, mutex and load.
profile:
	mkdir -p profiles
	$(call profiled,hit,./service,BenchmarkHit/one_in_a_hundred,1000000x)
	$(call profiled,load,./cache,BenchmarkLoad$$,30000x)
profiled = go test -run '^$$' -bench '$(3)' -benchtime $(4) -cpuprofile profiles/$(1).cpu -memprofile profiles/$(1).mem \
	-mutexprofile profiles/$(1).mutex -o profiles/$(1).test $(2)

fuzz:
	for name in FuzzEnvelope FuzzOpen FuzzMessage FuzzRedisKey FuzzKey \
			FuzzDirectives FuzzDeltaSeconds FuzzAge FuzzTargeted FuzzVary \
			FuzzRange FuzzGuide FuzzConditions; do \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime 1m ./cache || exit 1; done
	go test -run '^$$' -fuzz '^FuzzRequest$$' -fuzztime 1m ./service

# Unique keys for VITRINE_SOAK: the heap and the goroutines over time.
soak: export VITRINE_SOAK ?= 5m
soak:
	go test -run '^TestSoak$$' -count=1 -timeout 0 -v ./cache
