#!/bin/sh
# What a container runtime does to a root directory: special filesystems, devices, masked and read-only paths, pivot_root.
set -eu

log() { printf 'runtime: %s\n' "$*"; }

rootfs=$PWD/rootfs
volume=$PWD/volume

populate() {
    mkdir -p "$rootfs" "$volume"
    mount --bind "$rootfs" "$rootfs"
    mount --make-private "$rootfs"
    for directory in bin dev etc home lib mnt old proc sbin sys tmp usr var/lib; do
        mkdir -p "$rootfs/$directory"
    done
    echo "container" >"$rootfs/etc/hostname"
    echo "secret" >"$rootfs/etc/shadow"
    echo "root:x:0:0:root:/root:/bin/sh" >"$rootfs/etc/passwd"
    echo "from the volume" >"$volume/data"
}

# A container needs programs, and what they are linked with.
programs() {
    mount --bind -o ro /usr "$rootfs/usr"
    for name in bin sbin lib lib64; do
        if [ -L "/$name" ]; then
            rmdir "$rootfs/$name" 2>/dev/null || :
            ln -s "usr/$name" "$rootfs/$name"
        elif [ -d "/$name" ]; then
            mkdir -p "$rootfs/$name"
            mount --bind -o ro "/$name" "$rootfs/$name"
        fi
    done
}

special() {
    mount -t proc -o nosuid,nodev,noexec proc "$rootfs/proc"
    mount -t tmpfs -o nosuid,strictatime,mode=755,size=65536k tmpfs "$rootfs/dev"
    mkdir "$rootfs/dev/pts" "$rootfs/dev/shm"
    mount -t tmpfs -o nosuid,noexec,nodev,mode=1777,size=65536k shm "$rootfs/dev/shm"
    mount -t tmpfs -o nosuid,nodev tmpfs "$rootfs/tmp"
    for device in null zero full random urandom tty; do
        : >"$rootfs/dev/$device"
        mount --bind "/dev/$device" "$rootfs/dev/$device"
    done
    ln -s /proc/self/fd "$rootfs/dev/fd"
    ln -s /proc/self/fd/1 "$rootfs/dev/stdout"
}

volumes() {
    mkdir -p "$rootfs/mnt/volume" "$rootfs/mnt/read-only"
    mount --bind "$volume" "$rootfs/mnt/volume"
    mount --bind "$volume" "$rootfs/mnt/read-only"
    mount -o remount,bind,ro,nosuid "$rootfs/mnt/read-only"
}

masks() {
    mount --bind /dev/null "$rootfs/etc/shadow"
    mkdir "$rootfs/var/lib/masked"
    echo hidden >"$rootfs/var/lib/masked/file"
    mount -t tmpfs -o ro,size=0 masked "$rootfs/var/lib/masked"
    mount --bind "$rootfs/proc/sys" "$rootfs/proc/sys"
    mount -o remount,bind,ro "$rootfs/proc/sys"
}

enter() {
    unshare --mount --propagation private sh -eu <<END
cd "$rootfs"
pivot_root . old
cd /
umount -l old
rmdir old
exec sh /container-main
END
}

populate
log "populated: $(ls "$rootfs" | tr '\n' ' ')"
programs
special
volumes
masks
log "$(findmnt -R -n -r -o TARGET "$rootfs" | grep -c .) mounts"

cat >"$rootfs/container-main" <<'END'
echo "hello from $(cat /etc/hostname), in $(pwd)"
cut -d' ' -f5,6 /proc/self/mountinfo | grep -v '^/\(usr\|bin\|sbin\|lib\|lib64\) ' | sed 's/,relatime//; s,^\(/dev/[^ ]*\) rw\,nosuid$,\1 rw,; s,^\(/etc/shadow\) rw\,nosuid$,\1 rw,'
ls / | grep -v lib64
ls -A /dev | tr '\n' ' '
echo
cat /mnt/volume/data
echo more >/mnt/volume/more && echo "the volume is writable"
(echo more >/mnt/read-only/other) || echo "the other one is not: $?"
cat /etc/shadow | wc -c
ls -A /var/lib/masked | wc -l
touch /var/lib/masked/x || echo "masked: $?"
(echo 1 >/proc/sys/kernel/hostname) || echo "/proc/sys is read-only: $?"
echo discarded >/dev/null && echo "/dev/null works"
head -c 4 /dev/zero | wc -c
mount -o remount,bind,rw /mnt/read-only && echo "root may change its mounts"
umount /mnt/volume && ls /mnt/volume | wc -l
ls /old || echo "no way back: $?"
exit 7
END

status=0
enter || status=$?
log "the container ended with $status"
log "in the volume: $(ls "$volume" | tr '\n' ' ')"
log "on the host the mounts are as before: $(mountpoint "$rootfs/mnt/volume" | sed 's/.*is/is/')"
umount -R "$rootfs"
log "after it: $(ls "$rootfs" | grep -v lib64 | tr '\n' ' ')"
rm -r "$rootfs" "$volume"
