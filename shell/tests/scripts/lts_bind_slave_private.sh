#!/bin/sh
# Bind: a slave tree to a private tree. Events flow down, not up.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	result INFO "bind: slave child to private parent"

	new_tree private parent
	new_tree shared master
	new_tree private spare
	mkdir master/x parent/here

	expect_pass mount --bind master spare
	expect_pass mount --make-slave spare
	expect_pass mount --bind spare parent/here
	same master spare parent/here

	expect_pass mount --bind disk1 master/x
	same disk1 master/x spare/x parent/here/x

	expect_pass mount --bind disk2 parent/here/x/a
	same -n master/x/a parent/here/x/a
	same master/x/a spare/x/a
	same disk2 parent/here/x/a

	result INFO "a mount of its own below keeps what came from the master"
	expect_pass umount master/x
	same master/x spare/x
	same -n master/x parent/here/x
	expect_pass umount parent/here/x/a
	same disk1 parent/here/x
	expect_fail umount parent/here
	expect_pass umount parent/here/x
	same master/x spare/x parent/here/x

	expect_pass umount parent/here
	expect_pass umount spare
	expect_fail umount spare/nothing
	expect_pass umount spare
	expect_fail umount spare
	expect_pass umount master
	expect_pass umount parent
}

run
