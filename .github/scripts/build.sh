#!/usr/bin/env bash
# build.sh <service>: its image by digest, built in the registry REGISTRY (the first time only) as <version>-<commit>.
set -euo pipefail
: "${REGISTRY:?}" "${GITHUB_SHA:?}"
folder="$("$(dirname "$0")/folder.sh" "$1")"
version="$(cat "$folder/VERSION")"
image="store/$1:$version-${GITHUB_SHA:0:12}"
engine="${1^^}_ENGINE" driver=()
if [ "${!engine:-}" = azuresql ]; then # brings Microsoft's driver, and accepts its licence; another image than without
    image+=-azuresql driver=(--build-arg AZURESQL=yes)
fi

digest() { az acr repository show --name "$REGISTRY" --image "$image" --query digest --output tsv; }

if ! found="$(digest 2>/dev/null)"; then
    az acr build --registry "$REGISTRY" --image "$image" --file "$folder/Dockerfile" --platform linux/amd64 \
        --build-arg "VERSION=$version" --build-arg "REVISION=$GITHUB_SHA" "${driver[@]}" . >&2
    found="$(digest)"
fi
server="$(az acr show --name "$REGISTRY" --query loginServer --output tsv)"
echo "$server/store/$1@$found"
