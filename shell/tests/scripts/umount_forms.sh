#!/bin/sh
# The ways to write an umount command, right and wrong.

setup() {
    mount -t tmpfs one a
    mkdir a/sub
    mount -t tmpfs two a/sub
    mount --bind a/sub b
}

t() {
    setup
    printf '$ %s\n' "$*"
    "$@"
    status=$?
    [ $status -eq 0 ] || echo "status $status"
    left=$(grep -o "$PWD/[^ ]*" /proc/self/mountinfo | sed "s,$PWD/,," | tr '\n' ' ')
    echo "  left: ${left:-nothing}"
    umount b 2>/dev/null
    umount -R a 2>/dev/null
}

mkdir a b c
t umount a/sub
t umount ./a/../b/
t umount "$PWD/b"
t umount a/sub b
t umount b a/sub a
t umount a b
t umount none b c
t umount -R a
t umount -R a/sub b
t umount --recursive a b
t umount -l a
t umount --lazy b a/sub a
t umount -R -l a
t umount -f b
t umount --force a
t umount -n b
t umount -v b
t umount -v a
t umount -v b a/sub a
t umount -q c
t umount -q a
t umount -d b
t umount -i b
t umount -c "$PWD/b"
t umount --fake b
t umount -- b
t umount two
t umount one
t umount c
t umount none
t umount ""
t umount
t umount -x
t umount --nonsense
t umount -t tmpfs b
t umount -lf b
touch file
t umount file
t umount file/
t umount a/sub/..
t umount .
ln -s b link
t umount link
ln -s "$PWD/a/sub" link2
t umount link2 link
(
    setup
    cd a/sub || exit 1
    umount .
    echo "status $?"
    umount "$PWD"
    echo "status $?"
    umount ../../b && umount -l . && pwd | sed 's,.*/,,'
    umount ..
    echo "status $?"
)
umount -R a
rm file link link2
ls
