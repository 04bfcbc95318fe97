#!/usr/bin/env bash
# image.sh <deployable>: builds its image here and refuses one that would run as root or does not say its version.
set -euo pipefail
folder="$("$(dirname "$0")/folder.sh" "$1")"
version="$(cat "$folder/VERSION")"
image="store/$1:$version"
docker build --file "$folder/Dockerfile" --build-arg "VERSION=$version" --tag "$image" .

user="$(docker image inspect --format '{{.Config.User}}' "$image")"
[ "$user" = "10001:10001" ] || { echo "$1 runs as '$user', not as 10001:10001" >&2 && exit 1; }
said="$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' "$image")"
[ "$said" = "$version" ] || { echo "$1 is labelled '$said', VERSION says $version" >&2 && exit 1; }
docker image ls "store/$1"
