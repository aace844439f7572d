#!/bin/sh
# Remounting: what belongs to the mount, and what to the filesystem.

flags() {
    for m in "$@"; do
        awk -v at="$PWD/$m" -v name="$m" '$5 == at {
            for (i = 7; $i != "-"; i++);
            sub(/,inode64/, "", $(i + 3))
            printf "  %-6s mount %s, filesystem %s\n", name, $6, $(i + 3)
        }' /proc/self/mountinfo
    done
}

t() {
    echo "\$ $*"
    "$@" || echo "  status $?"
    flags a b
}

mkdir a b
t mount -t tmpfs tmpfs a
t mount --bind a b
t mount -o remount,bind,ro b
t mount -o remount,bind,noexec,nosuid b
t mount -o remount,bind,noexec,nosuid,ro b
t mount -o remount,ro a
t mount -o remount,rw b
t mount -o remount,rw,noatime a
t mount -o remount,bind a
t mount -o bind,remount,nodev,relatime a
t umount b
t mount -o bind,ro a b
t umount b
t mount --bind -o ro,nosuid a b
t umount b
t mount -r --bind a b
t umount b
t mount -o bind,nodiratime,noatime a b
t mount -o remount,bind,strictatime b
t mount -o remount,bind,ro,norelatime,diratime b
t umount b
t mount --rbind --make-private -o ro a b
t umount b
t mount -o rbind,slave a b
t umount b
t mount -o remount,bind,ro a/none
mkdir a/dir
t mount -o remount,bind,ro a/dir
t mount -o remount a/dir
t mount -o ro,remount a
t touch a/file
t mount -w -o remount a
t touch a/file
t umount a
echo "# a read-only mount in a tree that is bound recursively"
mount -t tmpfs a a
mkdir a/sub
mount -t tmpfs sub a/sub
t mount --rbind -o ro a b
touch b/file
touch b/sub/file
umount -R b a
rmdir a b
