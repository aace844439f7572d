#!/bin/sh
# Recursive bind mounts: a tree of every type of mount below every type of destination.
set -u

readonly types="shared slave private unbindable"

slave_of() {
    mount --make-shared "$1"
    mkdir -p "$2"
    mount --bind "$1" "$2"
    mount --make-slave "$1"
}

new_mount() {
    type=$1 directory=$2
    mkdir -p "$directory"
    mount -t tmpfs none "$directory" || return
    if [ "$type" = slave ]; then
        slave_of "$directory" "masters/$(echo "$directory" | tr / _)"
    else
        mount --make-"$type" "$directory"
    fi
}

describe() {
    findmnt -R -n -r -o TARGET,PROPAGATION "$PWD/destination" | sed "s,^$PWD/,    ,"
}

mkdir masters
mount -t tmpfs masters masters
mount --make-private masters

for top in $types; do
    for below in $types; do
        for destination in shared private slave; do
            printf '== rbind: %s with %s below to %s\n' "$top" "$below" "$destination"
            new_mount "$top" source
            new_mount "$below" source/child
            new_mount private source/child/grandchild
            new_mount "$destination" destination
            mkdir destination/here
            mount --rbind source destination/here
            status=$?
            printf '  status %d\n' "$status"
            describe
            if [ "$status" -eq 0 ]; then
                touch source/child/grandchild/mark
                find destination/here | sort | sed 's/^/  /'
                mkdir -p source/late
                mount -t tmpfs late source/late
                touch source/late/file
                [ -e destination/here/late/file ] && echo "  a late mount has arrived"
                umount source/late
            fi
            umount -R destination || echo "  umount -R destination: $?"
            umount -R source || echo "  umount -R source: $?"
            for master in masters/*; do
                [ -d "$master" ] || continue
                umount -R "$master"
                rmdir "$master"
            done
            rmdir destination source
        done
    done
done
umount masters
findmnt -R -n -r -o TARGET,FSTYPE "$PWD"
