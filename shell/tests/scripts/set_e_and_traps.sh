#!/bin/sh
# set -e, set -u, exit traps, signals, functions that return, and what they leave mounted.

run() {
    echo "\$ $1"
    sh -c "$2" script one two
    echo "status $?"
    grep "$PWD/" /proc/self/mountinfo | cut -d' ' -f5 | sed "s,^$PWD/,  left: ," | sort
    for m in a b; do
        umount -R $m 2>/dev/null
    done
}

mkdir a b
run "stops at a mount that fails" '
set -e
mount -t tmpfs a a
mount -t nonsense b b
echo "never here"
'
run "cleans up when it exits" '
set -e
trap "echo cleaning; umount a" EXIT
mount -t tmpfs a a
mount --bind none b
echo "never here"
'
run "a condition does not stop it" '
set -e
mount -t tmpfs a a
if mount -t nonsense b b 2>/dev/null; then echo never; else echo "else: $?"; fi
mount -t nonsense b b 2>/dev/null || echo "or: $?"
! umount a
false && echo never
echo "here"
(false; echo "never here")
echo "nor here"
'
run "an unset variable" '
set -u
mount -t tmpfs a "$1" 2>/dev/null || echo "no $1"
mount -t tmpfs a "$where"
echo "never here"
'
run "a signal" '
trap "echo terminated; umount a; exit 99" TERM
mount -t tmpfs a a
kill -TERM $$
echo "never here"
'
run "a signal that is ignored" '
trap "" TERM
mount -t tmpfs a a
kill $$
echo "still here"
trap - TERM
kill $$
echo "never here"
'
run "a trap in a subshell" '
mount -t tmpfs a a
(trap "echo subshell; umount a" EXIT; echo inside; exit 3)
echo "after: $?"
'
run "a function returns" '
check() {
    mountpoint -q "$1" || return 4
    return
}
mount -t tmpfs a a
check a; echo $?
check b; echo $?
false
check a; echo $?
local_test() { local m=changed; m=inner; }
m=outer; local_test; echo $m
exit
'
run "errors of the shell" '
cd none
echo "status $?"
not-a-command
echo "status $?"
./a
echo "status $?"
echo x >a/none/x
echo "status $?"
. ./none
echo "never here"
'
run "a syntax error" '
echo "not even this"
if mount; then
'
run "-e in a function in a condition" '
set -e
f() { mount -t nonsense x a 2>/dev/null; echo "goes on"; }
f || echo never
f
echo "never here"
'
run "exit status of a pipe, and of a negation" '
mount -t nonsense x a 2>/dev/null | cat; echo $?
cat /dev/null | mount -t nonsense x a 2>/dev/null; echo $?
! true; echo $?
'
run "x" '
set -x
mount -t tmpfs "a b" a
for i in 1 2; do x=$i; done
set +x
'
