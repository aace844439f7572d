#!/bin/sh
# Bind: a slave to a shared tree: it is a slave and shared then, between its master and its own peers.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	new_tree shared master
	new_tree private slave
	new_tree shared parent
	new_tree private mirror
	mkdir master/x parent/child master/y
	expect_pass mount --bind master slave
	expect_pass mount --make-slave slave
	expect_pass mount --bind parent mirror
	expect_pass mount --bind slave parent/child

	expect_pass mount --bind disk1 master/x
	same disk1 master/x slave/x parent/child/x mirror/child/x
	expect_pass mount --bind disk2 mirror/child/y
	same disk2 parent/child/y mirror/child/y
	same master/y slave/y
	same -n disk2 master/y

	expect_pass mount --bind disk3 slave/y
	same -n disk3 master/y
	same -n disk3 parent/child/y

	expect_pass umount master/x
	same master/x slave/x parent/child/x mirror/child/x
	expect_pass umount slave/y
	same disk2 mirror/child/y
	expect_pass umount parent/child/y
	expect_pass umount mirror/child
	expect_pass umount slave
	expect_fail umount mirror/child
}

run
