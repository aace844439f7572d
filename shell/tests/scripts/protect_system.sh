#!/bin/sh
# A service's view of a system: everything read-only but some paths, some inaccessible, a /tmp of its own.
set -e

sys=$PWD/system
mkdir -p "$sys/etc/app" "$sys/home/user" "$sys/tmp" "$sys/var/lib/app" "$sys/var/log" "$sys/usr/share"
echo "key" >"$sys/etc/app/key"
echo "mail" >"$sys/home/user/mail"
echo "shared" >"$sys/tmp/shared"
mount -t tmpfs disk "$sys/var/log"
echo "started" >"$sys/var/log/app"
mount --bind "$sys" "$sys"
mount --rbind "$sys" "$sys"
mount --make-rshared "$sys"

protect() {
    mount --make-rslave "$sys"
    # From the last to the first, so that what is below is done as well.
    findmnt -n -R -l -o TARGET "$sys" | sort -r | while read -r target; do
        mount -o remount,bind,ro "$target"
    done
}

writable() {
    for path; do
        mount --bind "$sys/$path" "$sys/$path"
        mount -o remount,bind,rw "$sys/$path"
    done
}

inaccessible() {
    for path; do
        if [ -d "$sys/$path" ]; then
            mount -t tmpfs -o ro,mode=000 inaccessible "$sys/$path"
        elif [ -e "$sys/$path" ]; then
            mount --bind /dev/null "$sys/$path"
        else
            echo "$path is not there"
        fi
    done
}

check() {
    for path; do
        if touch "$sys/$path/probe" 2>/dev/null; then
            rm "$sys/$path/probe"
            echo "  $path: writable"
        else
            echo "  $path: read-only"
        fi
    done
}

service() {
    protect
    writable var/lib/app var/log
    inaccessible home etc/app/key etc/none
    mount -t tmpfs private-tmp "$sys/tmp"
    echo "in the service:"
    check . etc etc/app home tmp var var/lib/app var/log usr/share
    ls -A "$sys/home" "$sys/tmp"
    wc -c <"$sys/etc/app/key"
    echo "line" >>"$sys/var/log/app"
    : >ready
    until [ -e go ]; do sleep 0.02; done
    mountpoint "$sys/usr/share" || true
    check usr/share
    echo "the service ends"
    exit 12
}

unshare_service() {
    # A function can't be given to unshare; a script with the functions can.
    {
        echo "sys='$sys'"
        sed -n '/^protect()/,/^}/p; /^writable()/,/^}/p; /^inaccessible()/,/^}/p; /^check()/,/^}/p; /^service()/,/^}/p' "$0"
        echo service
    } >service.sh
    unshare --mount --propagation unchanged sh -e service.sh
}

set +e
unshare_service &
until [ -e ready ]; do sleep 0.02; done
echo "on the host:"
check . etc home tmp var/log
cat "$sys/var/log/app"
mount -t tmpfs late "$sys/usr/share"
: >go
wait $!
echo "the service's status: $?"
ls -A "$sys/home" "$sys/tmp"
umount "$sys/usr/share"
while umount -R "$sys" 2>/dev/null; do :; done
umount "$sys/var/log"
rm -r system ready go service.sh
ls -A | wc -l
