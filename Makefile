# weir: two commands to know, `make demo` and `make test`; the rest serves those who change it.
GO ?= go
# packages that need no database run under the race detector too
RACE = ./task/... ./catalog/... ./classifier/... ./cascade/... ./pricing/... ./validators/... ./providers/... ./producer/... ./store ./worker
# the official SDKs, which only tests need, are in a module of their own
ORACLE = providers/oracle
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: demo test race check lint format generate tidy bench build postgres help

help: ## Show the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: postgres ## Run a backlog of 2,000 documents through simulated models.
	@$(GO) run ./cmd/weir demo

test: postgres ## Run every test on real Postgres and real NATS.
	$(GO) test -timeout 10m ./...
	cd $(ORACLE) && $(GO) test ./...

race: postgres ## Run the tests of the concurrent and the pure packages under the race detector.
	$(GO) test -race -short -timeout 15m $(RACE)

check: ## Vet, format, lint, tidy modules, generated files, prices: everything but the tests.
	$(GO) vet ./...
	$(LINT) fmt --diff
	$(LINT) run ./...
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	cd $(ORACLE) && $(GO) vet ./... && $(GO) mod tidy -diff
	tools/generated.sh
	WEIR_PRICING_DIR= WEIR_CONFIG= $(GO) run ./cmd/weir prices lint --quiet

lint: ## Lint.
	$(LINT) run ./...

format: ## Format.
	$(LINT) fmt

generate: ## Write generated files anew.
	$(GO) generate ./...

tidy: ## Tidy the modules.
	$(GO) mod tidy
	cd tools && $(GO) mod tidy
	cd $(ORACLE) && $(GO) mod tidy

bench: postgres ## Measure weir against River's no-op rate and a naive pipeline.
	@$(GO) run ./bench

build: ## Build the binary into bin/.
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/weir ./cmd/weir

postgres:
	@tools/postgres.sh
