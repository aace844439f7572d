#!/bin/sh
# A tool with options, as people keep it in ~/bin: makes trees of mounts from a description, and prints them as a table.

prog=mktree
verbose=0
dry=0
root=$PWD

usage() {
    cat <<END
usage: $prog [-hnv] [-r ROOT] [-t TYPE] create|remove|list [NAME[:PROPAGATION[:OPTIONS]]]...
    -n        print the commands instead
    -r ROOT   below ROOT
    -t TYPE   type of the filesystem
END
    exit "${1:-0}"
}

die() {
    printf '%s: %s\n' "$prog" "$*" >&2
    exit 1
}

do_it() {
    [ $verbose -eq 1 ] && printf '+ %s\n' "$*"
    [ $dry -eq 1 ] && { printf '%s\n' "$*"; return 0; }
    "$@"
}

create() {
    for spec in "$@"; do
        name=${spec%%:*}
        rest=${spec#"$name"}
        rest=${rest#:}
        propagation=${rest%%:*}
        options=${rest#"$propagation"}
        options=${options#:}
        case $name in
            /* | *..*) die "bad name: $name" ;;
            '') die "empty name in '$spec'" ;;
        esac
        case ${propagation:=private} in
            private | shared | slave | unbindable) ;;
            *) die "bad propagation: $propagation" ;;
        esac
        do_it mkdir -p "$root/$name" || die "can't make $name"
        do_it mount -t "$type" ${options:+-o "$options"} "$name" "$root/$name" || die "can't mount $name ($?)"
        do_it mount --make-"$propagation" "$root/$name"
    done
}

remove() {
    for name; do
        do_it umount "$root/$name" && do_it rmdir -p --ignore-fail-on-non-empty "$name"
    done
}

list() {
    printf '%-12s|%8s|%-10s|%s\n' name type kind options
    printf '%s\n' '------------+--------+----------+--------'
    while read -r id parent device from to options rest; do
        case $to in "$root"/*) ;; *) continue ;; esac
        kind=private
        case $rest in
            shared:*) kind=shared ;;
            master:*) kind=slave ;;
            unbindable*) kind=unbindable ;;
        esac
        : "$id" "$parent" "$device" "$from"
        tail=${rest#*- }
        printf '%-12.12s|%8s|%-10s|%s\n' "${to#"$root"/}" "${tail%% *}" "$kind" "$options"
    done </proc/self/mountinfo
}

main() {
    type=tmpfs verbose=0 dry=0 root=$PWD
    OPTIND=1
    while getopts :hnr:t:v option; do
        case $option in
            h) usage ;;
            n) dry=1 ;;
            r) root=$OPTARG ;;
            t) type=$OPTARG ;;
            v) verbose=1 ;;
            :) die "-$OPTARG needs an argument" ;;
            \?) die "unknown option -$OPTARG" ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# -gt 0 ] || usage 2
    command=$1
    shift
    case $command in
        create | remove | list) $command "$@" ;;
        *) die "unknown command $command" ;;
    esac
}

try() {
    echo "\$ $prog $*"
    (main "$@")
    echo "-> $?"
}

try
try -h
try -x list
try -r
try nothing
try create a b:shared c:unbindable:size=32k d::ro
try list
try -v create a/sub:shared:noexec,size=4k
try -n create x:shared y:slave:mode=700
try create ../up
try create e:strange
try create :shared
try -t ramfs create r
try -t nonsense create n
try list
try remove a
try remove a/sub a b
try -r "$PWD/d" -n remove sub
try -v remove c d r
try list
ls
