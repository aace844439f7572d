#!/bin/sh
# proc, sysfs, devpts, mqueue, ramfs and devtmpfs in places of their own.

d=$PWD/d
mkdir "$d"

try() {
    type=$1 options=$2
    if mount -t "$type" ${options:+-o "$options"} "$type" "$d"; then
        printf '%-9s %-24s ' "$type" "${options:-no options}"
        awk -v at="$d" '$5 == at { for (i = 7; $i != "-"; i++); print $6, $(i + 1), $(i + 2) }' /proc/self/mountinfo
    else
        status=$?
        echo "$type $options: status $status"
        return $status
    fi
}

for options in "" ro nosuid,nodev,noexec; do
    try proc "$options" && {
        [ -d "$d/self/fd" ] && [ -r "$d/mounts" ] && [ "$(readlink "$d/self")" -gt 0 ] && echo "  works"
        read -r first rest <"$d/self/mountinfo" && [ -n "$rest" ] && [ "$first" -gt 0 ] && echo "  has a table"
        umount "$d"
    }
done
try proc hidepid=2 && umount "$d"
try proc nonsense
try sysfs "" && {
    ls -d "$d"/kernel "$d"/fs | sed "s,$d,  ,"
    umount "$d"
}
try devpts newinstance,mode=620,ptmxmode=666 && {
    ls "$d" | tr '\n' ' '
    stat -c '%a %F' "$d/ptmx"
    umount "$d"
}
try devpts mode=wrong
try mqueue "" && {
    stat -c '%a' "$d"
    umount "$d"
}
try ramfs mode=750 && {
    stat -c '%a' "$d"
    umount "$d"
}
try ramfs size=1m && umount "$d"
try tmpfs "" && umount "$d"
try overlay ""
try ext4 ""
try none ""
try "" ""

echo "-- devices"
try devtmpfs "" && {
    for node in null zero full random urandom tty console; do
        stat -c "  %F %t:%T %n" "$d/$node" | sed "s,$d/,,"
    done
    umount "$d"
}
try tmpfs nodev && {
    mknod "$d/null" c 1 3 && stat -c '%F' "$d/null"
    echo x >"$d/null" || echo "status $?"
    mount -o remount,dev "$d"
    echo x >"$d/null" && echo "a device now"
    mknod "$d/fifo" p && [ -p "$d/fifo" ] && echo "a fifo"
    mkfifo "$d/fifo" || echo "status $?"
    mkfifo "$d/pipe"
    (echo "through the pipe" >"$d/pipe") &
    cat "$d/pipe"
    wait
    umount "$d"
}
echo "-- a mount hides the processes' own"
mount -t tmpfs hide /proc
ls /proc | wc -l
mountpoint /proc
echo "status $?"
mount | wc -l
findmnt
echo "status $?"
umount /proc
echo "umount: $?"
mountpoint -q /proc && echo "there"
rmdir "$d"
