#!/bin/sh
# Makes writing-system.wasm: plugins/samples/writing-system/build.sh
#
# Needs Node 20 or newer, and npm's registry once: 385 MB in node_modules.
set -eu

cd "$(dirname "$0")"
[ -d node_modules ] || npm ci --no-audit --no-fund
npm run --silent build
