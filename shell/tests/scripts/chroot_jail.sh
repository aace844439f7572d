#!/bin/sh
# A jail with chroot: bind mounts of the directories of the programs, one read-only, and what is not in it.

JAIL=$PWD/jail

cleanup() {
    trap - EXIT
    echo "cleaning up"
    umount -R "$JAIL" 2>/dev/null
    rmdir "$JAIL"
}
trap cleanup EXIT
trap 'echo "interrupted"; exit 130' INT TERM

add() {
    if [ -L "$1" ]; then
        ln -s "$(readlink "$1")" "$JAIL$1"
    elif [ -d "$1" ]; then
        mkdir -p "$JAIL$1"
        mount --bind "$1" "$JAIL$1"
        mount -o remount,ro,bind "$JAIL$1"
    else
        echo "no $1" >/dev/null
    fi
}

mkdir "$JAIL"
mount -t tmpfs -o size=1m jail "$JAIL"
for d in /usr /bin /sbin /lib /lib64; do
    add $d
done
mkdir "$JAIL/proc" "$JAIL/work"

echo "[outside] $(ls "$JAIL" | grep -v lib64 | tr '\n' ' ')"

chroot "$JAIL" sh -c 'pwd; ls / | grep -v lib64 | tr "\n" " "; echo; cat /proc/self/mountinfo; echo "status $?"'
echo "status $?"

mount -t proc proc "$JAIL/proc"
chroot "$JAIL" sh -c 'sed "s/^[0-9]* [0-9]* [^ ]* //" /proc/self/mountinfo | cut -d" " -f2 | grep -v lib | sort'

echo "--- read-only"
chroot "$JAIL" sh -c 'touch /usr/file; echo "status $?"; touch /work/file; echo "status $?"'
ls "$JAIL/work"

echo "--- nothing else is there"
chroot "$JAIL" sh -c "ls $PWD; echo status \$?; cd ..; cd ../..; pwd; test -e /mnt; echo \$?"
chroot "$JAIL" /work/none
echo "status $?"
chroot "$JAIL" none
echo "status $?"
chroot "$JAIL/none" true
echo "status $?"
chroot "$JAIL" /work
echo "status $?"

echo "--- a mount from inside is one outside as well"
chroot "$JAIL" mount -t tmpfs inner /work
echo "status $?"
touch "$JAIL/work/inner-file"
chroot "$JAIL" ls /work
findmnt -n -o SOURCE,FSTYPE "$JAIL/work"
umount "$JAIL/work"
ls "$JAIL/work"
chroot "$JAIL" umount /work
echo "status $?"
chroot "$JAIL" umount /proc
echo "status $?"
echo "--- a root that is no mount point can't be made private"
mkdir "$JAIL/work/root"
(cd / && for d in usr bin sbin lib lib64; do
    [ -L $d ] && cp -P $d "$JAIL/work/root/$d"
    [ -L $d ] || { [ -d $d ] && mkdir "$JAIL/work/root/$d" && mount --bind "/$d" "$JAIL/work/root/$d"; }
done)
chroot "$JAIL/work/root" sh -c 'mount --make-private /'
echo "status $?"
exit 3
