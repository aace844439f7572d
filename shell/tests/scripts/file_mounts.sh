#!/bin/sh
# Mounts on files.

echo one >one
echo two >two
mkdir dir

mount --bind one two
echo "file on file: $?"
cat two
echo changed >two
cat one
umount two
cat one two

mount --bind one dir
echo "file on directory: $?"
mount --bind dir one
echo "directory on file: $?"
mount -t tmpfs tmpfs one
echo "filesystem on file: $?"
mount --bind none two
echo "nothing on file: $?"
mount --bind one none
echo "file on nothing: $?"

echo "-- busy in all ways"
mount --bind one two
rm two
echo "rm: $?"
mv two three
echo "mv: $?"
mv one three
echo "mv of the source: $?"
cat two three
rm three
cat two
echo "after its source was removed:"
sed -n "s,.* \(/[^ ]*\) $PWD/two .*,\1,p" /proc/self/mountinfo
echo more >>two
cat two
umount two
cat two
echo "-- read-only"
echo text >a
touch b
mount --bind a b
mount -o remount,bind,ro b
echo x >b
echo "status $?"
echo y >a
echo "status $?"
cat b
[ -w b ] && echo "b is writable"
[ -w a ] && echo "a is writable"
umount b
echo "-- masked by /dev/null"
mount --bind /dev/null a
echo hidden >a
cat a
wc -c <a
test -c a && echo "a character device"
test -f a || echo "no regular file"
umount a
cat a
test -f a && echo "a regular file"
echo "-- unlinked in another namespace"
echo master >m
mount --bind two m
unshare -m sh -c 'rm m; umount m && rm m'
echo "rm: $?"
ls
cat m
echo "-- renamed over in another namespace"
echo new >n
mount --bind two n
unshare -m sh -c 'umount n && echo newer >n.tmp && mv n.tmp n && cat n'
cat n
grep -c "$PWD" /proc/self/mountinfo
rm -r a b dir two n m
ls
