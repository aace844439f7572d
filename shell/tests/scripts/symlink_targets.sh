#!/bin/sh
# Symbolic links as targets and sources of mounts.

mkdir -p real/dir other
ln -s real/dir link
ln -s link link2
ln -s "$PWD/real" absolute
ln -s nowhere dangling
ln -s loop loop
ln -s ../real/dir other/up

where() {
    findmnt -n -o TARGET -T "$1" 2>/dev/null | sed "s,^$PWD,.,"
}

for link in link link2 absolute/dir other/up dangling loop link/none; do
    mount -t tmpfs "on-$link" "$link"
    status=$?
    echo "$link: $status"
    if [ $status -eq 0 ]; then
        grep "on-$link" /proc/mounts | cut -d' ' -f2 | sed "s,^$PWD,.,"
        touch real/dir/x && ls "$link/"
        umount "$link"
        echo "umount $link: $?"
    fi
done

echo "-- as sources"
mkdir target
for link in link link2 absolute other/up dangling loop; do
    mount --bind "$link" target
    echo "$link: $?"
    awk -v at="$PWD/target" '$5 == at { print "    its root is", $4 }' /proc/self/mountinfo
    umount target 2>/dev/null
done

echo "-- removed and replaced below a mount"
mount -t tmpfs tmpfs real
mkdir real/dir
touch real/dir/on-top
ls link/
rm absolute && ln -s other absolute
readlink absolute
umount real
ls link/
ls -l link link2 dangling | sed 's/.* \(link\|link2\|dangling\) -> /\1 -> /'
rm link2
umount link2
echo "status $?"
umount link
echo "status $?"

echo "-- a link to a file"
echo text >real/file
echo tied >real/covered
ln -s real/covered filelink
mount --bind real/file filelink
cat real/covered filelink
umount filelink
cat real/covered
[ -L filelink ] && [ -h filelink ] && echo "still a link to $(readlink -f filelink)"
[ -e dangling ] || echo "dangling"
realpath other/up
realpath dangling loop 2>&1
echo "status $?"
rm -r real other target link dangling loop absolute filelink
ls
