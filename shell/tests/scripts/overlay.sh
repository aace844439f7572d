#!/bin/sh
# Overlays: what is merged, copied up, hidden; two lower layers; read-only ones.

check() {
    "$@"
    status=$?
    [ $status -eq 0 ] || echo "  [$*] = $status"
}

mkdir lower1 lower2 upper work merged
mkdir lower1/both lower2/both lower1/only1 lower2/only2
echo "one" >lower1/both/a
echo "two" >lower2/both/a
echo "two" >lower2/both/b
echo "keep" >lower2/only2/keep
ln -s both/a lower1/link

mount -t overlay overlay -o "lowerdir=lower1:lower2,upperdir=upper,workdir=work" merged
echo "mount: $?"
(cd merged && find . | sort)
cat merged/both/a merged/both/b merged/link

echo "== copy up"
echo "changed" >>merged/both/b
cat merged/both/b lower2/both/b
find upper | sort
echo "== white"
rm merged/both/a
ls merged/both lower1/both lower2/both upper/both
test -c upper/both/a && echo "a whiteout"
rm -r merged/only2
ls merged
mkdir merged/only2
ls merged/only2
ls lower2/only2
echo "== rename"
mv merged/only1 merged/renamed
echo "directory: $?"
mv merged/both/b merged/b
echo "file: $?"
find merged | sort
echo "== below it"
mkdir merged/m
mount -t tmpfs below merged/m
touch merged/m/file
umount merged
echo "umount: $?"
mount --bind merged/m merged/only2
ls merged/only2
umount merged/only2
umount merged/m
mount -o remount,ro merged
echo "remount ro: $?"
touch merged/file
echo "touch: $?"
findmnt -n -o FSTYPE,SOURCE merged
awk -v at="$PWD/merged" '$2 == at { gsub(/,/, "\n", $4); print $4 }' /proc/mounts | grep dir=
umount merged

echo "== read-only, without an upper layer"
check mount -t overlay -o lowerdir=lower1:lower2 overlay merged
check touch merged/x
ls merged
check umount merged
echo "== again, with what is in the upper layer"
check mount -t overlay -o lowerdir=lower1:lower2,upperdir=upper,workdir=work overlay merged
(cd merged && find . | sort)
check umount merged
echo "== mistakes"
check mount -t overlay -o lowerdir=none overlay merged
check mount -t overlay -o lowerdir=lower1,upperdir=upper overlay merged
check mount -t overlay -o upperdir=upper,workdir=work overlay merged
check mount -t overlay -o lowerdir=lower1,nonsense overlay merged
check mount -t overlay overlay merged
rm -r lower1 lower2 upper work merged
