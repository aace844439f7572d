#!/bin/sh
# Two jails and a host that share a tree: who sees what, by chroot, by namespace, and by both.

programs() {
    for d in usr bin sbin lib lib64; do
        if [ -L /$d ]; then
            ln -s usr/$d "$1/$d"
        elif [ -d /$d ]; then
            mkdir "$1/$d"
            mount --bind /$d "$1/$d"
        fi
    done
    mkdir "$1/proc" "$1/share" "$1/dev"
    : >"$1/dev/null"
    mount --bind /dev/null "$1/dev/null"
    mount -t proc proc "$1/proc"
}

in_jail() {
    jail=$1
    shift
    chroot "$jail" "$@"
}

list() {
    echo "  host: $(ls share | tr '\n' ' ')"
    for j in one two; do
        echo "  $j: $(in_jail $j sh -c 'for d in /share/*; do mountpoint -q $d && printf "%s " ${d##*/}; done')"
    done
}

mkdir share one two
mount -t tmpfs share share
mount --make-shared share
for j in one two; do
    mount -t tmpfs $j $j
    programs $j
    mount --bind share $j/share
done
mount --make-slave two/share
for d in a b c; do mkdir share/$d; done

echo "from the host"
mount -t tmpfs a share/a
list
echo "from the first jail"
in_jail one mount -t tmpfs b /share/b
list
echo "from the second jail, a slave"
in_jail two mount -t tmpfs c /share/c
list
echo "umount from the first"
in_jail one umount /share/a
list
in_jail two umount /share/b
echo "umount of a slave's: $?"
list

echo "what the jails see of their mounts"
for j in one two; do
    in_jail $j sed -n 's,.* \(/share[^ ]*\) \([^ ]*\) \(.*\)- .*,\1 \3,p' /proc/self/mountinfo | sed 's/:[0-9]*//g' | sed "s/^/  $j: /"
    in_jail $j mountpoint /share
    in_jail $j findmnt -n -o TARGET,FSTYPE /share
done

echo "a jail in a namespace"
unshare -m --propagation unchanged chroot one sh -c '
    mount --make-rslave /share
    mount -t tmpfs inner /share/a && echo "  mounted inside"
    mountpoint /share/a
    umount /share/b
    echo "  umount: $?"
'
list
echo "paths that lead out"
in_jail one sh -c 'cd /share/../..; pwd; ls -d mnt; cd /proc/1/root 2>/dev/null && ls -d mnt' | sed 's/^/  /'
mkdir one/share/up
(cd one/share/up && chroot "$OLDPWD/one" sh -c 'cd ../..; ls -d usr; pwd') | sed 's/^/  /'
umount -R two
umount -R one
list 2>/dev/null
umount -R share
rmdir one two share
