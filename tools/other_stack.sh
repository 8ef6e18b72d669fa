#!/usr/bin/env bash
# Runs a command on the stack that `make setup` does not choose on this machine (README, "Versions"):
# - TFX 1.21 needs a newer C library than Debian 12 and Ubuntu 22.04 have. It runs in a Debian 13
#   container where Docker answers, else in a Debian 13 root made by debootstrap, which needs root.
# - TFX 1.16 runs on any machine with Python 3.10, in a copy of this checkout.
# The environment is kept for the next time.
#
#     tools/other_stack.sh [COMMAND...]       (default: make test-all)
#
# Exit code: the command's, or 77 where the other stack is not available here, with the reason.
#
# OTHER_PYTHON    Python of the other stack: a version or an interpreter's path there
# DEBIAN13_ROOT   where the Debian 13 root is (.cache/debian13)
# DEBIAN_MIRROR   mirror for debootstrap (the one that this machine's apt uses)
# ARGS            more arguments for pytest
set -euo pipefail
cd "$(dirname "$0")/.."
packages=python3,python3-venv,python3-dev,g++,ca-certificates,make
root=${DEBIAN13_ROOT:-$PWD/.cache/debian13}
if [ $# = 0 ]; then set -- make test-all; fi
printf -v command '%q ' "$@" # a word stays a word in the shell that runs it
certificates=/etc/ssl/certs/ca-certificates.crt
unavailable=77

# Settings for make and the package installers.
variables=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    PIP_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX ARGS; do
    if [ -n "${!name:-}" ]; then variables+=("$name=${!name}"); fi
done

# An installation that fails for want of a network or an interpreter says nothing about the project.
not_found='dns error|error sending request|Failed to fetch|Connection refused|timed out|Install Python'
run="
    set -o pipefail
    if ! make --no-print-directory setup 2>&1 | tee /tmp/siamese-setup.log; then
        grep -qE '$not_found' /tmp/siamese-setup.log && exit $unavailable
        exit 1
    fi
    $command"

# The files that git tracks or would add: nothing of this machine's environment.
pack() {
    git ls-files --cached --others --exclude-standard -z |
        while IFS= read -r -d '' file; do
            if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
        done | tar --create --null --no-recursion --files-from=-
}
# Run at the destination: replaces the files and keeps the environment.
unpack='find . -mindepth 1 -maxdepth 1 ! -name ".venv*" ! -name .cache -exec rm -rf {} + &&
    tar --extract --no-same-owner'

not_available() {
    echo "The other stack is not available here: $*" >&2
    exit "$unavailable"
}

newer_in_docker() {
    echo "Running '$command' in a debian:trixie container (environment: volume siamese-tfx-debian13)"
    local options=(--rm --interactive --volume siamese-tfx-debian13:/siamese-tfx) variable
    for variable in ${variables[@]+"${variables[@]}"}; do options+=(--env "$variable"); done
    if [ -n "${OTHER_PYTHON:-}" ]; then options+=(--env "PYTHON=$OTHER_PYTHON"); fi
    if [ -f "$certificates" ]; then
        options+=(--volume "$certificates:/certificates.crt:ro"
            --env SSL_CERT_FILE=/certificates.crt --env PIP_CERT=/certificates.crt)
    fi
    docker image inspect debian:trixie >/dev/null 2>&1 || docker pull --quiet debian:trixie ||
        not_available "Docker cannot pull debian:trixie."
    pack | docker run "${options[@]}" debian:trixie bash -euc "
        cd /siamese-tfx && $unpack
        { apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y ${packages//,/ } >/dev/null
        } || exit $unavailable
        $run"
}

make_root() {
    if [[ $root =~ [[:space:]] ]]; then
        not_available "debootstrap accepts no path with a space ($root); set DEBIAN13_ROOT."
    fi
    if ! command -v debootstrap >/dev/null; then
        { apt-get update -qq && apt-get install -qq -y debootstrap >/dev/null; } 2>&1 || true
    fi
    command -v debootstrap >/dev/null || not_available "start Docker, or install debootstrap."
    local mirror=${DEBIAN_MIRROR:-}
    if [ -z "$mirror" ]; then
        # Lines like "URIs: http://host/debian" and "deb [options] http://host/debian suite main".
        mirror=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f -exec cat {} + \
            2>/dev/null |
            sed -nE 's/^(URIs:|deb( +\[[^]]*\])?) +(https?:[^ ]*debian\/?)( .*)?$/\3/p' |
            sed -n 1p) || true
    fi
    [ -n "$mirror" ] || not_available "apt has no Debian mirror configured; set DEBIAN_MIRROR."
    echo "Creating a Debian 13 root in $root (about two minutes, 500 MB)"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    if ! debootstrap --variant=minbase --include="$packages" trixie "$root" "$mirror" \
        >"$root.log" 2>&1; then
        tail -n 5 "$root.log" >&2
        not_available "debootstrap failed, see $root.log"
    fi
    touch "$root/.complete"
}

newer_in_root() {
    if [ "$(id -u)" != 0 ]; then
        not_available "start Docker, or run this as root to create a Debian 13 root."
    fi
    if [ ! -f "$root/.complete" ]; then make_root; fi
    echo "Running '$command' in the Debian 13 root $root"
    # Access to the package index: name resolution, certificates, pip's configuration.
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf "$certificates"; do
        if [ -f "$file" ]; then install -D -m 644 "$file" "$root$file"; fi
    done
    mkdir -p "$root/siamese-tfx"
    pack | chroot "$root" bash -euc "cd /siamese-tfx && $unpack"
    if [ -n "${OTHER_PYTHON:-}" ]; then variables+=("PYTHON=$OTHER_PYTHON"); fi
    # In a mount namespace of its own: nothing stays mounted, however this ends.
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -euc '
        root=$1 run=$2
        shift 2
        trap '\''umount "$root/proc" "$root/dev"'\'' EXIT
        mount --bind /proc "$root/proc"
        mount --bind /dev "$root/dev"
        chroot "$root" /usr/bin/env -i HOME=/home PATH=/usr/local/bin:/usr/bin:/bin \
            LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$@" \
            bash -c "cd /siamese-tfx && $run"
    ' - "$root" "$run" ${variables[@]+"${variables[@]}"}
}

older_in_copy() {
    local copy=$PWD/.cache/older-stack
    echo "Running '$command' with Python 3.10 in $copy"
    mkdir -p "$copy"
    pack | (cd "$copy" && eval "$unpack")
    cd "$copy"
    env -u MAKEFLAGS -u MAKELEVEL PYTHON="${OTHER_PYTHON:-3.10}" \
        UV_CACHE_DIR="${UV_CACHE_DIR:-$OLDPWD/.cache/uv}" bash -c "$run"
}

libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)
if [ "$(printf '%s\n' 2.39 "${libc:-0}" | sort --version-sort | head -n 1)" = 2.39 ]; then
    older_in_copy
elif docker info >/dev/null 2>&1; then
    newer_in_docker
else
    newer_in_root
fi
