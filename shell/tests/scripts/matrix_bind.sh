#!/bin/sh
# Bind mounts: every type of source to every type of destination. What the copy is, and where later mounts appear.

# table DIRECTORY: the mounts at and below it, with the peer groups numbered in the order in which they appear.
table() {
    awk -v base="$1" '
        function peers(field,    parts) {
            split(field, parts, ":")
            if (parts[2] == "") return field
            if (!(parts[2] in number)) number[parts[2]] = ++groups
            return parts[1] ":" number[parts[2]]
        }
        $5 == base || index($5, base "/") == 1 {
            line = substr($5, length(base) + 2)
            if (line == "") line = "."
            for (i = 7; $i != "-"; i++) line = line " " peers($i)
            print "    " line
        }' /proc/self/mountinfo
}

# make TYPE DIRECTORY: a tmpfs of this type; the slave of another one with this name and .master, if it is a slave.
make() {
    mkdir "$2"
    mount -t tmpfs "$2" "$2"
    case $1 in
        slave)
            mount --make-shared "$2"
            mkdir "$2.master"
            mount --bind "$2" "$2.master"
            mount --make-slave "$2"
            ;;
        both)
            mount --make-shared "$2"
            mkdir "$2.master"
            mount --bind "$2" "$2.master"
            mount --make-slave "$2"
            mount --make-shared "$2"
            ;;
        *) mount "--make-$1" "$2" ;;
    esac
}

# seen NAME DIRECTORY...: which of these have this entry.
seen() {
    entry=$1
    shift
    places=
    for place; do
        [ -e "$place/$entry" ] && places="$places ${place#$PWD/}"
    done
    echo "  $entry is in:${places:- none}"
}

for source in shared slave both private unbindable; do
    for destination in shared slave both private unbindable; do
        echo "== bind: $source to $destination"
        case="$source-$destination"
        mkdir "$case"
        cd "$case" || exit 1
        make $source source
        make $destination destination
        mkdir source/dir destination/target
        mount --bind destination destination.peer 2>/dev/null
        if mount --bind source destination/target; then
            table "$PWD"
            mkdir source/sub
            mount -t tmpfs one source/sub && touch source/sub/from-source
            seen sub/from-source source source.master destination/target destination.master/target
            umount source/sub
            mount -t tmpfs two destination/target/sub && touch destination/target/sub/from-copy
            seen sub/from-copy source source.master destination/target destination.master/target
            umount destination/target/sub
            umount destination/target
        else
            echo "  refused with $?"
        fi
        cd ..
        for place in "$case"/*; do
            umount "$place" || echo "  umount $place: $?"
            rmdir "$place"
        done
        rmdir "$case"
    done
done
table "$PWD"
