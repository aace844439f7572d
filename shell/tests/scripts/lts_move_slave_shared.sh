#!/bin/sh
# Move: a slave to a shared parent. It keeps its master and gets peers.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	new_tree shared master
	mkdir master/x master/y
	new_tree private slave
	expect_pass mount --bind master slave
	expect_pass mount --make-slave slave
	new_tree shared parent
	mkdir parent/new
	new_tree private peer
	expect_pass mount --bind parent peer

	expect_pass mount --move slave parent/new
	same parent/new peer/new master
	expect_pass mount --bind disk1 master/x
	same disk1 master/x parent/new/x peer/new/x
	expect_pass mount --bind disk2 parent/new/y
	same disk2 parent/new/y peer/new/y
	same -n disk2 master/y
	expect_fail mount --move parent/new slave
	expect_pass umount peer/new/y
	expect_pass umount master/x
	same parent/new peer/new master
	expect_pass umount parent/new
	same parent peer
	expect_pass umount peer
	expect_pass umount parent
	result INFO "slave shows $(ls slave | wc -l) entries"
	expect_pass umount slave
	expect_pass umount master
}

run
