#!/bin/sh
# A namespace is cloned in the middle: shared trees stay together, private ones part.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	result INFO "clone: a chain of slaves on several levels"

	new_tree rshared parent
	new_tree rshared parent/child1
	new_tree rshared parent/child2

	expect_pass mount --rbind disk1 parent/child1
	expect_pass mount --rbind parent parent/child2
	same parent/child1 parent/child2/child1
	clone_namespace

	expect_pass mount --bind disk2 parent/child1/a
	same parent/child1/a parent/child2/child1/a
	expect_pass mount --bind disk3 parent/child2/child1/b
	same parent/child1/b parent/child2/child1/b disk3

	same -s disk2 parent/child1/a parent/child2/child1/a
	same -s disk3 parent/child1/b parent/child2/child1/b

	expect_pass inside mount --bind "$PWD/disk4" "$PWD/parent/child2/child1/c"
	same -s parent/child2/child1/c parent/child1/c
	same disk4 parent/child1/c parent/child2/child1/c

	expect_pass inside umount "$PWD/parent/child1/b"
	same -s parent/child2/child1/b parent/child1/b
	same -n disk3 parent/child1/b
	same parent/child1/b parent/child2/child1/b

	result INFO "private from now on, inside"
	expect_pass inside mount --make-rprivate "$PWD/parent"
	expect_pass mount --bind disk1 disk2/d
	expect_pass mount --bind disk2 parent/child1/b
	same -s -n disk2 parent/child1/b
	same disk2 parent/child1/b
	expect_pass inside umount -R "$PWD/parent"
	same disk4 parent/child1/c

	result INFO "a program that is not there: $(inside not-there 2>&1)"
	drop_namespace
	expect_pass umount parent/child2/child1/c
	expect_pass umount parent/child2/child1/a
	expect_pass umount parent/child2/child1/b
	expect_pass umount parent/child2/child1
	expect_pass umount parent/child1
	expect_pass umount disk2/d
}

run
