#!/bin/sh
# Builds and serves, again whenever a source file changes or a new one comes. For `make dev`.
set -eu
cd "$(dirname "$0")/.."
while :; do
    # `entr` ends with 2 when a directory has a new file, so that the list is made anew. Anything else is the user's wish.
    find src templates Cargo.toml Cargo.lock examples/config.toml | entr -drn cargo run && exit 0 || [ $? -eq 2 ] || exit 0
done
