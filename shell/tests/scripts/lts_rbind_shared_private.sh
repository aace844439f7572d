#!/bin/sh
# Rbind: a shared tree with a private, a slave and an unbindable mount below to a private tree.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	local kind
	new_tree shared source
	new_tree private target
	new_tree shared other
	mkdir source/shared source/private source/slave source/unbindable other/x
	for kind in shared private unbindable; do
		expect_pass mount -t tmpfs $kind source/$kind
		expect_pass mount --make-$kind source/$kind
		mkdir source/$kind/x
	done
	expect_pass mount --bind other source/slave
	expect_pass mount --make-slave source/slave
	expect_pass mount --rbind source target
	result INFO "copied: $(left | grep '^target/' | tr '\n' ' ')"
	for kind in shared private slave; do
		expect_pass mount --bind disk1 source/$kind/x
		if [ -d target/$kind/x/a ]; then
			result INFO "$kind: below the source, seen in the copy"
		else
			result INFO "$kind: below the source, not seen in the copy"
		fi
		expect_pass umount source/$kind/x
	done
	expect_pass mount --bind disk2 other/x
	same disk2 source/slave/x target/slave/x
	expect_pass umount other/x
	same other/x source/slave/x target/slave/x
	expect_pass umount target/slave
	result INFO "the source's: $(mountpoint source/slave)"
	expect_pass umount -R target
	result INFO "left: $(left | tr '\n' ' ')"
	expect_pass umount -R other
}

run
