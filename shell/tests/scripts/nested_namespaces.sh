#!/bin/sh
# Namespaces within namespaces: what propagates over three levels.

mkdir t
mount -t tmpfs t t
mkdir t/0 t/1 t/2
mount --make-shared t
export T="$PWD/t"

see() {
    printf '%s:' "$1"
    for i in 0 1 2; do
        mountpoint -q "$T/$i" && printf ' %s' $i
    done
    echo
}

wait_for() { until [ -e "$1" ]; do sleep 0.02; done; }

cat >level1 <<'END'
see() { printf '%s:' "$1"; for i in 0 1 2; do mountpoint -q "$T/$i" && printf ' %s' $i; done; echo; }
mount -t tmpfs one "$T/1"
see "level 1 after its mount"
mount --make-shared "$T"
unshare -m --propagation slave sh level2
echo "level 2 ended with $?"
umount "$T/1"
see "level 1 after its umount"
exit 11
END
cat >level2 <<'END'
see() { printf '%s:' "$1"; for i in 0 1 2; do mountpoint -q "$T/$i" && printf ' %s' $i; done; echo; }
see "level 2 at first"
mount -t tmpfs two "$T/2"
see "level 2 after its mount"
: >t/sync
until [ -e t/go ]; do sleep 0.02; done
see "level 2 after a mount on level 0"
umount "$T/0"
umount "$T/1"
see "level 2 after its umounts"
grep " $T " /proc/self/mountinfo | sed 's/.* rw,relatime \(.*\) - .*/\1/; s/:[0-9]*//g'
exit 22
END

for propagation in slave shared private; do
    echo "== level 1 is $propagation"
    unshare -m --propagation $propagation sh level1 &
    wait_for t/sync
    see "level 0 at first"
    mount -t tmpfs zero t/0
    see "level 0 after its mount"
    : >t/go
    wait $!
    echo "level 1 ended with $?"
    see "level 0 after all"
    umount t/0 t/1 2>/dev/null
    rm t/sync t/go
done

echo "== private in the middle"
unshare -m --propagation slave sh -c '
    mount --make-private "$T"
    unshare -m --propagation unchanged sh -c "mount -t tmpfs x \"\$T/2\"; mountpoint \"\$T/2\""
    mountpoint "$T/2"
    exec unshare -m --propagation shared sh -c "grep \" \$T \" /proc/self/mountinfo | grep -c shared:"
'
echo "== a process that outlives its parent"
unshare -m --propagation slave sh -c '
    mount -t tmpfs kept "$T/1"
    touch "$T/1/file"
    (until [ -e t/go ]; do sleep 0.02; done; ls "$T/1"; touch t/done) &
'
see "level 0"
: >t/go
wait_for t/done
umount t
rm -r t level1 level2
