#!/bin/sh
# Rbind: a shared tree, with mounts below it, to a shared tree.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	result INFO "rbind: shared child to shared parent"

	new_tree shared parent
	new_tree shared share1
	mkdir share1/one share1/two parent/child1 parent/child2

	expect_pass mount --bind disk1 share1/one
	expect_pass mount --make-rshared share1
	expect_pass mount --rbind share1 parent/child1
	expect_pass mount --rbind parent/child1 parent/child2
	same share1 parent/child1 parent/child2

	expect_pass mount --bind disk2 share1/one/a
	same share1/one parent/child1/one parent/child2/one
	same disk2 parent/child2/one/a

	expect_pass mount --rbind disk3 parent/child2/two
	same disk3 share1/two parent/child1/two

	expect_pass umount parent/child1/one/a
	same -n disk2 share1/one/a
	expect_pass umount -R parent/child2
	same share1 parent/child1
	result INFO "left below parent/child2: $(ls parent/child2 | wc -l)"
	result INFO "what was unmounted with -R has gone from its peers, too"
	expect_fail umount share1/two
	expect_fail umount share1/one
	expect_pass umount parent/child1
	expect_pass umount parent
	expect_pass umount share1
}

run
