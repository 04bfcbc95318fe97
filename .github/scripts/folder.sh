#!/usr/bin/env bash
# folder.sh <deployable>: the folder of its Dockerfile and VERSION.
set -euo pipefail
case "$1" in
    catalog | orders | customers) echo "services/$1" ;;
    functions | localcloud) echo "$1" ;;
    gateway) echo "deploy/gateway" ;;
    *) echo "no deployable is called '$1'" >&2 && exit 1 ;;
esac
