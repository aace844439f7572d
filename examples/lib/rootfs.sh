# shellcheck shell=sh
# What the scripts that make a root filesystem share. A script sets `kind`, defines `populate DIR`, which may use the
# scratch directory $work, and calls `make_rootfs "$@"`.
set -eu
umask 022
exec 3>&1 >&2
PATH=$PATH:/usr/sbin:/sbin

fail() {
    printf '%s: %s\n' "${0##*/}" "$*"
    exit 1
}

have() {
    command -v "$1" >/dev/null
}

absolute() {
    (CDPATH='' cd -- "$1" && pwd -P)
}

finished() {
    [ -f "$1/etc/cofferdam-rootfs" ] && [ "$(cat -- "$1/etc/cofferdam-rootfs")" = "$kind" ]
}

finish() {
    printf '%s\n' "$1" >&3
    exit 0
}

# Without touching those of the machine; `apt` of the script uses them where $lists is set.
update_package_lists() {
    lists=$work/lists
    mkdir -p "$lists/partial" && apt -o Acquire::Languages=none update
}

# Made in a scratch directory beside it and renamed, so that there is no half of one; by one script at a time.
make_rootfs() {
    [ $# -le 1 ] || fail "usage: ${0##*/} [DIR]"
    dir=${1:-$(absolute "$(dirname -- "$0")/..")/target/rootfs/$kind}
    [ ! -d "$dir" ] || dir=$(absolute "$dir")
    ! finished "$dir" || finish "$dir"

    parent=$(dirname -- "$dir")
    mkdir -p -- "$parent"
    parent=$(absolute "$parent")
    dir=${parent%/}/$(basename -- "$dir")
    if have flock && [ -r "$parent" ]; then
        exec 9<"$parent"
        flock 9 || :
        ! finished "$dir" || finish "$dir"
    fi
    if [ -d "$dir" ]; then
        rmdir -- "$dir" 2>/dev/null || fail "$dir is in the way: it is neither empty nor a finished $kind root filesystem"
    elif [ -e "$dir" ] || [ -L "$dir" ]; then
        fail "$dir is in the way: it is no directory"
    fi

    work=$(mktemp -d "${parent%/}/.$kind-rootfs.XXXXXX")
    trap 'rm -rf -- "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir "$work/rootfs"
    populate "$work/rootfs"
    printf '%s\n' "$kind" >"$work/rootfs/etc/cofferdam-rootfs"
    if ! mv -T -- "$work/rootfs" "$dir" && ! finished "$dir"; then
        fail "cannot move the finished root filesystem to $dir"
    fi
    finish "$dir"
}
