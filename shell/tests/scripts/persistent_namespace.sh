#!/bin/sh
# A namespace that is kept by a bind mount of its file.
set -e

mkdir ns tree
mount -t tmpfs ns ns
mount --make-private ns
touch ns/mnt
mount -t tmpfs tree tree
mkdir tree/a
unshare --mount=ns/mnt --propagation slave sh -c 'mount -t tmpfs kept tree/a && echo data >tree/a/file && cat tree/a/file'
ls tree/a
findmnt -n -o FSTYPE "$PWD/ns/mnt"
enter() { nsenter --mount="$PWD/ns/mnt" "$@"; }
enter cat "$PWD/tree/a/file"
enter sh -c "umount '$PWD/tree/a' && ls '$PWD/tree/a' | wc -l"
enter mount -t tmpfs -o ro kept2 "$PWD/tree/a"
enter touch "$PWD/tree/a/file" || echo "status $?"
enter awk -v at="$PWD/tree/a" '$2 == at { print $1, $3, $4 }' /proc/mounts | sed 's/,inode64//'
umount ns/mnt
enter true || echo "gone: $?"
stat -c '%F, %s bytes' ns/mnt
umount ns tree
echo done
