#! /bin/sh
# Test 042
#
# Bind mounts of a scratch filesystem: remounting, renames between mounts, links between mounts.

seq=$(basename "$0" .sh)
here=$(pwd)
tmp=$here/tmp.$seq
status=1

_cleanup()
{
	cd "$here"
	_scratch_unmount_all
	rm -rf "$tmp".* "$SCRATCH_MNT" "$TEST_DIR"
}
trap '_cleanup; exit $status' 0 1 2 3 15

SCRATCH_MNT=$here/scratch
TEST_DIR=$here/test

_fail()
{
	echo "$*" | tee -a "$tmp.full"
	exit 1
}

_filter_scratch()
{
	sed -e "s,$SCRATCH_MNT,SCRATCH_MNT,g" -e "s,$TEST_DIR,TEST_DIR,g" -e "s,$here,HERE,g"
}

_scratch_mount()
{
	mount -t tmpfs "$@" scratch "$SCRATCH_MNT" || _fail "mount failed"
}

_scratch_unmount_all()
{
	awk -v d="$here/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mnt; do
		umount "$mnt"
	done
}

_require_command()
{
	command -v "$1" >/dev/null 2>&1 || { echo "$1 is needed"; status=0; exit; }
}

for cmd in mount umount awk sed mountpoint; do
	_require_command $cmd
done

mkdir -p "$SCRATCH_MNT" "$TEST_DIR"
echo "QA output created by $seq"
_scratch_mount -o size=4m
mkdir "$SCRATCH_MNT/dir" "$SCRATCH_MNT/other"
echo data > "$SCRATCH_MNT/dir/file"

echo "=== rename and link between two mounts of a filesystem"
mount --bind "$SCRATCH_MNT" "$TEST_DIR"
ln "$SCRATCH_MNT/dir/file" "$TEST_DIR/dir/hard" 2>&1 | _filter_scratch
ln "$SCRATCH_MNT/dir/file" "$SCRATCH_MNT/dir/hard" && stat -c '%h %n' "$TEST_DIR/dir/file" | _filter_scratch
mv "$SCRATCH_MNT/dir/hard" "$TEST_DIR/other/moved" && cat "$SCRATCH_MNT/other/moved"
stat -c '%h %n' "$TEST_DIR/dir/file" | _filter_scratch
cmp "$SCRATCH_MNT/dir/file" "$TEST_DIR/other/moved" && echo "the same content"
[ "$SCRATCH_MNT/dir" -ef "$TEST_DIR/dir" ] && echo "the same directory"
[ "$SCRATCH_MNT/dir/file" -ef "$TEST_DIR/other/moved" ] || echo "another file"

echo "=== read-only, and a writer"
exec 9>"$SCRATCH_MNT/open"
mount -o remount,ro "$SCRATCH_MNT" 2>&1 | _filter_scratch
mount -o remount,bind,ro "$SCRATCH_MNT" 2>&1 | _filter_scratch
mount -o remount,bind,ro "$TEST_DIR" && echo "the other mount may be"
exec 9>&-
mount -o remount,bind,ro "$SCRATCH_MNT" && echo "now it may be"
touch "$SCRATCH_MNT/x" 2>&1 | _filter_scratch
mount -o remount,bind,rw "$TEST_DIR" && touch "$TEST_DIR/x" && ls "$SCRATCH_MNT"

echo "=== full"
i=0
while [ $i -lt 3 ]; do
	i=$((i + 1))
	(mkdir "$TEST_DIR/d$i" && mount -t tmpfs -o "nr_inodes=$((i + 1))" t$i "$TEST_DIR/d$i") || _fail "no d$i"
	for f in a b c d; do
		touch "$TEST_DIR/d$i/$f" 2>/dev/null || break
	done
	echo "$i: $(ls "$TEST_DIR/d$i" | wc -w), status of the last one: $(touch "$TEST_DIR/d$i/z" 2>/dev/null; echo $?)"
done
grep -c "$here" /proc/mounts
mountpoint -q "$SCRATCH_MNT/d1" || echo "private, so d1 is not below the other mount"

if [ -s "$tmp.full" ]; then
	cat "$tmp.full"
else
	echo "=== success, all done"
	status=0
fi
exit
