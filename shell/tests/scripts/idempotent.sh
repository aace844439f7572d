#!/bin/sh
# A setup that can be run again and again; a lock that is a directory; what it does after half of it was undone.

base=$PWD/base
lock=$PWD/lock

ensure_dir() {
    [ -d "$1" ] || { mkdir -p "$1" && echo "made $(basename "$1")"; }
}

ensure_mount() {
    if mountpoint -q "$2"; then
        return 1
    fi
    ensure_dir "$2"
    shift_target=$2
    kind=$1
    shift 2
    mount "$@" "$shift_target" && echo "mounted $(basename "$shift_target") ($kind)"
}

ensure_propagation() {
    current=$(findmnt -n -o PROPAGATION -M "$2" | tail -n 1)
    if [ "$current" != "$1" ]; then
        mount --make-"$1" "$2" && echo "$(basename "$2"): $current -> $1"
    fi
}

setup() {
    if ! mkdir "$lock" 2>/dev/null; then
        echo "locked"
        return 75
    fi
    changes=$(
        ensure_mount tmpfs "$base" -t tmpfs -o mode=711 base
        ensure_propagation shared "$base"
        for d in src dst cache; do
            ensure_dir "$base/$d"
        done
        ensure_mount bind "$base/dst" --bind "$base/src"
        ensure_mount tmpfs "$base/cache" -t tmpfs cache
        ensure_propagation private "$base/cache"
        ensure_propagation shared "$base/dst"
    )
    status=$?
    rmdir "$lock"
    if [ -n "$changes" ]; then
        printf '%s\n' "$changes" | sed 's/^/  /'
    else
        echo "  nothing to do"
    fi
    return $status
}

for round in first second; do
    echo "$round time:"
    setup
    echo "  status $?"
done
umount "$base/dst"
echo "after dst was unmounted:"
setup
mount --make-rprivate "$base"
echo "after all was made private:"
setup
mount --move "$base/cache" "$base/dst"
echo "a mount below a shared one: $?"
mkdir "$lock"
setup
echo "status $?"
rmdir "$lock"
umount -l "$base"
echo "after all has gone:"
setup
stat -c '%a' "$base"
umount -R "$base"
echo "status $?"
rm -r "$base"
ls
