#!/bin/sh
# Bind: a shared tree to a shared tree.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	result INFO "bind: shared child to shared parent"

	new_tree rshared parent1
	new_tree rshared share1
	new_tree rshared parent2
	mkdir parent2/child2

	expect_pass mount --bind share1 parent1
	mkdir parent1/child1
	expect_pass mount --bind parent1 parent2/child2
	expect_pass mount --bind disk1 parent1/child1
	same parent1/child1 parent2/child2/child1 share1/child1
	expect_pass mount --bind disk2 parent2/child2/child1/a
	same disk2 parent1/child1/a parent2/child2/child1/a share1/child1/a
	same -n parent1 parent2

	expect_pass umount share1/child1/a
	same parent1/child1/a parent2/child2/child1/a
	same -n disk2 parent1/child1/a
	expect_pass umount parent1/child1
	expect_pass umount parent2/child2
	expect_pass umount parent1
	expect_pass umount parent2
	expect_pass umount parent1
	expect_pass umount share1
}

run
