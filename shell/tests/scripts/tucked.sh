#!/bin/sh
# Mounts that propagation puts beneath others that were there first.

show() {
    echo "$1:"
    for t in top peer slave; do
        echo "  $t/d: $(cd $t/d && echo *), $(grep -c " $PWD/$t/d " /proc/self/mountinfo) there"
    done
}

mkdir top peer slave
mount -t tmpfs top top
mkdir top/d
touch top/d/bottom
mount --make-shared top
mount --bind top peer
mount --bind top slave
mount --make-slave slave
show "at first"

mount -t tmpfs own slave/d
touch slave/d/own
mount --make-private slave/d
show "a mount of the slave's own"

mount -t tmpfs beneath top/d
touch top/d/beneath
show "then one of the master"

mount -t tmpfs second peer/d
touch peer/d/second
show "then one of the peer, on top"

umount slave/d
echo "umount slave/d: $?"
show "after the slave's own has gone"

umount top/d
show "the peers' top has gone"

mount -t tmpfs again slave/d && touch slave/d/again
umount top/d
echo "umount top/d: $?"
show "the peers' first has gone"

umount slave/d
echo "umount slave/d: $?"
umount slave/d
echo "umount slave/d: $?"
show "in the end"
umount slave peer top
echo "umount: $?"
rmdir slave peer top
