# One line a target: make help. make test is what a change must pass, make e2e the whole stack in Docker, and the rest runs
# for longer.
actionlint = go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
golangci = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
govulncheck = golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help test lint unit conformance e2e drill scaling vuln bench benchmarks profile fuzz soak

help: ## lists these targets
	@awk -F ':.*## ' '/^[a-z0-9%-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: lint unit ## what a change must pass: lint, vet, unit and integration tests with the race detector

lint: ## formatting, tidy modules, golangci-lint for each module, actionlint for the workflows
	$(actionlint)
	for module in . bench grafana kubernetes; do (cd $$module && go mod tidy -diff && $(golangci) run ./...) || exit 1; done

unit: ## unit and integration tests; those that need a program that is not here skip, and say its name
	go test -race -shuffle=on ./... -v >test.out 2>&1 || { grep -vE '^\s*(=== |--- PASS|PASS$$)' test.out; exit 1; }
	@grep -E '^(ok|FAIL)|no test files' test.out
	go test -run 'TestWhatIfIsAccurate|TestHitAllocates|TestAllocationBudget|TestThousandReplicas|TestFleetSaturates' ./cache ./service # left out above: see their files
	cd bench && go test -shuffle=on . -v >../bench.out 2>&1 || { grep -vE '^\s*(=== |--- PASS|PASS$$)' ../bench.out; exit 1; }
	cd grafana && go test -shuffle=on .
	cd kubernetes && go test -shuffle=on . -v >../kubernetes.out 2>&1 || { grep -vE '^\s*(=== |--- PASS|PASS$$)' ../kubernetes.out; exit 1; }
	@grep -hE '^(ok|FAIL)' bench.out kubernetes.out
	@grep -hE 'skipped for want of' test.out bench.out kubernetes.out || echo 'nothing was skipped'

conformance: ## the public tests for HTTP caches, of Vitrine and nginx; UPDATE=1 writes docs/conformance.md anew
	go test -run TestConformance -count=1 -v ./cache/conformance $(if $(UPDATE),-update)

# VITRINE_PICTURES=docs/pictures keeps pictures of the pages and of the drills, VITRINE_TRANSCRIPT=docs/faults.md writes that
# table anew.
e2e: override export VITRINE_PICTURES := $(abspath $(VITRINE_PICTURES))
e2e: override export VITRINE_TRANSCRIPT := $(abspath $(VITRINE_TRANSCRIPT))
e2e: ## the whole stack in Docker: brought up, tested, taken down
	e2e/offline/engine
	e2e/offline/images
	go test -tags e2e -shuffle=on -count=1 -timeout 60m -v ./e2e

# drill-redis-down, drill-slow-origin, drill-errors, drill-replica-killed, drill-stampede, drill-origin-down, drill-overload.
drill-%: ## makes a fault in the running stack, checks that it is seen, and undoes it: drill-redis-down and its like
	@go run ./e2e/drill $*

drill: ## takes the real Jaeger away from a service under load, twice for VITRINE_DRILL_OUTAGE=2m
	go test -tags drill -count=1 -timeout 30m -v ./e2e

scaling: ## what a fleet costs as it grows, measured and simulated: docs/scaling.md, in five minutes
	go run ./e2e/fleet
	go test -count=1 -run 'TestFleetSimulation|TestThousandReplicas|TestFleetSaturates' ./cache -update-simulated
	go run ./e2e/fleet -render

vuln: ## known vulnerabilities; where their database cannot be reached it says so
	@go run $(govulncheck) ./... 2>vuln.out || { cat vuln.out; \
		grep -q 'fetching vulnerabilities: .* no such host' vuln.out && echo 'skipped for want of govulncheck-db'; }

# For a machine that does nothing else.
bench: ## Vitrine beside its peers: docs/performance.md, in 25 minutes
	cd bench && go run .

# Those of CPU time take turns.
benchmarks: ## what else is measured, by Go's own benchmarks
	go test -run '^$$' -bench . -skip "CPU|Accuracy|H2C" -benchmem ./...
	go test -run '^$$' -bench Accuracy -benchtime 1x -v ./cache
	go test -run '^$$' -bench 'BenchmarkCPU(Cores|Collector)' -benchtime 9x -v ./service
	go test -run '^$$' -bench 'BenchmarkH2C' -benchtime 25x -v ./service

# go tool pprof profiles/hit.test profiles/hit.cpu, and likewise mem, mutex and load. The load costs its origin nothing.
profile: ## CPU, allocation and mutex profiles of a hit and of a load, in profiles/
	mkdir -p profiles
	$(call profiled,hit,./service,BenchmarkHit/one_in_a_hundred,1000000x)
	$(call profiled,load,./cache,BenchmarkLoad$$,30000x)
profiled = go test -run '^$$' -bench '$(3)' -benchtime $(4) -cpuprofile profiles/$(1).cpu -memprofile profiles/$(1).mem \
	-mutexprofile profiles/$(1).mutex -o profiles/$(1).test $(2)

fuzz: ## a minute for each fuzz test
	for name in FuzzEnvelope FuzzOpen FuzzMessage FuzzRedisKey FuzzKey \
			FuzzDirectives FuzzDeltaSeconds FuzzAge FuzzTargeted FuzzVary \
			FuzzRange FuzzGuide FuzzConditions; do \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime 1m ./cache || exit 1; done
	go test -run '^$$' -fuzz '^FuzzRequest$$' -fuzztime 1m ./service

soak: export VITRINE_SOAK ?= 5m
soak: ## unique keys for VITRINE_SOAK=5m: the heap and the goroutines over time
	go test -run '^TestSoak$$' -count=1 -timeout 0 -v ./cache
