#!/bin/sh
# The ways to look at mounts: mount, findmnt, mountpoint, /proc/mounts, /proc/self/mountinfo.

mkdir tree
mount -t tmpfs -o size=1m,mode=755 top tree
mkdir -p tree/a/deep tree/b "tree/with space"
mount -t tmpfs -o ro,nosuid a tree/a 2>&1
mount -t ramfs ram tree/b
mount --bind tree/b "tree/with space"
mount --make-shared tree
mount --make-unbindable tree/b

echo "# mount"
mount | grep "$PWD/tree" | sed 's/,inode64//'
mount -t ramfs | grep "$PWD"
mount -l -t ramfs | grep -c "$PWD/tree"
echo "# /proc/mounts"
grep "$PWD/tree" /proc/mounts | sed 's/,inode64//'
echo "# findmnt"
findmnt -o TARGET,SOURCE,FSTYPE,PROPAGATION "$PWD/tree"
findmnt -n -R -l -o TARGET,FSTYPE "$PWD/tree" | sort
findmnt -n -R -r -o TARGET,FSROOT "$PWD/tree" | sort
findmnt -R "$PWD/tree/a" | sed 's/,inode64//'
findmnt -o TARGET,FSTYPE "$PWD/tree/b"
findmnt -n -o TARGET -T "$PWD/tree/a/deep"
findmnt -n -o TARGET --target "$PWD/tree/b/"
findmnt "$PWD/tree/none"
echo "status $?"
findmnt -n -o TARGET "$PWD"
findmnt -n "$PWD/tree/with"
echo "status $?"
findmnt -n -P -o TARGET,SOURCE,PROPAGATION -M "$PWD/tree/with space"
findmnt -n -t ramfs -o TARGET,FSTYPE | grep -c "$PWD"
findmnt -n -S ram -o TARGET | sort
findmnt --no-such
echo "status $?"
echo "# mountpoint"
for d in tree tree/a tree/b "tree/with space" tree/none; do
    mountpoint "$d"
    echo "status $?"
    mountpoint -q "$d"
    echo "status $?"
done
echo x >tree/file
mountpoint tree/file
echo "status $?"
mountpoint
echo "status $?"
mountpoint a b
echo "status $?"
ln -s tree/b link
mountpoint link
echo "status $?"
rm link
echo "# mountinfo"
awk -v at="$PWD/tree" 'index($5, at) == 1 { for (i = 7; $i != "-"; i++) sub(/:[0-9]+/, "", $i)
    $1 = $2 = $3 = "-"; sub(/,inode64/, ""); print }' /proc/self/mountinfo
umount -R tree
rmdir tree
