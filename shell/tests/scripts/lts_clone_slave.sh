#!/bin/sh
# A namespace that is a slave from a certain moment on; unbindable and private trees in it.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	new_tree rshared shared
	new_tree private private
	new_tree unbindable unbindable
	mkdir shared/x private/x unbindable/x shared/y
	expect_pass mount --bind disk1 unbindable/x
	clone_namespace

	result INFO "an unbindable tree is in the copy of a namespace"
	same -s disk1 unbindable/x
	expect_pass umount unbindable/x
	same -s disk1 unbindable/x
	same -n disk1 unbindable/x

	expect_pass mount --bind disk2 private/x
	same -s -n disk2 private/x
	expect_pass inside mount --bind "$PWD/disk3" "$PWD/private/x"
	same -s disk3 private/x
	same disk2 private/x

	expect_pass inside mount --make-rslave "$PWD/shared"
	expect_pass mount --bind disk3 shared/x
	same -s disk3 shared/x
	expect_pass inside mount --bind "$PWD/disk4" "$PWD/shared/y"
	same -n disk4 shared/y
	same -s disk4 shared/y
	expect_pass inside mount --make-shared "$PWD/shared"
	expect_pass inside umount "$PWD/shared/x"
	same disk3 shared/x
	expect_pass umount shared/x
	expect_fail inside umount "$PWD/shared/x"
	expect_pass inside mount --move "$PWD/private/x" "$PWD/disk1/a"
	same -s disk3 disk1/a
	same -n disk3 disk1/a
	drop_namespace
	clone_namespace
	same -s disk2 private/x
	expect_fail inside mountpoint -q "$PWD/shared/y"
	expect_pass inside umount "$PWD/private/x"
	same disk2 private/x
}

run
