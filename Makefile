# The store's commands; `make` alone lists them. Works with GNU make from 3.81 on (macOS has that one).

.DEFAULT_GOAL := help
.PHONY: help setup clean distclean run stop order audit token check test

# The interpreter that installs: the one already chosen, else the newest that answers (a version manager's stand-in may not).
PYTHON ?= $(shell for python in .venv/bin/python python3.13 python3 python3.12 python3.11; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$python"; break; fi; done)

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- Set-up --------------------------------------------------------------------------------------------------------

setup: ## Install everything into .venv and .tools; at once where nothing has changed
	@$(or $(PYTHON),$(error Python 3.11 or newer is needed and none was found. Debian 12 or newer: apt install python3 python3-pip. macOS: brew install python@3.13. Or say where it is: make setup PYTHON=/path/to/python3)) -I localcloud/install.py

clean: ## Forget the local cloud's state: databases, blobs, queues, keys
	@if [ -L .state ]; then rm -rf "$$(readlink .state)"; fi; rm -rf .state

distclean: clean ## Remove what `setup` installed, too
	@rm -rf .venv .tools

# ---- Run -----------------------------------------------------------------------------------------------------------

# PORT=9080 moves the whole block of ports; STATE=<dir> keeps the state elsewhere than in .state.
in = $(or $(wildcard .venv/bin/python),$(error Run `make setup` first)) -m localcloud.$(1) $(if $(STATE),--state $(STATE))

run: ## Start the whole store, until Ctrl-C; DETACH=1: in the background, PORT=9080: on other ports
	@exec $(call in,launcher) run $(if $(PORT),--port $(PORT)) $(if $(DETACH),--detach)

stop: ## Stop it, wherever it runs
	@$(call in,launcher) stop

order: ## Order something, and see what happens until the letter is there
	@$(call in,order)

audit: ## Do the books balance?
	@$(call in,audit)

token: ## Print a bearer token: ROLE=admin|service, or ROLE=customer CUSTOMER=<id>
	@$(call in,people) --role $(or $(ROLE),$(error Say ROLE=admin, ROLE=service or ROLE=customer CUSTOMER=<id>)) $(if $(CUSTOMER),--customer $(CUSTOMER))

# ---- Check ---------------------------------------------------------------------------------------------------------

check: setup ## Format, lint, types, import rules and the fast tests
	@.venv/bin/ruff format --check --quiet . && echo "format   ✓"
	@.venv/bin/ruff check --quiet . && echo "lint     ✓"
	@.venv/bin/mypy --no-error-summary && echo "types    ✓"
	@.venv/bin/lint-imports > /dev/null || .venv/bin/lint-imports; echo "imports  ✓"
	@.venv/bin/pytest -m "not real and not story"
	@echo "check passed"

test: setup ## All tests, and all of them again on Python 3.13 where one is found beside another
	@.venv/bin/pytest
	@echo "test passed"
