# A small library for tests of mount propagation: a test sources it, defines the function `scenario`, and calls `run`.
#
# Works in the current directory. A test is: four "disks" with directories of their own, trees that are bound and
# changed, comparisons of what is seen in two places, and a namespace that was cloned in the middle of it.

passed=0
failed=0
top=$PWD
sandbox=$PWD/sandbox
namespace_pid=

result() {
	local kind="$1"
	shift
	case "$kind" in
	PASS) passed=$((passed + 1)) ;;
	FAIL) failed=$((failed + 1)) ;;
	esac
	printf '%-4s %s\n' "$kind" "$*"
}

broken() {
	result BROK "$@"
	exit 2
}

# expect_pass COMMAND [ARGUMENT]...
expect_pass() {
	local status=0
	"$@" || status=$?
	if [ "$status" -eq 0 ]; then
		result PASS "$@"
	else
		result FAIL "$@: status $status"
	fi
}

# expect_fail COMMAND [ARGUMENT]...
expect_fail() {
	local status=0
	"$@" || status=$?
	if [ "$status" -ne 0 ]; then
		result PASS "$@: fails with $status"
	else
		result FAIL "$@: succeeds"
	fi
}

# new_tree PROPAGATION DIRECTORY: a directory that is bound to itself, with this type of propagation.
new_tree() {
	local type="$1" directory="$2"
	case "$type" in
	shared | slave | private | unbindable) ;;
	rshared | rslave | rprivate | runbindable) ;;
	*) broken "there is no propagation type \"$type\"" ;;
	esac
	[ -e "$directory" ] && broken "\"$directory\" exists"
	mkdir -p "$directory"
	expect_pass mount --bind "$directory" "$directory"
	expect_pass mount --make-"$type" "$directory"
}

# same [-n] [-s] DIRECTORY DIRECTORY...: all look alike; with -n they do not, with -s as seen in the namespace.
same() {
	local OPTIND=1 option inverted=no inside=no message first second text
	while getopts ns option; do
		case "$option" in
		n) inverted=yes ;;
		s) inside=yes ;;
		*) broken "usage: same [-n] [-s] directory directory..." ;;
		esac
	done
	shift $((OPTIND - 1))
	message="same: $*"
	[ $inverted = yes ] && message="not the $message"
	[ $inside = yes ] && message="$message (inside)"
	first=$1
	shift
	for second in "$@"; do
		if [ $inside = yes ]; then
			text=$(inside diff -r "$PWD/$first" "$PWD/$second" 2>&1)
		else
			text=$(diff -r "$first" "$second" 2>&1)
		fi
		if [ $? -ne 0 ]; then
			if [ $inverted = yes ]; then
				result PASS "$message"
				return 0
			fi
			result FAIL "$message"
			printf '%s\n' "$text" | sed 's/^/     | /'
			return 1
		fi
		first=$second
	done
	if [ $inverted = yes ]; then
		result FAIL "$message"
		return 1
	fi
	result PASS "$message"
}

# Clones the mount namespace; a process in the background keeps it.
clone_namespace() {
	[ -n "$namespace_pid" ] && broken "there is a namespace already"
	unshare --mount --propagation unchanged sh -c "touch '$top/ready' && exec sleep 1000" &
	namespace_pid=$!
	while [ ! -e "$top/ready" ]; do
		sleep 0.02
	done
	rm "$top/ready"
}

inside() {
	[ -z "$namespace_pid" ] && broken "there is no namespace"
	nsenter -t "$namespace_pid" -m "$@"
}

drop_namespace() {
	[ -z "$namespace_pid" ] && return 0
	kill "$namespace_pid"
	wait "$namespace_pid" 2>/dev/null
	namespace_pid=
}

prepare() {
	mkdir "$sandbox"
	mount --bind "$sandbox" "$sandbox"
	mount --make-private "$sandbox"
	cd "$sandbox" || broken "no sandbox"
	mkdir -p disk1/a disk1/b disk1/c disk2/d disk2/e disk2/f disk3/g disk3/h disk3/i disk4/j disk4/k disk4/l
}

left() {
	awk -v below="$sandbox/" 'index($2, below) == 1 { print substr($2, length(below) + 1) }' /proc/mounts
}

clean_up() {
	local rest
	drop_namespace
	rest=$(left)
	if [ -n "$rest" ]; then
		result INFO "still mounted:" $rest
	fi
	cd "$top" || exit 2
	# The last mount first.
	while rest=$(sed '1!G;h;$!d' /proc/mounts | awk -v below="$sandbox/" 'index($2, below) == 1 { print $2 }') &&
		[ -n "$rest" ]; do
		echo $rest | xargs umount 2>/dev/null
	done
	expect_pass umount "$sandbox"
	rm -r "$sandbox"
}

run() {
	prepare
	scenario
	clean_up
	printf 'passed %d, failed %d\n' $passed $failed
	[ $failed -eq 0 ]
}
