#!/bin/sh
# pivot_root: what it demands, what it does, with the old root put away, on top of itself, and unmounted.

export HERE=$PWD
mkdir root
mount -t tmpfs root root
mkdir root/old root/usr root/plain root/proc
mount --rbind /usr root/usr
for name in bin sbin lib lib64; do
    [ -L /$name ] && ln -s usr/$name root/$name
    [ -L /$name ] || { [ -d /$name ] && mkdir root/$name && mount --bind /$name root/$name; }
done

refuse() {
    echo "+ pivot_root $*"
    unshare -m --propagation unchanged pivot_root "$@"
    echo "status $?"
}

refuse root
refuse root root/old root/old
refuse root/none root/old
refuse root root/none
refuse root/plain root/plain
refuse . root
refuse root .
refuse / root/old
mount --make-shared root
refuse root root/old
mount --make-private root
touch root/file
refuse root root/file

echo "+ the usual way"
unshare -m sh <<'END'
cd root
pivot_root . old
echo "status $?"
cd /
umount -l old/nothing
echo "umount: $?"
umount -l old
echo "umount without proc: $?"
mount -t proc proc proc
ls -d * | grep -v lib64
ls -d "old$HERE/root"
umount old
echo "umount: $?"
umount -l old
echo "umount -l: $?"
ls old
umount old
echo "umount: $?"
pwd
END
echo "outside: $(ls -d root/*/ | tr '\n' ' ' | sed 's,root/lib64/ ,,')"

echo "+ on top of itself"
unshare -m sh <<'END'
cd root
pivot_root . .
echo "status $?"
mount -t proc proc /proc
umount -l .
echo "umount: $?"
cd /
ls -d * | grep -v lib64
test -e old/mnt || echo "nothing is there"
END

echo "+ with chroot"
unshare -m sh <<'END'
cd root
pivot_root . old
exec chroot . sh -c 'cd /; mount -t proc proc /proc; ls -d * | grep -v lib64; umount -l /old; echo "umount: $?"; ls /old | wc -l'
END

echo "+ in a chroot that is no mount point"
mkdir root/plain/put root/plain/usr
mount --rbind root/usr root/plain/usr
for name in bin sbin lib lib64; do
    [ -L /$name ] && ln -s usr/$name root/plain/$name
done
if [ -L /bin ]; then
    chroot root/plain pivot_root . put
    echo "status $?"
fi
umount -R root
rmdir root
