#!/usr/bin/env bash
# tag.sh <deployable>-v<version>: what a release needs to know, as key=value; refuses a tag that VERSION contradicts.
set -euo pipefail
scripts="$(dirname "$0")"
tag="$1"
name="${tag%%-v*}"
version="${tag#"$name"-v}"
folder="$("$scripts/folder.sh" "$name")"
written="$(cat "$folder/VERSION")"
if [ "$version" != "$written" ]; then
    echo "the tag says $version, $folder/VERSION says $written" >&2
    exit 1
fi
repository="${GITHUB_REPOSITORY:?}/$name"
printf 'folder=%s\nversion=%s\nrepository=%s\n' "$folder" "$version" "${repository,,}"
