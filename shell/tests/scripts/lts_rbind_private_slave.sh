#!/bin/sh
# Rbind: a private tree with mounts below to a slave; nothing goes up to the master.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	new_tree private source
	mkdir source/one source/two
	expect_pass mount --bind disk1 source/one
	expect_pass mount --bind disk2 source/one/b
	expect_pass mount --bind disk3 source/two
	new_tree shared master
	mkdir master/at
	new_tree private slave
	expect_pass mount --bind master slave
	expect_pass mount --make-rslave slave
	expect_pass mount --rbind source slave/at
	same source slave/at
	same -n master/at slave/at
	result INFO "at the master: $(ls master/at | wc -l)"
	expect_pass mount --bind disk4 source/two/g
	same -n source/two/g slave/at/two/g
	expect_pass umount source/two/g
	expect_pass mount --bind disk4 master/at
	same disk4 master/at
	result INFO "the slave still shows: $(ls slave/at | tr '\n' ' ')"
	expect_fail umount slave/at
	expect_pass umount slave/at/one/b
	expect_pass umount slave/at/one
	expect_pass umount slave/at/two
	expect_pass umount slave/at
	same disk4 slave/at
	expect_pass umount master/at
	expect_pass umount -R source
}

run
