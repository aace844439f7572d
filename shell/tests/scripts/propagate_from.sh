#!/bin/sh
# What a process sees of masters that are outside of its root directory: propagate_from.

programs() {
    for d in usr bin sbin lib lib64; do
        if [ -L /$d ]; then
            ln -s usr/$d "$1/$d"
        elif [ -d /$d ]; then
            mkdir "$1/$d" && mount --rbind /$d "$1/$d"
        fi
    done
}

inside() {
    chroot jail sh -c '
        while read -r id parent device root target options rest; do
            case $target in
                /top | /slave | /last) echo "  $target: ${rest%% - *}" ;;
            esac
        done </proc/self/mountinfo' | sed 's/:[0-9][0-9]*/:N/g'
}

mkdir jail top
mount -t tmpfs jail jail
programs jail
mkdir jail/proc jail/slave jail/last jail/top
mount -t proc proc jail/proc

mount -t tmpfs top top
mount --make-shared top
mkdir between
mount --bind top between
mount --make-slave between
mount --make-shared between
mount --bind between jail/last
mount --make-slave jail/last
mount --bind top jail/slave
mount --make-slave jail/slave
mount --make-shared jail/slave

echo "neither master is inside"
inside
echo "the first one is"
mount --bind top jail/top
inside
echo "the one between has gone"
umount between
inside
echo "the first one is slave of nothing"
mount --make-private top
inside
echo "both"
umount jail/top
inside
umount -R jail
umount top
rmdir jail top between
