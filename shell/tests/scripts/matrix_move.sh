#!/bin/sh
# Moving mounts: every type of mount, below every type of parent, to every type of parent.

count=0
refused=0

fail() {
    echo "unexpected: $*"
    exit 1
}

mk() {
    mkdir -p "$2" && mount -t tmpfs "$2" "$2" || fail "mount $2"
    case "$1" in
        slave)
            mount --make-shared "$2"
            mkdir -p "master-$2"
            mount --bind "$2" "master-$2"
            mount --make-slave "$2"
            ;;
        *) mount "--make-$1" "$2" || fail "make-$1 $2" ;;
    esac
}

propagation() {
    sed -n "s,^[^ ]* [^ ]* [^ ]* [^ ]* $PWD/$1 [^ ]* \(.*\)- .*,\1,p" /proc/self/mountinfo |
        sed 's/:[0-9]*//g; s/ *$//' | tail -n 1
}

for from in private shared slave unbindable; do
    for what in private shared slave unbindable; do
        for to in private shared slave unbindable; do
            count=$((count + 1))
            printf '%2d. a %s mount from a %s to a %s parent: ' $count $what $from $to
            mk $from from
            mk $to to
            mkdir from/old to/new
            mount -t tmpfs moved from/old
            [ $what = slave ] && {
                mount --make-shared from/old
                mkdir master-moved
                mount --bind from/old master-moved
            }
            mount --make-$what from/old
            mkdir from/old/sub
            mount -t tmpfs sub from/old/sub
            if mount --move from/old to/new 2>error; then
                echo "moved"
                echo "    new: $(propagation to/new), sub: $(propagation to/new/sub)"
                [ -d to/new/sub ] || fail "nothing moved"
                [ -d from/old/sub ] && fail "still there"
                umount -R to/new
            else
                status=$?
                refused=$((refused + 1))
                echo "refused ($status)"
                sed -e "s,$PWD/,," -e 's/^/    /' error
                umount -R from/old
            fi
            for d in from to master-*; do
                [ -d "$d" ] || continue
                umount "$d" || fail "umount $d"
                rmdir "$d"
            done
        done
    done
done
rm error
echo "$refused of $count refused"
[ -z "$(ls)" ] && echo "nothing left"
