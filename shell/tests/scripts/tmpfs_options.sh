#!/bin/sh
# Options of tmpfs: what they do, how they are shown, which are refused, what a remount changes.

options() {
    awk -v at="$PWD/$1" '$2 == at { print $4 }' /proc/mounts | sed 's/,inode64//'
}

attempt() {
    printf '%s\n' "+ mount -t tmpfs -o $1"
    if mount -t tmpfs -o "$1" tmpfs m; then
        options m
        stat -c '%a %u %g' m
        umount m
    else
        echo "status $?"
    fi
}

mkdir m
for o in defaults size=64k mode=700 uid=1,gid=2 nr_inodes=5 size=1m,mode=1777,uid=3 ro nosuid,nodev,noexec \
    noatime relatime strictatime nodiratime rw,ro ro,rw size=10x mode=9 wrong=1 size= nr_inodes=-1 sync dirsync \
    lazytime mand silent,size=4k uid=root noswap nr_blocks=3 'size=0x1000'; do
    attempt "$o"
done

echo "- full"
mount -t tmpfs -o size=8k,nr_inodes=4 tmpfs m
printf '%4096s' x >m/a
printf '%4096s' y >m/b
printf '%4096s' z >m/c
echo "status $?"
touch m/d
echo "status $?"
ls -s m | tail -n +2 | wc -l
rm m/c
wc -c m/a m/b
mount -o remount,size=12k m
printf '%4096s' z >m/c
echo "status $?"
mount -o remount,size=4k m
echo "too small: $?"
mount -o remount,nr_inodes=2 m
echo "too few: $?"
options m
mount -o remount,ro m
echo w >m/a
echo "status $?"
options m
mount -o remount,rw,nosuid m
options m
mount -o remount m
options m
umount m
mount -o remount,ro m
echo "status $?"
rmdir m
