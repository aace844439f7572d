#!/bin/sh
# The many ways to write a mount command, right and wrong.

t() {
    printf '$ %s\n' "$*"
    "$@"
    status=$?
    [ $status -eq 0 ] || echo "status $status"
    sed -n "s,^[^ ]* \($PWD/[^ ]*\) \([^ ]*\) \([^ ]*\) .*,  \1 \2 \3,p" /proc/mounts | sed "s,$PWD/,,; s/,inode64//"
    umount -R a b 2>/dev/null
}

mkdir a b
for source in none tmpfs "two words" /dev/null; do
    mount -t tmpfs "$source" a && grep "$PWD/a" /proc/mounts | cut -d' ' -f1
    umount a
done
t mount -t tmpfs x a
t mount -ttmpfs x a
t mount x a -t tmpfs
t mount --types tmpfs --options size=4k x a
t mount --types=tmpfs --options=size=4k x a
t mount -t tmpfs -o ro -o size=4k,nosuid -o nodev x a
t mount --source x --target a -t tmpfs
t mount --target a -t tmpfs --source x
t mount -t tmpfs --target a x
t mount -rt tmpfs x a
t mount -wt tmpfs x a
t mount --read-only -t tmpfs x a
t mount -n -t tmpfs x a
t mount --no-mtab -t tmpfs x a
t mount -i -t tmpfs x a
t mount -v -t tmpfs x a
t mount -v --bind b a
t mount -v --make-shared a
t mount -v -o remount,bind,ro a
t mount -B b a
t mount --bind b a
t mount -o bind b a
t mount -R b a
t mount -o rbind b a
t mount -o bind,rbind b a
t mount --bind --make-shared b a
t mount --bind --make-private --make-shared b a
t mount -t none -o bind b a
t mount -t tmpfs --make-unbindable x a
t mount -t tmpfs -o unbindable x a
t mount -f -t tmpfs x a
t mount --fake -t tmpfs x none
t mount -t tmpfs -- x a
t mount --mkdir -t tmpfs x made/for/it
umount made/for/it
rm -r made
t mount -t tmpfs -o X-mount.mkdir x made2
umount made2
rmdir made2

echo "# wrong"
t mount --bind b
t mount a
t mount a b c
t mount none
t mount -t tmpfs x
t mount -t
t mount -o
t mount -Z a b
t mount --bind --move a b
t mount -t nonsense x a
t mount x a
t mount -t ext4 x a
t mount -t ext4 /dev/null a
t mount -t tmpfs x a/none
t mount --bind none a
t mount --bind b none
t mount --bind a/none b/none
t mount --move a b
t mount "" a
t mount -t tmpfs x ""
t mount -o remount a
t mount -o remount,ro none
t mount --make-shared
t mount --make-shared none
t mount --make-shared a b
ls
