#!/bin/sh
# Mountpoints that are removed or renamed in another namespace take their mounts with them.

mounted() {
    n=$(awk -v at="$PWD/" 'index($5, at) == 1 { n++ } END { print n + 0 }' /proc/self/mountinfo)
    echo "$n mounted: $(ls | tr '\n' ' ')"
}

mkdir -p a/b/c d
echo "-- here: busy"
mount -t tmpfs tmpfs a/b/c
rmdir a/b/c
echo "rmdir: $?"
mv a/b/c a/x
echo "mv: $?"
rm -r a
echo "rm -r: $?"
mv a e
echo "mv of a parent: $?"
mounted
awk -v at="$PWD/" 'index($5, at) == 1 { print substr($5, length(at) + 1) }' /proc/self/mountinfo
umount e/b/c
mv e a

echo "-- there: not busy"
unshare -m sh -c '
    mount -t tmpfs inside a/b/c
    touch a/b/c/file
    touch ready
    until [ -e go ]; do sleep 0.02; done
    ls -A a a/b
    grep -c "$PWD/a" /proc/self/mountinfo
' &
until [ -e ready ]; do sleep 0.02; done
ls -A a/b/c
rmdir a/b/c
echo "rmdir: $?"
touch go
wait $!
rm ready go

echo "-- renamed there and here"
mkdir a/b/c
unshare -m --propagation private sh -c '
    mount -t tmpfs inside a/b
    mkdir a/b/own
    touch ready
    until [ -e go ]; do sleep 0.02; done
    ls f f/b
    awk -v at="$PWD/" "index(\$5, at) == 1 { print substr(\$5, length(at) + 1) }" /proc/self/mountinfo
' &
until [ -e ready ]; do sleep 0.02; done
mv a f
echo "mv: $?"
touch go
wait $!
rm ready go
mounted

echo "-- with mounts below"
mkdir -p f/m d/other
unshare -m sh -c '
    mount -t tmpfs m f/m
    mkdir f/m/n
    mount -t tmpfs n f/m/n
    cd f/m/n
    touch ../../../ready
    until [ -e "$OLDPWD/go" ]; do sleep 0.02; done
    pwd
    ls ..
    cd "$OLDPWD"
    ls f
    grep -c "$PWD/f" /proc/self/mountinfo
' &
until [ -e ready ] ; do sleep 0.02; done
mv d/other f/m/ && mv f/m/other d
rmdir f/m
echo "rmdir: $?"
touch go
wait $!
echo "status $?"
rm -r ready go f d
mounted
