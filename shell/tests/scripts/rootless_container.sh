#!/bin/sh
# A container without privileges: user, mount and pid namespace, a root of its own, its own proc.

mkdir root
echo "the host's" >host-file
cat >init <<'END'
echo "init: process $$ of user $(id -u)"
mount --bind root root
cd root
mkdir -p usr proc tmp old work dev
: >dev/null
mount --bind /dev/null dev/null
echo "null: $?"
mount --rbind /usr usr
for d in bin sbin lib lib64; do
    if [ -L /$d ]; then
        ln -s usr/$d $d
    elif [ -d /$d ]; then
        mkdir $d && mount --rbind /$d $d
    fi
done
mount -t proc proc proc
echo "proc: $?"
mount -t tmpfs -o size=64k tmpfs tmp
echo "tmp: $?"
mount --bind .. work
mount -o remount,bind,ro work
echo "work read-only: $?"
pivot_root . old
echo "pivot_root: $?"
cd /
umount -l /old
echo "umount old: $?"
rmdir old
echo "rmdir old: $?"
ls -d /* | grep -v lib | tr '\n' ' '
echo
cat /work/host-file
(echo x >/work/host-file) 2>/dev/null || echo "not for writing"
echo y >/tmp/file && cat /tmp/file
umount /usr
echo "umount usr: $?"
sleep 100 &
{
    kill $!
    wait $!
} 2>/dev/null
echo "a child: $?"
hostname_of() { cat /proc/sys/kernel/hostname >/dev/null && echo "proc works"; }
hostname_of
mount -o remount,bind,rw /work
echo "writable again: $?"
echo "changed inside" >/work/host-file
exit 33
END
unshare --user --map-root-user --mount --pid --fork sh init
echo "status $?"
cat host-file
ls root | grep -v lib64
rm -r root host-file init
