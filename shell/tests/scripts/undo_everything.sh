#!/bin/sh
# The ways in which people undo everything that is mounted below a directory.

plant() {
    mkdir -p t/a/b t/c
    mount -t tmpfs root t
    mkdir -p t/a/b t/c/d
    mount -t tmpfs one t/a
    mkdir t/a/b
    mount -t tmpfs two t/a/b
    mount -t tmpfs three t/c
    mkdir t/c/d
    mount --bind t/a t/c/d
    mount -t tmpfs four t/c
    mount --make-rshared t
}

left() {
    n=$(grep -c " $PWD/t[/ ]" /proc/self/mountinfo)
    echo "$1: $n left"
}

plant
umount -R t
left "umount -R"

plant
umount -l t
left "umount -l"

plant
awk -v at="$PWD/t" '$2 == at || index($2, at "/") == 1 { print $2 }' /proc/mounts | sort -r | xargs umount
left "sort -r and xargs"

plant
grep " $PWD/t" /proc/mounts | cut -d' ' -f2 | tac | while read -r m; do umount "$m"; done
left "tac and a loop"

plant
for m in $(findmnt -n -R -r -o TARGET "$PWD/t" | sort -r); do umount -l "$m" 2>/dev/null; done
left "findmnt and lazily"

plant
while m=$(sed -n "s,^[^ ]* \($PWD/t[^ ]*\) .*,\1,p" /proc/mounts | tail -n 1); [ -n "$m" ]; do umount "$m" || break; done
left "the last one, again and again"

plant
sed '1!G;h;$!d' /proc/self/mountinfo | awk -v at="$PWD/t" '$5 ~ "^" at { print $5 }' | xargs -n 1 umount
left "sed reversed, one by one"

plant
n=0
until umount t 2>/dev/null; do
    n=$((n + 1))
    for m in t/c/d t/c t/a/b t/a; do umount "$m" 2>/dev/null && break; done
done
echo "$n rounds"
left "by trial"

plant
umount t/a/b t/a t
echo "status $?"
left "forgotten one"
umount t/c t/c/d t/c t
echo "status $?"
left "and then the rest"

plant
unshare -m --propagation private umount -R t
left "in a namespace, private"
unshare -m --propagation unchanged umount -R t/c
left "in a namespace, shared"
unshare -m --propagation slave umount -R t
left "in a namespace, slave"
umount -R t
left "after all"
umount -R t
echo "status $?"
rm -r t
