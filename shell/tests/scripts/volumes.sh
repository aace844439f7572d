#!/bin/sh
# Volumes for containers: those that get later mounts from the host, those that also send theirs, those that do neither.

base=$PWD
state=$base/state
log=$base/log

note() { printf '%s\n' "$*" | tee -a "$log"; }

die() {
    note "fatal: $*"
    exit 1
}

setup() {
    mkdir -p "$state" "$base/volumes" "$base/containers"
    mount -t tmpfs volumes "$base/volumes" || die "no volumes"
    mount --make-shared "$base/volumes"
    mount --bind "$base/containers" "$base/containers"
    mount --make-private "$base/containers"
    : >"$log"
}

new_volume() {
    mkdir "$base/volumes/$1"
    echo "$1" >"$base/volumes/$1/name"
    mkdir "$base/volumes/$1/sub"
}

# start NAME PROPAGATION VOLUME...
start() {
    name=$1 propagation=$2
    shift 2
    root=$base/containers/$name
    mkdir -p "$root"
    mount -t tmpfs "$name" "$root"
    {
        echo "root='$root'"
        for volume; do
            echo "mkdir -p '$root/$volume'"
            echo "mount --rbind '$base/volumes/$volume' '$root/$volume'"
            case $propagation in
                None) echo "mount --make-rprivate '$root/$volume'" ;;
                HostToContainer) echo "mount --make-rslave '$root/$volume'" ;;
                Bidirectional) echo "mount --make-rshared '$root/$volume'" ;;
                *) die "unknown propagation $propagation" ;;
            esac
        done
        cat <<'END'
: >"$root/started"
n=0
while [ ! -e "$root/stop" ]; do
    if [ -e "$root/command" ]; then
        n=$((n + 1))
        (cd "$root" && sh ./command) >"$root/output" 2>&1
        echo $? >"$root/status"
        rm "$root/command"
    fi
    sleep 0.02
done
exit $n
END
    } >"$state/$name.sh"
    unshare -m --propagation unchanged sh "$state/$name.sh" &
    echo $! >"$state/$name.pid"
    until [ -e "$root/started" ]; do sleep 0.02; done
    note "$name started ($propagation)"
}

# run NAME COMMAND: in the container, with the output here.
run() {
    root=$base/containers/$1
    printf '%s\n' "$2" >"$root/command.new"
    mv "$root/command.new" "$root/command"
    while [ -e "$root/command" ]; do sleep 0.02; done
    sed "s/^/    $1: /" "$root/output"
    read -r status <"$root/status"
    [ "$status" -eq 0 ] || note "    $1: status $status"
}

stop() {
    : >"$base/containers/$1/stop"
    read -r pid <"$state/$1.pid"
    wait "$pid"
    note "$1 stopped after $? commands"
    umount "$base/containers/$1" || note "still busy"
    rmdir "$base/containers/$1"
}

setup
for v in data cache; do new_volume $v; done
start none None data cache
start down HostToContainer data
start both Bidirectional data cache

note "a mount on the host"
mount -t tmpfs late "$base/volumes/data/sub"
echo "late" >"$base/volumes/data/sub/file"
for c in none down both; do
    run $c 'cat data/sub/file'
done

note "a mount in a container"
for c in none down both; do
    run $c "mkdir -p data/from-$c && mount -t tmpfs $c data/from-$c && echo $c >data/from-$c/file"
done
find "$base/volumes" -type f | sort | sed "s,$base/,,"
for c in none down both; do
    run $c 'find data -type f | sort'
done

note "an umount in a container"
run down 'umount data/sub'
run none 'umount data/sub'
run both 'umount data/sub'
mountpoint "$base/volumes/data/sub" | sed "s,$base/,,"
run down 'cat data/sub/file; cat data/name'
note "the volume is taken away"
run both 'umount data/from-both'
umount "$base/volumes/data"
note "umount of a directory: $?"
umount "$base/volumes"
note "umount while it is in use elsewhere: $?"
run both 'cat data/name && ls data'
run none 'umount -R data && ls data && umount -R cache'
stop none
stop down
stop both
umount -R "$base/containers"
wc -l <"$log"
rm -r "$state" "$log" "$base/volumes" "$base/containers"
ls
