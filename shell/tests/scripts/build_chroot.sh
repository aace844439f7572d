#!/bin/sh
# A build environment in a chroot, with a log, a trap, a bind mount of the sources, and a build that fails at first.
set -eu

umask 022
readonly BUILD=$PWD/build
readonly SOURCES=$PWD/sources
readonly RESULT=$PWD/result
step=0
bound=

log() {
    step=$((step + 1))
    printf '[%02d] %s\n' "$step" "$*"
}

bind() {
    options=
    if [ "$1" = -r ]; then
        options=ro
        shift
    fi
    if [ ! -e "$2" ]; then
        if [ -d "$1" ]; then mkdir -p "$2"; else : >"$2"; fi
    fi
    mount --bind "$1" "$2"
    [ -z "$options" ] || mount -o "remount,bind,$options" "$2"
    bound="$2 $bound"
}

unbind_all() {
    for target in $bound; do
        umount "$target" || {
            echo "busy: ${target#"$BUILD"}, lazily then"
            umount -l "$target"
        }
    done
    bound=
}

finish() {
    status=$?
    trap - EXIT
    set +e
    log "finishing with status $status"
    [ -z "$holder" ] || {
        kill "$holder"
        wait "$holder"
        echo "holder: $?"
    } 2>/dev/null
    unbind_all
    umount "$BUILD"
    echo "umount: $?"
    [ -z "$(ls -A "$BUILD")" ] && rmdir "$BUILD"
    exit "$status"
}
holder=
trap finish EXIT

log "preparing"
mkdir -p "$BUILD" "$SOURCES/include" "$RESULT"
cat >"$SOURCES/make.sh" <<'END'
set -e
echo "building in $(pwd) with $# flags: $*"
[ -f include/config ] || { echo "no include/config" >&2; exit 5; }
. ./include/config
mkdir -p /build/out
for unit in $UNITS; do
    echo "compile $unit" | tr a-z A-Z >/build/out/$unit.o
done
cat /build/out/*.o >/result/program
touch source-tree-is-read-only 2>/dev/null && exit 6
exit 0
END
mount -t tmpfs -o size=2m,mode=755 build "$BUILD"
log "programs"
for d in usr bin sbin lib lib64; do
    if [ -L "/$d" ]; then
        ln -s "$(readlink "/$d")" "$BUILD/$d"
    elif [ -d "/$d" ]; then
        bind -r "/$d" "$BUILD/$d"
    fi
done
log "directories"
mkdir -m 1777 "$BUILD/tmp"
mkdir -p "$BUILD/dev" "$BUILD/proc" "$BUILD/build"
for node in null zero; do
    bind /dev/$node "$BUILD/dev/$node"
done
bind -r "$SOURCES" "$BUILD/src"
bind "$RESULT" "$BUILD/result"
stat -c '%a %n' "$BUILD/tmp" "$BUILD/build" | sed "s,$BUILD,,"

build() {
    log "building"
    chroot "$BUILD" sh -c 'cd /src && exec sh make.sh "$@"' make -O2 "-D NAME=x y" || {
        echo "the build failed with $?"
        return 1
    }
}

build || log "as was to be expected"
echo 'UNITS="main util"' >"$SOURCES/include/config"
build
cat "$RESULT/program"
ls -R "$BUILD/build"
log "something stays in the chroot"
chroot "$BUILD" sh -c 'cd /result; exec sleep 1000' &
holder=$!
until [ "$(readlink "/proc/$holder/cwd")" = "$BUILD/result" ]; do sleep 0.02; done
umount "$BUILD/result" || log "result is busy"
rm -r "$SOURCES"
log "sources are gone: $(ls "$BUILD/src" | wc -l)"
build
