#!/usr/bin/env bash
# Runs `make test` on the newer stack (TFX 1.21), which needs a newer C library than Debian 12 has:
# in a Debian 13 container where Docker answers, else in a Debian 13 root made by debootstrap, which
# needs root. The root is kept in .cache/debian13 and used again.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=python3,python3-venv,python3-dev,g++,ca-certificates,git,make
root=${DEBIAN13_ROOT:-$PWD/.cache/debian13}
command=${*:-make test}

# The files that git knows or would take, so that nothing of this machine's environment travels.
source_files() { git ls-files --cached --others --exclude-standard -z | xargs -0 -r ls -d 2>/dev/null; }

if docker info >/dev/null 2>&1; then
    exec docker run --rm --volume "$PWD:/source:ro" debian:trixie bash -c "
        apt-get update -qq && apt-get install -qq -y ${packages//,/ } >/dev/null
        git clone -q /source /siamese-tfx && cd /siamese-tfx && $command"
fi

if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "Start Docker, or run this as root with debootstrap installed (apt install debootstrap)." >&2
    exit 1
fi
if [ ! -f "$root/.complete" ]; then
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +(https?:[^ ]*debian\/?)( .*)?$/\3/p' | head -n 1)
    echo "Making a Debian 13 root in $root (about two minutes)"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include="$packages" trixie "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 5 "$root.log" >&2; exit 1; }
    touch "$root/.complete"
fi
# The way to the package registry: name resolution, certificates, pip's configuration.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/xdg/pip/*; do
    if [ -f "$file" ]; then install -D -m 644 "$file" "$root$file"; fi
done
if [ -d /usr/local/share/ca-certificates ]; then
    cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
fi
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

mkdir -p "$root/siamese-tfx"
# What git no longer has must not be tested; the environment stays.
find "$root/siamese-tfx" -mindepth 1 -maxdepth 1 ! -name '.venv*' ! -name .cache -exec rm -rf {} +
source_files | tar -c -T - | tar -x -C "$root/siamese-tfx"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
trap 'umount "$root/proc" "$root/dev"' EXIT
chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    bash -c "cd /siamese-tfx && $command"
