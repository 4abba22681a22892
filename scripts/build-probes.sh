#!/usr/bin/env bash
# Static probes for small boxes, without Docker: scripts/build-probes.sh [x86_64] [aarch64] [armv7]   (default: all)
#
# On Debian 12 (x86_64). Nothing is installed: Debian's compiler with its library source, and zig as linker with musl
# inside, are unpacked under .cross/. The result is in .cross/target/<target>/dist/, each checked to be fully static.
# Needs: apt (with deb-src not needed), python3-venv, about 3 GB of disk; 4 to 10 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A TARGETS=([x86_64]=x86_64-unknown-linux-musl [aarch64]=aarch64-unknown-linux-musl [armv7]=armv7-unknown-linux-musleabihf)
targets=()
for name in "${@:-x86_64 aarch64 armv7}"; do
    for one in $name; do
        [ -n "${TARGETS[$one]:-}" ] || { echo "$0: \"$one\" is not one of x86_64, aarch64, armv7" >&2; exit 2; }
        targets+=("${TARGETS[$one]}")
    done
done

mkdir -p .cross/debs
W=$(cd .cross && pwd)
if [ ! -x "$W/rust/usr/bin/cargo" ]; then
    # Debian drops old security versions: take what is there now, of one release for all of its parts.
    V=$(apt-cache policy rustc-web | sed -n 's/ *Candidate: //p')
    [ -n "$V" ] || { echo "$0: apt knows no rustc-web; this script is for Debian 12 with its security archive" >&2; exit 1; }
    R=$(echo "$V" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
    echo "Fetching Debian's Rust $V."
    (cd "$W/debs" && apt-get download -q "rustc-web=$V" "cargo-web=$V" "libstd-rust-web-dev=$V" "libstd-rust-web-$R=$V" \
        "rust-web-src=$V" "$(apt-cache depends "rustc-web=$V" "libstd-rust-web-$R=$V" | grep -o 'libllvm[0-9]*' | head -1)" \
        libgit2-1.5 libhttp-parser2.9 libmbedcrypto7 libmbedx509-1 libmbedtls14)
    for deb in "$W"/debs/*.deb; do dpkg-deb -x "$deb" "$W/rust"; done
fi
# Not zig 0.16 or newer: it puts an allocator of its own in the place of musl's, which keeps what is freed apart per
# processor and size, and the probe's memory then grows by 3 MB with every 100,000 checks instead of staying at 6 MB.
ZIG=0.15.2
if [ ! -x "$W/venv/bin/cargo-zigbuild" ] || [ "$("$W/venv/bin/python-zig" version)" != "$ZIG" ]; then
    echo "Fetching zig."
    python3 -m venv "$W/venv"
    "$W/venv/bin/pip" install -q "ziglang==$ZIG" cargo-zigbuild==0.24.0
    # Cargo does not see that the linker and its libc are others now.
    rm -rf "$W/target" "$W/zig" "$W/zigbuild"
fi

export PATH="$W/rust/usr/bin:$W/venv/bin:$PATH" LD_LIBRARY_PATH="$W/rust/usr/lib/x86_64-linux-gnu"
# -Zbuild-std belongs to nightly; Debian's compiler comes with the source of its own library, which is what it needs.
export RUSTC_BOOTSTRAP=1
# Without self-contained=no rustc passes bare names of start files, which zig does not find.
export RUSTFLAGS="-Clink-self-contained=no --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
export CARGO_TARGET_DIR="$W/target" CARGO_ZIGBUILD_ZIG_PATH="$W/venv/bin/python-zig"
export CARGO_ZIGBUILD_CACHE_DIR="$W/zigbuild" ZIG_GLOBAL_CACHE_DIR="$W/zig" ZIG_LOCAL_CACHE_DIR="$W/zig"
# Never rustup's cargo: its compiler has no matching source, and it might be replaced.
[ "$(command -v cargo)" = "$W/rust/usr/bin/cargo" ] || { echo "$0: unexpected cargo $(command -v cargo)" >&2; exit 1; }

cargo zigbuild --profile dist --locked -p probe "${targets[@]/#/--target=}" -Zbuild-std=std,panic_unwind \
    -Zbuild-std-features=panic-unwind,optimize_for_size
for target in "${targets[@]}"; do
    binary="$CARGO_TARGET_DIR/$target/dist/betteruptime-probe"
    if readelf -lW "$binary" | grep -q INTERP || readelf -dW "$binary" | grep -q NEEDED; then
        echo "$0: $binary is not static" >&2
        exit 1
    fi
    printf '%-34s %9d bytes, static: %s\n' "$target" "$(stat -c %s "$binary")" "$binary"
done
