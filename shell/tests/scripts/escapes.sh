#!/bin/sh
# Names with blanks, tabs, newlines, backslashes, hashes, commas and quotes; how tables show them, and how they are read.

tab=$(printf '\t')
newline='
'
unescape() {
    printf '%b' "$(printf '%s' "$1" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')"
}

for name in 'a b' "a${tab}b" "a${newline}b" 'a\b' 'a#b' 'a,b' "a'b" 'a"b' '-a' 'a\040b' '  ' '*' '$HOME' 'a:b' 'ä'; do
    printf '[%s]\n' "$name"
    mkdir -- "./$name" || continue
    mount -t tmpfs "src $name" "./$name"
    echo "  mount: $?"
    while read -r id parent device root target rest; do
        case $target in
            "$PWD"/*)
                printf '  shown as %s\n' "${target#"$PWD/"}"
                [ "$(unescape "$target")" = "$PWD/$name" ] && echo "  the same again"
                printf '  from %s\n' "$(echo "$rest" | sed 's/.* - tmpfs \([^ ]*\) .*/\1/')"
                ;;
        esac
    done </proc/self/mountinfo
    mountpoint -q -- "$name" || echo "  not found"
    findmnt -n -o SOURCE "$PWD/$name" | sed 's/^/  findmnt: /'
    umount -- "$name" || umount "./$name"
    echo "  umount: $?"
    rmdir -- "$name"
done

echo "-- all at once"
for name in 'x y' 'x  y' 'x y z'; do
    mkdir "$name"
    mount -t tmpfs tmpfs "$name"
    touch "$name/file of $name"
done
ls -d x*
for f in */*; do printf '<%s>' "$f"; done
echo
find . -name 'file*' | sort
set -- *
echo "$#"
printf '%s|' "$@"
echo
IFS=' '
set -- $*
echo "$#"
unset IFS
for target in x*; do umount "$target"; done
ls -A x*
rmdir x*
echo "-- options with commas and equals signs"
mkdir 'lower,1' 'lower:2' upper work merged
touch 'lower,1/one' 'lower:2/two'
mount -t overlay overlay -o 'lowerdir=lower\,1,upperdir=upper,workdir=work' merged
echo "status $?"
ls merged
umount merged
mount -t overlay overlay -o 'lowerdir=lower\:2,upperdir=upper,workdir=work' merged
echo "status $?"
ls merged
umount merged
rm -r 'lower,1' 'lower:2' upper work merged
ls
