#!/bin/sh
# Busy mounts: a working directory, an open file, a mount below; and umount -l, which does not mind.

say() { echo "$@" >&2; }

# hold DIRECTORY: a process that stays there. Its number is in $holder.
hold() {
    (
        cd "$1" || exit
        exec sleep 1000
    ) &
    holder=$!
    until [ "$(readlink /proc/$holder/cwd)" = "$(realpath "$1")" ]; do
        sleep 0.02
    done
}

release() {
    kill -9 $holder
    wait $holder 2>/dev/null
    say "the holder ended with $?"
}

mkdir m
echo "# a working directory"
mount -t tmpfs tmpfs m
mkdir m/sub
hold m/sub
umount m
say "umount: $?"
release
umount m
say "umount: $?"

echo "# an open file, for reading, in a subshell"
mount -t tmpfs tmpfs m
echo content >m/file
(
    umount m
    say "umount: $?"
    read -r line
    say "it says: $line"
) <m/file
umount m
say "umount: $?"

echo "# an open file of the shell itself"
mount -t tmpfs tmpfs m
exec 7>m/log
echo "one" >&7
umount m
say "umount: $?"
umount -l m
say "umount -l: $?"
echo "two" >&7
say "writing after that: $?"
ls m
exec 7>&-

echo "# a mount below"
mount -t tmpfs tmpfs m
mkdir m/below
mount -t tmpfs tmpfs m/below
umount m
say "umount: $?"
umount -l m
say "umount -l: $?"
grep -c "$PWD/m" /proc/self/mountinfo

echo "# being inside oneself"
mount -t tmpfs tmpfs m
mkdir -p m/x/y
cd m/x/y || exit 1
umount ../..
say "umount: $?"
umount -l ../..
say "umount -l: $?"
pwd
touch here && say "still writable"
ls ..
cd ../..
ls
cd "$OLDPWD" || say "there is no way back"
cd / && cd - >/dev/null || say "nor now"
cd "${0%/*}/../work" || exit 1
pwd
ls

echo "# a swarm"
for i in 1 2 3; do
    mount -t tmpfs "tmpfs$i" m
done
hold m
umount m
say "umount: $?"
umount -l m
umount m
umount m
say "umount: $?"
umount m
say "umount: $?"
release
umount -l m
say "umount -l: $?"
umount -l none
say "umount -l: $?"
rmdir m
