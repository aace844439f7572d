#!/bin/sh
# A chain of slaves, and a star of them; what happens to the others when one in the middle goes.

length=5

links() {
    awk -v base="$PWD/n" '
        index($5, base) == 1 {
            n = substr($5, length(base) + 1)
            if (n ~ /\//) next
            text = n ":"
            for (i = 7; $i != "-"; i++) {
                split($i, part, ":")
                if (part[1] == "shared") { if (!(part[2] in owner)) owner[part[2]] = n; text = text " shared" }
                else if (part[1] == "master") { text = text " slave of " (part[2] in owner ? owner[part[2]] : "?") }
                else text = text " " $i
            }
            lines[++count] = text
        }
        END { for (i = 1; i <= count; i++) print "  " lines[i] }' /proc/self/mountinfo
}

event() {
    mount -t tmpfs event "n$1/dir"
    printf '  mounted at %s:' "$1"
    i=1
    while [ $i -le $length ]; do
        mountpoint -q "n$i/dir" && printf ' %s' $i
        i=$((i + 1))
    done
    umount "n$1/dir"
    printf ';'
    i=1
    while [ $i -le $length ]; do
        if mountpoint -q "n$i/dir"; then
            printf ' %s has it still' $i
            umount "n$i/dir"
        fi
        i=$((i + 1))
    done
    echo
}

chain() {
    mkdir n1
    mount -t tmpfs n1 n1
    mkdir n1/dir
    mount --make-shared n1
    i=2
    while [ $i -le $length ]; do
        mkdir "n$i"
        mount --bind "n$((i - 1))" "n$i"
        mount --make-slave "n$i"
        mount --make-shared "n$i"
        i=$((i + 1))
    done
}

star() {
    mkdir n1
    mount -t tmpfs n1 n1
    mkdir n1/dir
    mount --make-shared n1
    for i in $(seq 2 $length); do
        mkdir "n$i"
        mount --bind n1 "n$i"
        [ $((i % 2)) -eq 0 ] && mount --make-slave "n$i"
    done
}

clear_all() {
    for d in n?; do
        umount "$d" 2>/dev/null
        rmdir "$d"
    done
}

for shape in chain star; do
    for change in none private:3 umount:3 umount:1 slave:1 private:1 unbindable:2; do
        echo "== $shape, $change"
        $shape
        which=${change#*:}
        case $change in
            private:*) mount --make-private n$which ;;
            slave:*) mount --make-slave n$which ;;
            unbindable:*) mount --make-unbindable n$which ;;
            umount:*) umount n$which ;;
        esac
        echo "  status $?"
        links
        for at in 1 2 3 4 5; do
            mountpoint -q n$at && event $at
        done
        clear_all
    done
done
echo "left: $(grep -c "$PWD/n" /proc/self/mountinfo)"
