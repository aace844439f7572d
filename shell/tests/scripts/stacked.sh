#!/bin/sh
# Mounts on top of each other.

d=$PWD/stack
mkdir "$d"
for n in 1 2 3 4; do
    mount -t tmpfs "layer$n" "$d"
    touch "$d/file$n"
done
findmnt -n -o TARGET,SOURCE "$d"
awk -v d="$d" '$2 == d { print $1 }' /proc/mounts
ls "$d"

echo "-- the stack as a tree"
findmnt -R -o TARGET,SOURCE,FSTYPE "$d"

echo "-- bind takes the top"
mkdir copy
mount --bind "$d" copy
ls copy
mount --rbind "$d" copy
grep -c " $PWD/copy " /proc/self/mountinfo
umount copy
umount copy
umount copy
echo "status $?"

echo "-- move takes the top"
mkdir away
mount --move "$d" away
ls away "$d"

echo "-- umount takes the top"
while umount "$d"; do
    printf 'now:'
    for f in "$d"/*; do
        printf ' %s' "${f##*/}"
    done
    echo
done
echo "-- umount -R takes the whole of it"
mount -t tmpfs a "$d"
mkdir "$d/sub"
mount -t tmpfs b "$d/sub"
mount -t tmpfs c "$d"
mount -t tmpfs d "$d"
mkdir "$d/sub2"
mount -t tmpfs e "$d/sub2"
umount -R "$d"
echo "status $?"
grep " $d" /proc/self/mountinfo | cut -d' ' -f5 | sed "s,^$PWD,,"
umount -R "$d"
echo "status $?"
grep " $d" /proc/self/mountinfo | cut -d' ' -f5 | sed "s,^$PWD,,"
umount -R "$d"
echo "status $?"
umount -R "$d"
echo "status $?"
ls away
umount away
