#!/bin/sh
# Bind: an unbindable tree to anything fails, and leaves everything as it was.

. "${0%/*}/lib/fs_bind.sh"

scenario() {
	local type
	new_tree unbindable source
	mkdir source/below
	expect_pass mount -t tmpfs none source/below
	for type in shared slave private unbindable; do
		new_tree $type "parent-$type"
		expect_fail mount --bind source "parent-$type"
		expect_fail mount --rbind source "parent-$type"
		expect_fail mount --bind "$PWD/source" "$PWD/parent-$type"
		expect_pass mount --bind source/below "parent-$type"
		expect_pass umount "parent-$type"
		expect_pass umount "parent-$type"
	done
	mkdir target
	expect_pass mount --make-private source
	touch source/below/seen
	expect_pass mount --bind source target
	result INFO "for diff a directory is like itself, whatever is mounted below"
	same source target
	same -n source/below target/below
	expect_pass umount target
	expect_pass mount --make-unbindable source/below
	expect_pass mount --rbind source target
	same -n source/below target/below
	result INFO "below the copy: $(ls target)"
	touch source/below/file
	result INFO "in the copy: $(ls target/below | wc -l)"
	expect_pass umount target
	expect_pass umount source/below
	expect_pass umount source
}

run
