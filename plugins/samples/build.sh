#!/bin/sh
# Rebuilds every sample's component: plugins/samples/build.sh [NAME...]
#
# Takes rustup's wasm32-unknown-unknown if it is installed, else Debian's rustc-web and rust-web-src,
# which build the standard library too. DETOXLM is the command that packs; by default this checkout's.
set -eu

samples=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$samples/../.." && pwd -P)
cd "$root"
target=wasm32-unknown-unknown
folder=${CARGO_TARGET_DIR:-$root/target}
: "${DETOXLM:=cargo run --quiet --release --}"

[ $# -gt 0 ] || set -- $(cd "$samples" && ls -d */Cargo.toml | xargs -n 1 dirname)
packages=
for name in "$@"; do packages="$packages -p detoxlm-$name"; done

# Panics name their files: without the folders of this machine.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
flags="--remap-path-prefix=$folder=/target --remap-path-prefix=$root=/detoxlm"
flags="$flags --remap-path-prefix=$cargo_home=/cargo"
if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    RUSTFLAGS=$flags cargo build --locked --profile plugin --target $target $packages
else
    host=$(rustc -vV | sed -n 's/^host: //p')
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags --remap-path-prefix=$(/usr/bin/rustc --print sysroot)=/rust" \
        cargo build --locked --profile plugin --target $target -Z build-std=std,panic_abort $packages
fi

for name in "$@"; do
    module=$folder/$target/plugin/detoxlm_$(echo "$name" | tr - _).wasm
    $DETOXLM plugin pack "$module" --out "$samples/$name/$name.wasm"
done
