#!/bin/sh
# Move: unbindable trees, and trees with something unbindable in them, to every type of parent.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	local to
	new_tree unbindable tree
	mkdir tree/below
	expect_pass mount -t tmpfs none tree/below
	for to in private slave unbindable; do
		new_tree $to "parent-$to"
		mkdir "parent-$to/here"
		expect_pass mount --move tree "parent-$to/here"
		result INFO "in the old place: $(mountpoint tree), in the new one: $(ls "parent-$to/here")"
		expect_fail mount --bind "parent-$to/here" disk1
		expect_pass mount --move "parent-$to/here" tree
	done
	new_tree shared parent-shared
	mkdir parent-shared/here
	expect_fail mount --move tree parent-shared/here
	expect_pass mount --make-private tree
	expect_pass mount --make-unbindable tree/below
	expect_fail mount --move tree parent-shared/here
	expect_pass mount --make-private tree/below
	expect_pass mount --move tree parent-shared/here
	expect_fail mount --move parent-shared/here tree
	expect_pass umount parent-shared/here/below
	expect_pass umount parent-shared/here
}

run
