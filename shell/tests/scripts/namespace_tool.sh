#!/bin/sh
# Named mount namespaces, as `ip netns` has for networks: add, list, exec, show, delete.

dir=$PWD/namespaces

die() {
    echo "nstool: $1" >&2
    return "${2:-1}"
}

init() {
    mkdir -p "$dir"
    mountpoint -q "$dir" || {
        mount --bind "$dir" "$dir"
        mount --make-private "$dir"
    }
}

add() {
    [ $# -eq 1 ] || [ $# -eq 2 ] || { die "add NAME [PROPAGATION]" 2; return; }
    [ -e "$dir/$1" ] && { die "$1 exists"; return; }
    init
    : >"$dir/$1"
    unshare --mount="$dir/$1" --propagation "${2:-private}" true || {
        rm -f "$dir/$1"
        die "can't make $1"
        return
    }
}

exists() {
    [ -e "$dir/$1" ] || { die "there is no $1"; return; }
}

list() {
    for f in "$dir"/*; do
        [ -e "$f" ] || continue
        if [ "$(findmnt -n -o FSTYPE "$f")" = nsfs ]; then
            echo "${f##*/}"
        else
            echo "${f##*/} (dead)"
        fi
    done
}

run() {
    exists "$1" || return
    namespace=$1
    shift
    nsenter --mount="$dir/$namespace" --wd="$PWD" "$@"
}

show() {
    exists "$1" || return
    run "$1" awk -v base="$PWD/tree" '
        $5 == base || index($5, base "/") == 1 {
            p = "private"
            for (i = 7; $i != "-"; i++) {
                sub(/:.*/, "", $i)
                p = (i == 7 ? "" : p ",") $i
            }
            printf "  %-10s %s\n", substr($5, length(base) + 1) "/", p
            n++
        }
        END { print "  " n + 0, "mounts" }' /proc/self/mountinfo
}

delete() {
    exists "$1" || return
    umount "$dir/$1" && rm "$dir/$1"
}

nstool() {
    echo "\$ nstool $*"
    command=${1:-list}
    [ $# -gt 0 ] && shift
    case $command in
        add | list | show | delete) $command "$@" ;;
        exec) run "$@" ;;
        *) die "unknown command $command" 2 ;;
    esac
    status=$?
    [ $status -eq 0 ] || echo "  status $status"
}

mkdir tree
mount -t tmpfs tree tree
mount --make-shared tree
mkdir tree/a tree/b

nstool
nstool add one
nstool add two slave
nstool add three unchanged
nstool add one
nstool add four strange
nstool add
nstool list
for n in one two three; do
    nstool show $n
done
mount -t tmpfs a tree/a
for n in one two three none; do
    nstool show $n
done
nstool exec three mount -t tmpfs b tree/b
nstool exec two umount tree/a
nstool exec one mountpoint tree/a
nstool exec one false
nstool exec one not-a-program
nstool exec none true
mountpoint tree/b
nstool exec two sh -c 'touch tree/b/from-two && exec ls tree/b'
ls tree/b
nstool exec one sh -c 'ls tree/b | wc -l'
nstool delete two
nstool delete two
nstool delete ""
nstool list
umount namespaces/one
nstool list
nstool exec one true
nstool exec three umount -R tree
nstool show three
nstool remove three
nstool delete three
mountpoint tree
umount -R namespaces
rm -r namespaces tree
ls
