# The store's commands; `make` alone lists them. Works with GNU make from 3.81 on (macOS has that one).

.DEFAULT_GOAL := help
.PHONY: help setup clean distclean

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

# ---- Check ---------------------------------------------------------------------------------------------------------
