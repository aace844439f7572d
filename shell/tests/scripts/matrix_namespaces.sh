#!/bin/sh
# Namespaces: unshare with every propagation of a tree of every type; what is seen of mounts on the other side.

wait_for() {
    until [ -e "$1" ]; do sleep 0.02; done
    rm "$1"
}

prepare() {
    mkdir tree sync
    mount -t tmpfs tree tree
    mkdir tree/outside tree/inside
    case $1 in
        slave)
            mkdir master
            mount --make-shared tree
            mount --bind tree master
            mount --make-slave tree
            ;;
        *) mount --make-$1 tree ;;
    esac
}

finish() {
    umount -R tree
    [ -d master ] && umount -R master && rmdir master
    rmdir tree sync
}

# Runs in the new namespace.
export INSIDE='
    awk -v at="$PWD/tree" "\$5 == at { print \"  inside it is\", \$7 == \"-\" ? \"private\" : \$7, \$8 ~ /:/ ? \$8 : \"\" }" \
        /proc/self/mountinfo | sed "s/:[0-9]*//g; s/ *$//"
    mount -t tmpfs in tree/inside && touch tree/inside/file
    touch sync/mounted
    until [ -e sync/go ]; do sleep 0.02; done
    rm sync/go
    for d in outside inside; do
        [ -e tree/$d/file ] && echo "  inside sees $d"
    done
    umount tree/outside 2>/dev/null
    echo "  umount tree/outside inside: $?"
'

for type in shared slave private unbindable; do
    for propagation in private slave shared unchanged; do
        echo "== a $type tree, unshare --propagation $propagation"
        prepare $type
        unshare --mount --propagation $propagation sh -c "$INSIDE" &
        child=$!
        wait_for sync/mounted
        mount -t tmpfs out tree/outside && touch tree/outside/file
        for d in outside inside; do
            [ -e tree/$d/file ] && echo "  outside sees $d"
        done
        touch sync/go
        wait $child
        echo "  child: $?"
        mountpoint tree/outside | sed "s/.*\/tree/  tree/"
        finish
    done
done
