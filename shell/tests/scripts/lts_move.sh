#!/bin/sh
# Move: a tree moves with everything below it, and with its propagation.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	result INFO "move: shared child to private parent"
	new_tree private parent
	new_tree shared child
	new_tree private mirror
	mkdir parent/here child/x

	expect_pass mount --bind child mirror
	expect_pass mount --bind disk1 child/x
	same child mirror
	expect_pass mount --move child parent/here
	result INFO "child has $(ls child | wc -l) entries"
	same parent/here mirror
	expect_pass mount --bind disk2 mirror/x/a
	same disk2 parent/here/x/a
	result INFO "a mount on a shared mount can't be moved"
	expect_fail mount --move parent/here/x/a parent/here/x/b
	same parent/here mirror

	expect_pass umount mirror/x/a
	expect_pass umount parent/here/x
	expect_pass umount parent/here

	result INFO "move: private child to shared parent"
	new_tree shared shares
	mkdir shares/at
	expect_pass mount --bind shares mirror
	new_tree private alone
	mkdir alone/file
	expect_pass mount --bind disk3 alone/file
	expect_pass mount --move alone shares/at
	same shares mirror
	same disk3 mirror/at/file shares/at/file
	expect_pass mount --bind disk4 mirror/at/file/g
	same disk4 shares/at/file/g

	result INFO "move: what is no mount, into itself, to what is not there"
	expect_fail mount --move disk1 disk2
	expect_fail mount --move shares shares/at
	expect_fail mount --move parent nowhere
	expect_fail mount --move nowhere parent
}

run
