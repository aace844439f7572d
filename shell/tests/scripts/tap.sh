#!/bin/sh
# The rules of shared subtrees as a series of tests that speak the Test Anything Protocol.

number=0
bad=0

ok() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        bad=$((bad + 1))
    fi
}

is() {
    [ "$1" = "$2" ]
    result=$?
    ok $result "$3"
    [ $result -eq 0 ] || printf '#   got: %s\n#   expected: %s\n' "$1" "$2"
}

skip() {
    number=$((number + 1))
    echo "ok $number - # skip $1"
}

type_of() {
    line=$(grep " $PWD/$1 " /proc/self/mountinfo | tail -n 1)
    case $line in
        *" shared:"*" master:"*) echo "shared and slave" ;;
        *" shared:"*) echo shared ;;
        *" master:"*) echo slave ;;
        *" unbindable"*) echo unbindable ;;
        "") echo "no mount" ;;
        *) echo private ;;
    esac
}

peers() {
    a=$(grep " $PWD/$1 " /proc/self/mountinfo | grep -o 'shared:[0-9]*')
    b=$(grep " $PWD/$2 " /proc/self/mountinfo | grep -o 'shared:[0-9]*')
    [ -n "$a" ] && [ "$a" = "$b" ]
}

of_type() {
    mkdir "$2"
    mount -t tmpfs none "$2"
    case $1 in
        slave | both)
            mkdir "$2-master"
            mount --make-shared "$2"
            mount --bind "$2" "$2-master"
            mount --make-slave "$2"
            [ "$1" = both ] && mount --make-shared "$2"
            ;;
        *) mount "--make-$1" "$2" ;;
    esac
    mkdir "$2/d"
}

away() {
    for m in "$@"; do
        umount -R "$m"
        umount -R "$m-master" 2>/dev/null
        rmdir "$m" "$m-master" 2>/dev/null
    done
    :
}

echo "# bind"
while read -r source target expected; do
    of_type "$source" s
    of_type "$target" t
    if mount --bind s t/d 2>/dev/null; then
        is "$(type_of t/d)" "$(echo "$expected" | tr _ ' ')" "bind $source on $target"
        case $source in
            shared | both)
                peers s t/d
                ok $? "  and is a peer of its source"
                ;;
            *)
                ! peers s t/d
                ok $? "  and is no peer of its source"
                ;;
        esac
    else
        is "$expected" refused "bind $source on $target"
        skip "there is no copy"
    fi
    away t s
done <<END
shared shared shared
shared private shared
shared slave shared
private shared shared
private private private
private both shared
slave shared shared_and_slave
slave private slave
both private shared_and_slave
both shared shared_and_slave
unbindable shared refused
unbindable private refused
END

echo "# move"
while read -r source target expected; do
    of_type "$source" s
    of_type "$target" t
    mount --move s t/d 2>/dev/null
    status=$?
    if [ "$expected" = refused ]; then
        is $status 32 "move $source to $target is refused"
        is "$(type_of s)" "$source" "  and nothing has changed"
    else
        is $status 0 "move $source to $target"
        is "$(type_of t/d)" "$(echo "$expected" | tr _ ' ')" "  and it is $expected"
    fi
    away t
    [ "$expected" = refused ] && umount s
    rmdir s
    [ -d s-master ] && umount s-master && rmdir s-master
done <<END
shared shared shared
shared private shared
private shared shared
private private private
private unbindable private
slave shared shared_and_slave
slave private slave
both private shared_and_slave
unbindable private unbindable
unbindable unbindable unbindable
unbindable shared refused
END

echo "# umount"
of_type shared s
mkdir p q
mount --bind s p
mount --bind p q
mount --make-slave q
mount -t tmpfs m s/d
is "$(type_of p/d) $(type_of q/d)" "shared slave" "a new mount has the types of its parents"
mkdir p/d/e
mount -t tmpfs deep p/d/e
is "$(type_of s/d/e) $(type_of q/d/e)" "shared slave" "also one level down"
umount s/d 2>/dev/null
ok $((! $?)) "a mount with one below it is busy"
umount q/d/e
umount s/d 2>/dev/null
ok $((! $?)) "also when only a peer has it"
umount p/d/e
is "$(type_of s/d/e) $(type_of p/d/e)" "no mount no mount" "umount goes to the peers"
umount s/d
is "$(type_of s/d) $(type_of p/d) $(type_of q/d)" "no mount no mount no mount" "and to the slaves"
umount q
umount p
rmdir p q
away s

echo "# namespaces"
for type in shared private slave both unbindable; do
    of_type $type s
    line=$(unshare -m --propagation unchanged grep " $PWD/s " /proc/self/mountinfo | sed 's/:[0-9]*//g; s/.*relatime//; s/ - .*//; s/^ //')
    is "$line" "$(case $type in shared) echo shared ;; slave) echo master ;; both) echo "shared master" ;; esac)" \
        "a copy of a mount that is $type, in a namespace: ${line:-private}"
    is "$(unshare -m --propagation private grep -c " $PWD/s .* \(shared\|master\):" /proc/self/mountinfo)" 0 "private: no peers"
    is "$(unshare -m --propagation slave sh -c "grep ' $PWD/s ' /proc/self/mountinfo | grep -c master:")" \
        $(case $type in shared | slave | both) echo 1 ;; *) echo 0 ;; esac) "slave: a master if it had peers or a master"
    away s
done
echo "1..$number"
echo "# $bad of $number failed"
ls
[ $bad -eq 0 ]
