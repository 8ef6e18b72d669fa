#!/usr/bin/env bash
# Runs `make test`, or the command given, on the newer stack (TFX 1.21), which needs a newer C
# library than Debian 12 and Ubuntu 22.04 have: in a Debian 13 container where Docker answers, else
# in a Debian 13 root made by debootstrap, which needs to be root. What was set up is used again.
#
#     tools/test_current.sh [COMMAND]
#
# DEBIAN13_ROOT   where the root lies (.cache/debian13)
# DEBIAN_MIRROR   where Debian's packages come from (the one that this machine's apt uses)
# PYTHON          an interpreter of the container or root, in place of Debian's own, such as a 3.11
#                 that was copied there
set -euo pipefail
cd "$(dirname "$0")/.."
packages=python3,python3-venv,python3-dev,g++,ca-certificates,make
root=${DEBIAN13_ROOT:-$PWD/.cache/debian13}
command=${*:-make test}
certificates=/etc/ssl/certs/ca-certificates.crt

# What `make` and the package installers need to know, where it is said by variables.
variables=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    PIP_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX ARGS PYTHON; do
    if [ -n "${!name:-}" ]; then variables+=("$name=${!name}"); fi
done

# The files that git knows or would take: nothing of this machine's environment travels.
pack() {
    git ls-files --cached --others --exclude-standard -z |
        while IFS= read -r -d '' file; do
            if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
        done | tar --create --null --no-recursion --files-from=-
}
# Run at the destination. What git no longer has must not be tested; the environment stays.
unpack='mkdir -p /siamese-tfx && cd /siamese-tfx &&
    find . -mindepth 1 -maxdepth 1 ! -name ".venv*" ! -name .cache -exec rm -rf {} + &&
    tar --extract --no-same-owner'

in_docker() {
    echo "Running '$command' in a container of debian:trixie; its environment is kept in the" \
        "volume siamese-tfx-debian13."
    local options=(--rm --interactive --volume siamese-tfx-debian13:/siamese-tfx) variable
    for variable in ${variables[@]+"${variables[@]}"}; do options+=(--env "$variable"); done
    if [ -f "$certificates" ]; then
        options+=(--volume "$certificates:/certificates.crt:ro"
            --env SSL_CERT_FILE=/certificates.crt --env PIP_CERT=/certificates.crt)
    fi
    pack | docker run "${options[@]}" debian:trixie bash -euc "
        $unpack
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y ${packages//,/ } >/dev/null
        $command"
}

make_root() {
    local mirror=${DEBIAN_MIRROR:-}
    if [ -z "$mirror" ]; then
        # Lines like "URIs: http://host/debian" and "deb [options] http://host/debian suite main".
        mirror=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f -exec cat {} + \
            2>/dev/null |
            sed -nE 's/^(URIs:|deb( +\[[^]]*\])?) +(https?:[^ ]*debian\/?)( .*)?$/\3/p' |
            sed -n 1p) || true
    fi
    if [ -z "$mirror" ]; then
        echo "This machine's apt names no mirror of Debian: give one in DEBIAN_MIRROR." >&2
        exit 1
    fi
    if [[ $root =~ [[:space:]] ]]; then
        echo "debootstrap takes no path with a space ($root): give another in DEBIAN13_ROOT." >&2
        exit 1
    fi
    echo "Making a Debian 13 root in $root (about two minutes, 500 MB)"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    if ! debootstrap --variant=minbase --include="$packages" trixie "$root" "$mirror" \
        >"$root.log" 2>&1; then
        tail -n 5 "$root.log" >&2
        echo "debootstrap failed; all it said is in $root.log" >&2
        exit 1
    fi
    touch "$root/.complete"
}

in_root() {
    if [ ! -f "$root/.complete" ]; then make_root; fi
    echo "Running '$command' in the Debian 13 root $root"
    # The way to the package index: name resolution, certificates, pip's configuration.
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf "$certificates"; do
        if [ -f "$file" ]; then install -D -m 644 "$file" "$root$file"; fi
    done
    pack | chroot "$root" bash -euc "$unpack"
    # Mounted in a name space of their own: however this ends, nothing stays mounted.
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -euc '
        root=$1 command=$2
        shift 2
        trap '\''umount "$root/proc" "$root/dev"'\'' EXIT
        mount --bind /proc "$root/proc"
        mount --bind /dev "$root/dev"
        chroot "$root" /usr/bin/env -i HOME=/home PATH=/usr/local/bin:/usr/bin:/bin \
            LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$@" \
            bash -c "cd /siamese-tfx && $command"
    ' - "$root" "$command" ${variables[@]+"${variables[@]}"}
}

if docker info >/dev/null 2>&1; then
    in_docker
elif [ "$(id -u)" != 0 ]; then
    echo "Docker does not answer, and without it this must be run as root, to make a Debian 13" \
        "root: start Docker, or run: sudo make test-current" >&2
    exit 1
elif ! command -v debootstrap >/dev/null; then
    echo "Start Docker, or install debootstrap (apt install debootstrap)." >&2
    exit 1
else
    in_root
fi
