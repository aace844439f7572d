#!/bin/sh
# Bind: a private tree to a shared tree becomes shared, the source stays private.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	new_tree private source
	new_tree shared parent
	new_tree private peer
	mkdir source/x parent/child
	expect_pass mount --bind parent peer
	expect_pass mount --bind disk1 source/x
	expect_pass mount --bind source parent/child
	same parent peer
	same parent/child peer/child
	result INFO "what was mounted below the source is not bound with it"
	same -n source/x parent/child/x
	expect_pass mount --bind disk2 peer/child/x
	same disk2 parent/child/x peer/child/x
	same -n source/x peer/child/x
	same disk1 source/x
	expect_pass umount parent/child/x
	expect_pass umount peer/child
	same parent peer
	expect_fail umount parent/child
	expect_pass umount source/x
	expect_pass umount source
	expect_pass umount peer
	expect_pass umount peer
	expect_pass umount parent
}

run
