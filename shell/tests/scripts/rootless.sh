#!/bin/sh
# A user namespace: what an unprivileged user may mount there, and what is locked.

mkdir host
mount -t tmpfs host host
mount --make-shared host
mkdir host/sub host/ro
mount -t tmpfs sub host/sub
touch host/sub/file
mount -t tmpfs -o ro,nosuid,nodev ro host/ro
chmod 755 host
export WORK="$PWD"

unshare -U -r -m --propagation slave sh <<'END'
cd "$WORK"
id -u
cat /proc/self/uid_map | tr -s ' '
echo "-- mounts of one's own"
mkdir own
mount -t tmpfs own own
echo "tmpfs: $?"
mkdir own/a own/b
mount --bind own/a own/b
echo "bind: $?"
umount own/b
echo "umount: $?"

echo "-- what came from outside is locked"
umount host/sub
echo "umount: $?"
umount host
echo "umount of all: $?"
umount -R host
echo "umount -R: $?"
umount -l host
echo "umount -l: $?"
mount --bind host own/a
echo "bind of a part that hides something: $?"
mount --rbind host own/a
echo "rbind of all: $?"
ls own/a own/a/sub
umount own/a/sub
echo "umount of a locked copy: $?"
umount -l own/a
echo "umount -l of the whole copy: $?"

echo "-- flags are locked"
mount -o remount,bind,rw,nosuid,nodev host/ro
echo "rw: $?"
mount -o remount,bind,ro,suid,nodev host/ro
echo "suid: $?"
mount -o remount,bind,ro,nosuid,nodev,noexec host/ro
echo "noexec: $?"
mount -o remount,bind,ro,nosuid,nodev host/ro
echo "exec again: $?"

echo "-- propagation is the slave's"
grep " $WORK/host " /proc/self/mountinfo | grep -c 'master:'
mount --make-shared host
echo "make-shared: $?"
mount --move host own/a
echo "move: $?"
mount -t proc proc own/b
echo "proc needs a pid namespace: $?"
mount -t ramfs ramfs own/b
echo "ramfs: $?"
exit 5
END
echo "status $?"
ls host/sub
ls -d own && rmdir own

echo "-- without a user namespace of one's own"
unshare -U sh -c 'mount -t tmpfs none "$WORK"'
echo "status $?"
unshare -U sh -c 'id -u; umount "$WORK/host/sub"'
echo "status $?"
umount -R host
