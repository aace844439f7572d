#!/bin/sh
# Shared, slave, private and unbindable trees, bound, moved, cloned with their namespace, and compared.

here=$PWD
errors=0

check() {
    expected=$1
    shift
    if diff -r "$@" >diff.out 2>&1; then
        found=same
    else
        found=different
    fi
    if [ "$found" = "$expected" ]; then
        printf 'ok       %-9s %s\n' "$found" "$*"
    else
        printf 'NOT OK   %-9s %s\n' "$found" "$*"
        sed 's/^/         /' diff.out
        errors=$((errors + 1))
    fi
    rm -f diff.out
}

count() {
    echo "mounts below $1: $(grep -c " $here/$1/" /proc/self/mountinfo)"
}

tree() {
    mkdir "$2"
    mount --bind "$2" "$2"
    mount --make-"$1" "$2"
    mkdir "$2/x" "$2/y" "$2/z"
    echo "$2" >"$2/x/name"
}

echo "### trees of all types"
tree shared shared
tree private private
tree unbindable unbindable
tree private slave
mount --bind shared slave
mount --make-slave slave
check same shared slave
for name in one two three; do
    mkdir "$name"
    mount -t tmpfs "$name" "$name"
    echo "$name" >"$name/file"
    mkdir "$name/below"
done

echo "### mounts below them"
mount --bind one shared/y
check same one shared/y
check same shared slave
mount --bind two slave/z
check different shared/z slave/z
check same two slave/z
mount --rbind two private/y
mount --bind three private/y/below
check same three private/y/below
check same three/below private/y/below/below
mount --bind private unbindable/y
check different private/y unbindable/y/y
check same private/x unbindable/y/x
mount --bind unbindable two/below
echo "bind of unbindable: $?"

echo "### moves"
mkdir -p away/a away/b
mount --move private away/a
echo "move private: $?"
check same three away/a/y/below
mount --bind away/b away/b
mount --make-shared away/b
mkdir away/b/dir
mount --bind away/b away/a/z
mount --move slave away/b/dir
echo "move slave to shared: $?"
check same away/b/dir away/a/z/dir
mount --move unbindable away/b/dir/y
echo "move unbindable to shared: $?"
mount --move shared/y one/below
echo "move from shared: $?"
mount --move away/a away/a/z
echo "move into itself: $?"
count away

echo "### a clone of the namespace"
cat >clone.sh <<'END'
check() {
    if diff -r "$@" >/dev/null 2>&1; then echo "inside:  same      $*"; else echo "inside:  different $*"; fi
}
check shared away/b/dir
mount --bind three shared/z
check three shared/z
check three away/b/dir/z
mount --make-rprivate shared
mount --make-rslave away/b
umount shared/y
check one shared/y
mount -t tmpfs inside unbindable/x
ls unbindable/x unbindable/y
: >cloned
until [ -e continue ]; do sleep 0.02; done
check two shared/y
check one away/b/dir/x
umount -R away
echo "inside:  umount -R away: $?"
exit 17
END
unshare --mount --propagation unchanged sh clone.sh &
clone=$!
until [ -e cloned ]; do sleep 0.02; done
check same three shared/z
check same two away/a/z/dir/z
check same one shared/y
ls unbindable/x
mount --bind two shared/y
echo "bind: $?"
mount --bind one away/b/dir/x
check same one away/a/z/dir/x
: >continue
wait $clone
echo "the clone ended with $?"
rm clone.sh cloned continue
count away
count shared

echo "### the end"
for target in $(awk -v below="$here/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r); do
    umount "$target" 2>/dev/null
done
awk -v below="$here/" 'index($2, below) == 1 { print "left: " substr($2, length(below) + 1) }' /proc/mounts
rm -rf shared private unbindable slave one two three away
ls
echo "$errors errors"
exit $errors
