#!/bin/sh
# Makes boilerplate.wasm: plugins/samples/boilerplate/build.sh
#
# Needs Python 3.10 or newer, and PyPI once: componentize-py is a wheel of 17 MB, for CPython 3.9 and later.
set -eu

cd "$(dirname "$0")"
[ -d .venv ] || python3 -m venv .venv
.venv/bin/pip install --quiet --requirement requirements.txt
.venv/bin/componentize-py --wit-path ../../wit --world scoring-filter \
    componentize --stub-wasi --python-path . --output boilerplate.wasm app
