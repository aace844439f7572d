#!/bin/sh
# The language: subshells, pipes, background jobs, command substitution, heredocs, arithmetic, all with mounts in them.

n=0
count() { n=$((n + 1)); }

mkdir a b c
for d in a b c; do
    mount -t tmpfs "$d" $d && count
done
echo "counted $n"

echo "-- a pipe runs in subshells"
printf '%s\n' x y z | while read -r name; do
    mkdir "a/$name"
    mount -t tmpfs "$name" "a/$name"
    count
done
echo "counted $n"
n=$(grep -c "$PWD/a/" /proc/self/mountinfo)
echo "there are $n"

echo "-- cd in a subshell"
(cd a/x && touch in-x && pwd)
pwd | sed 's,.*/,,'
{ cd a/y && touch in-y; cd ../..; }
ls a/x a/y
( umount a/z; echo "in the subshell: $?"; exit 9 )
echo "its status $?"
mountpoint -q a/z || echo "unmounted for all"

echo "-- background"
for i in 1 2 3; do
    (mkdir b/$i; mount -t tmpfs b$i b/$i; exit $i) &
    eval "pid$i=\$!"
done
for i in 3 2 1; do
    eval "wait \$pid$i"
    echo "job $i: $?"
done
ls b | xargs
wait
echo "wait: $?"
sleep 0 & wait $!
echo "wait: $?"

echo "-- substitution"
echo "mounted: $(for i in b/*; do mountpoint -q $i && printf '%s ' ${i#b/}; done)"
list=`ls a | sort -r`
set -- $list
echo "$# $1 ${2-none} ${9:-default}"
shift
echo "$@"
size=$(( $(ls a | wc -l) * 10 + n % 2 ))
echo "size $size"

echo "-- heredocs"
while IFS=: read -r where options; do
    case $where in
        '' | \#*) continue ;;
        *) mount -t tmpfs -o "$options" here "c" && awk -v d="$PWD/c" '$2 == d { o = $4 } END { print o }' /proc/mounts ;;
    esac
done <<END
# where:options
c:ro,size=16k

c:noexec,mode=700
END
cat <<-'END' | tr a-z A-Z
	no $expansion, and tabs $(are) gone
	END
cat <<END
expansion: $((1 + 1)) $(basename "$PWD") ${none-unset} \$escaped
END

echo "-- redirections"
mount -t tmpfs err c/none 2>c.err || echo "failed with $?"
head -n 1 c.err | sed 's/:.*//'
{ echo out; echo err >&2; } >c.out 2>&1
cat c.out
mount -t tmpfs err c/none >c.out 2>&1 && echo "never"
wc -l <c.out
exec 3<c.out 4>c.err
read -r word rest <&3
echo "$word" >&4
exec 3<&- 4>&-
cat c.err
: >c.out
[ -s c.out ] || echo empty
rm c.out c.err

echo "-- logic"
! mountpoint -q a && echo "never"
mountpoint -q a && ! mountpoint -q a/none && echo "and"
if umount a/x && umount a/x 2>/dev/null; then echo never; elif [ -d a/x ]; then echo elif; else echo never; fi
until umount c 2>/dev/null; test $? -ne 0; do echo "again"; done
umount -R a b && echo "all gone"
ls | tr '\n' ' '
echo
