#!/bin/sh
# Rbind: unbindable mounts are left out, so that a tree can be bound below itself again and again.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	local i=0

	new_tree private tree
	mkdir tree/data tree/copies tree/private
	expect_pass mount --bind disk1 tree/data
	expect_pass mount --bind tree/copies tree/copies
	expect_pass mount --make-unbindable tree/copies
	while [ $i -lt 4 ]; do
		mkdir "tree/copies/$i"
		expect_pass mount --rbind tree "tree/copies/$i"
		i=$((i + 1))
	done
	result INFO "mounts: $(left | wc -l)"
	left | sort
	same tree/copies/0 tree/copies/1 tree/copies/2 tree/copies/3
	same tree/data tree/copies/3/data disk1

	result INFO "without unbindable it doubles"
	new_tree private doubling
	for i in 1 2 3 4; do
		mkdir "doubling/$i"
		expect_pass mount --rbind doubling "doubling/$i"
		result INFO "mounts: $(left | grep -c '^doubling')"
	done
	expect_pass umount -R doubling
	result INFO "mounts: $(left | grep -c '^doubling')"
	expect_pass umount -R tree
}

run
