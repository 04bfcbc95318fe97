# The store's commands; `make` alone lists them. Works with GNU make from 3.81 on (macOS has that one).

.DEFAULT_GOAL := help
.PHONY: help setup clean distclean run stop move order audit dead-letters inspector-picture token autoscale-demo soak measuring bench bench-engines bench-hotspots bench-orders bench-servicebus scaling \
	costs contracts check check-deploy test test-on test-images

# The interpreter that installs: the one already chosen, else the newest that answers (a version manager's stand-in may not).
PYTHON ?= $(shell for python in .venv/bin/python python3.13 python3 python3.12 python3.11; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$python"; break; fi; done)

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- Set-up --------------------------------------------------------------------------------------------------------

setup: ## Install everything into .venv and .tools; at once where nothing has changed
	@$(or $(PYTHON),$(error Python 3.11 or newer is needed and none was found. Debian 12 or newer: apt install python3 python3-pip. macOS: brew install python@3.13. Or say where it is: make setup PYTHON=/path/to/python3)) -I localcloud/install.py

clean: ## Stop the store and forget its state: databases, blobs, queues, keys
	@if [ -e .state/run.json ]; then $(MAKE) --silent stop; fi
	@if [ -L .state ]; then rm -rf "$$(readlink .state)"; fi; rm -rf .state

distclean: clean ## Remove what `setup` installed, too
	@rm -rf .venv .tools

# ---- Run -----------------------------------------------------------------------------------------------------------

# PORT=9080 moves the whole block of ports; STATE=<dir> keeps the state elsewhere than in .state.
# ENGINE=postgres|tables|azuresql is for all three services, ENGINE=orders=tables,customers=azuresql for some; a state stays
# with what it began with. azuresql needs AZURESQL_URL=mssql://user:password@host:1433 in the environment.
in = $(or $(wildcard .venv/bin/python),$(error Run `make setup` first)) -m localcloud.$(1) $(if $(STATE),--state $(STATE))

run: setup ## Start the whole store, until Ctrl-C; DETACH=1: in the background, PORT=9080: on other ports, ENGINE=tables: data there
	@exec $(call in,launcher) run $(if $(PORT),--port $(PORT)) $(if $(ENGINE),--engine '$(ENGINE)') $(if $(DETACH),--detach)

stop: ## Stop it, wherever it runs
	@$(call in,launcher) stop

move: setup ## Take the data of a store that does not run to another engine: ENGINE=tables
	@$(call in,launcher) move $(if $(PORT),--port $(PORT)) --engine '$(or $(ENGINE),$(error Say where to: make move ENGINE=tables))'

order: ## Order something, and see what happens until the letter is there
	@$(call in,order)

audit: ## Do the books balance?
	@$(call in,audit)

# REPLAY='--queue orders', '--id <id>', '--subscription take-payment --type *order-confirmed*', '--all', …; YES=1 really sends.
dead-letters: ## Show what nobody could handle; REPLAY='--all' says what would be sent again, YES=1 sends it
	@$(or $(wildcard .venv/bin/python),$(error Run `make setup` first)) -m deploy.dead_letters.here $(if $(STATE),--state $(STATE)) \
		$(if $(REPLAY),replay $(REPLAY) $(if $(YES),--yes),list)

inspector-picture: ## Draw docs/localcloud/inspector.png anew, of the store that runs and its last order
	@UV_PYTHON_DOWNLOADS=never .tools/uv/bin/uv sync --quiet --frozen --inexact --group browser
	@.venv/bin/python -m tests.localcloud.inspector.picture $(if $(STATE),--state $(STATE))

autoscale-demo: setup ## The store with a burst of orders, and workers that come and go (one to two minutes)
	@exec .venv/bin/python -m deploy.autoscale $(if $(ORDERS),--orders $(ORDERS))

token: ## Print a bearer token: ROLE=admin|service, or ROLE=customer CUSTOMER=<id>
	@$(call in,people) --role $(or $(ROLE),$(error Say ROLE=admin, ROLE=service or ROLE=customer CUSTOMER=<id>)) $(if $(CUSTOMER),--customer $(CUSTOMER))

soak: setup ## Take orders while Event Grid and Service Bus are away for MINUTES=10, and see all of them settle after
	@AWAY_SECONDS=$$(( $(or $(MINUTES),10) * 60 )) .venv/bin/pytest -n 0 -o log_cli=true -o log_cli_level=INFO \
		tests/stories/test_away.py -k 'service_bus and postgres'

# ---- Measure -------------------------------------------------------------------------------------------------------

measuring: setup
	@UV_PYTHON_DOWNLOADS=never .tools/uv/bin/uv sync --quiet --frozen --inexact --group bench

bench: measuring ## Measure the store against pgbench and bare handlers (6 minutes; QUICK=1: one), and write docs/benchmarks.md
	@.venv/bin/python -m bench $(if $(QUICK),--quick) $(if $(FULL),--full)

bench-hotspots: measuring ## Sample the services while they answer, and print what costs most (docs/performance.md)
	@.venv/bin/python -m bench.hotspots

bench-orders: measuring ## Measure what an order takes of each process (a minute), and write docs/scaling.md anew
	@.venv/bin/python -m bench.orders $(if $(ORDERS),--orders $(ORDERS))
	@$(MAKE) --silent scaling

bench-engines: measuring ## Measure the engines side by side (4 minutes), and write docs/engines.md anew
	@.venv/bin/pytest -n 0 -s -p tests.engines.fixtures bench/engines.py
	@$(MAKE) --silent costs

bench-servicebus: measuring ## Measure what the Service Bus emulator costs beside the SDK, and with a million messages waiting (5 minutes)
	@.venv/bin/python -m bench.servicebus

scaling: measuring ## Simulate the shipped scale rules, and write docs/scaling.md anew
	@.venv/bin/python -m deploy.simulate

costs: measuring ## The same page from docs/prices.yaml and what was measured before
	@.venv/bin/python -m bench.costs

# ---- Contracts -----------------------------------------------------------------------------------------------------

contracts: setup ## Write openapi.json, AsyncAPI and the messages' schemas anew from the code
	@.venv/bin/python -m deploy.contracts

# ---- Check ---------------------------------------------------------------------------------------------------------

# What is deployed has targets of its own, and packages of its own to read it with.
HERE = --ignore=tests/deploy --ignore=tests/images

check: setup ## Format, lint, types, import rules and the fast tests
	@.venv/bin/ruff format --check --quiet . && echo "format   ✓"
	@.venv/bin/ruff check --quiet . && echo "lint     ✓"
	@.venv/bin/mypy --no-error-summary && echo "types    ✓"
	@report=$$(.venv/bin/lint-imports) && echo "imports  ✓" || { echo "$$report"; exit 1; }
	@.venv/bin/pytest -n 2 -m "not real and not story" $(HERE)
	@echo "check passed"

check-deploy: setup ## Read what is deployed: manifests, Bicep, compose, workflows
	@UV_PYTHON_DOWNLOADS=never .tools/uv/bin/uv sync --quiet --frozen --inexact --group deploy
	@.venv/bin/pytest -n 2 -m deploy tests/deploy
	@echo "check-deploy passed"

test-images: setup ## Build and run every container image (Debian, root; elsewhere it says that it did not)
	@UV_PYTHON_DOWNLOADS=never .tools/uv/bin/uv sync --quiet --frozen --inexact --group deploy
	@.venv/bin/pytest -n 0 -m images tests/images

# What differs between versions is seen by the fast tests, and by orders going through the whole store on every engine.
AGAIN = -m 'not real' --ignore-glob='*stories/test_[!o]*.py'

# The other of the two versions that the suite runs on, where it is found: on PATH or among pyenv's.
OTHER = $(shell for python in python3.13 $(HOME)/.pyenv/versions/3.13.*/bin/python python3.11 $(HOME)/.pyenv/versions/3.11.*/bin/python; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 13)})' 2>/dev/null \
		&& [ "$$("$$python" -c $(VERSION))" != "$$(.venv/bin/python -c $(VERSION))" ]; then echo "$$python"; break; fi; done)
VERSION = 'import sys; print(sys.version_info[:2])'

test: setup ## All tests; and those that are fast again on the other of Python 3.11 and 3.13, where it is found
	@UV_PYTHON_DOWNLOADS=never .tools/uv/bin/uv sync --quiet --frozen --inexact --group browser
	@.venv/bin/pytest -n 2 --dist loadgroup $(HERE)
	@$(if $(OTHER),$(MAKE) --silent test-on ON=$(OTHER),echo "Python 3.11 or 3.13 beside this one was not found: the tests ran on one version")
	@echo "test passed"

test-on: # ON=<python>
	@echo "again, on $$($(ON) --version)"
	@UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.tools/other .tools/uv/bin/uv sync --quiet --frozen --python $(ON)
	@.tools/other/bin/pytest -n 2 --dist loadgroup $(HERE) $(AGAIN)
