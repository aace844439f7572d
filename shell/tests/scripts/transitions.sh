#!/bin/sh
# Every type of propagation changed to every other, once for a mount with a peer and once for one without.

state() {
    awk -v at="$PWD/$1" '$5 == at {
        text = ""
        for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); text = text (text == "" ? "" : "+") $i }
        print text == "" ? "private" : text
    }' /proc/self/mountinfo
}

turn() {
    case $1 in
        slave-shared) mount --make-slave m && mount --make-shared m ;;
        none) ;;
        *) mount --make-$1 m ;;
    esac
}

for company in with without; do
    echo "## $company a peer"
    printf '%-14s' from
    for to in shared slave private unbindable slave-shared; do printf ' %-14s' "$to"; done
    printf '\n'
    for from in shared slave private unbindable slave-shared; do
        printf '%-14s' "$from"
        for to in shared slave private unbindable slave-shared; do
            mkdir m
            mount -t tmpfs m m
            if [ $company = with ]; then
                mkdir peer
                mount --make-shared m
                mount --bind m peer
            fi
            turn $from
            turn $to
            printf ' %-14s' "$(state m)"
            umount m
            if [ $company = with ]; then
                umount peer
                rmdir peer
            fi
            rmdir m
        done
        printf '\n'
    done
done

echo "## recursively"
mkdir -p t
mount -t tmpfs t t
mkdir t/a t/b
mount -t tmpfs a t/a
mkdir t/a/c
mount -t tmpfs c t/a/c
mount -t tmpfs b t/b
for to in rshared rslave shared rprivate runbindable private; do
    mount --make-$to t
    echo "make-$to: $? $(state t) $(state t/a) $(state t/a/c) $(state t/b)"
done

echo "## what is no mount"
mount --make-shared t/a/c/none
echo "status $?"
mkdir t/a/c/dir
mount --make-shared t/a/c/dir
echo "status $?"
mount --make-rslave t/a/c/dir
echo "status $?"
mount --make-sharing t
echo "status $?"
umount -R t
rmdir t
