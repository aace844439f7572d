#!/bin/sh
# What umount takes along: peers, slaves, their slaves; not what is busy there, not private copies.

show() {
    for place in a b slave slave2 copy; do
        if mountpoint -q "$place/m"; then
            printf ' %s' "$place"
        fi
    done
    printf '\n'
}

setup() {
    mkdir a b slave slave2 copy
    mount -t tmpfs none a
    mkdir a/m
    mount --make-shared a
    mount --bind a b
    mount --bind a slave
    mount --make-slave slave
    mount --make-shared slave
    mount --bind slave slave2
    mount --make-slave slave2
    mount --bind a copy
    mount --make-private copy
}

teardown() {
    for place in a b slave slave2 copy; do
        umount -R "$place"
        rmdir "$place"
    done
}

for where in a b slave slave2 copy; do
    for off in a b slave slave2 copy; do
        setup
        mount -t tmpfs test $where/m
        printf 'mounted at %-7s' "$where:"
        show
        umount $off/m 2>/dev/null
        printf '  umount %-7s %d:' "$off" $?
        show
        teardown
    done
done

echo "--- with a mount below in one place"
setup
mount -t tmpfs test a/m
mkdir a/m/x
mount --make-private copy
mount --make-private slave2/m
mount -t tmpfs below slave2/m/x
umount a/m
echo "umount a/m: $?"
show
umount slave2/m
echo "umount slave2/m: $?"
umount -R slave2/m
echo "umount -R slave2/m: $?"
show
teardown

echo "--- lazily, with a process in it"
setup
mount -t tmpfs test b/m
(cd b/m && exec sleep 1000) &
keeper=$!
while [ "$(readlink "/proc/$keeper/cwd")" != "$PWD/b/m" ]; do sleep 0.02; done
umount a/m
echo "umount a/m: $?"
umount b/m
echo "umount b/m: $?"
show
umount -l b/m
echo "umount -l b/m: $?"
show
# Whether a shell tells of the signal depends on when it learns that the process has ended.
{
    kill $keeper
    wait $keeper
} 2>/dev/null
echo "the process: $?"
teardown
ls | wc -l
