#!/bin/sh
# A process in the background keeps a namespace; nsenter does things in it.

start() {
    unshare -m --propagation "$1" sh -c 'echo $$ >pid.new && mv pid.new pid && exec sleep 1000' &
    job=$!
    until [ -s pid ]; do sleep 0.02; done
    read -r pid <pid
    rm pid
    [ "$job" = "$pid" ] && echo "started in a $1 namespace"
}

stop() {
    # Whether a shell tells of the signal depends on when it learns that the process has ended.
    {
        kill "$pid"
        wait "$job"
    } 2>/dev/null
    echo "the keeper ended with $?"
}

in_ns() {
    nsenter -t "$pid" -m --wd="$PWD" "$@"
}

mkdir shared private
mount -t tmpfs shared shared
mount --make-shared shared
mount -t tmpfs private private
mkdir shared/x private/x

start unchanged
in_ns mount -t tmpfs inner-x shared/x
echo "mount: $?"
in_ns mount -t tmpfs inner-y private/x
echo "mount: $?"
for place in shared private; do
    for command in "mountpoint -q $place/x" "in_ns mountpoint -q $place/x"; do
        $command
        echo "$command: $?"
    done
done
in_ns sh -c 'echo "inside: $*" && exit 42' sh a b c
echo "status $?"
nsenter --target "$pid" --mount -- sh -c 'cd / && pwd'
nsenter -m"/proc/$pid/ns/mnt" -- findmnt -n -o FSTYPE,SOURCE "$PWD/private/x"
[ "$(readlink /proc/self/ns/mnt)" = "$(in_ns readlink /proc/self/ns/mnt)" ] || echo "another namespace"
echo "kept" | in_ns tee shared/x/file
cat shared/x/file
in_ns false || echo "false: $?"
stop
mountpoint "$PWD/shared/x"
mountpoint "$PWD/private/x"
umount shared/x
umount private/x
echo "status $?"

start slave
mount -t tmpfs outer shared/x
touch shared/x/outer
in_ns ls shared/x
in_ns umount shared/x
echo "umount inside: $?"
ls shared/x
in_ns mount -t tmpfs inner shared/x
in_ns umount shared/x
in_ns ls shared/x | wc -l
in_ns chroot "$PWD/shared" /nothing
echo "status $?"
stop

echo "-- errors"
nsenter -t "$pid" -m true 2>&1 | sed 's/[0-9][0-9]*/PID/g'
nsenter -m true
echo "status $?"
nsenter -t 1 -m --no-such-option true
echo "status $?"
nsenter --mount="$PWD/none" true
echo "status $?"
touch file
nsenter --mount="$PWD/file" true
echo "status $?"
rm file
umount -R shared private
