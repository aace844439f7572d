#!/bin/sh
# A table of mounts in a heredoc, worked through line by line; then undone in reverse.

table() {
    cat <<'END'
# source    target       type    options
tmpfs       base         tmpfs   size=1m,mode=755
tmpfs       base/var     tmpfs   nosuid,nodev
base/var    base/alias   none    bind
base        outer        none    rbind,shared
outer/var   outer/ro     none    bind,ro
tmpfs       broken       tmpfs   nonsense
missing     base/x       none    bind

ram         base/ram     ramfs   defaults,noatime
END
}

mounted=
failed=0
while read -r source target type options; do
    case $source in
        '' | '#'*) continue ;;
    esac
    mkdir -p "$target"
    if mount -t "$type" -o "$options" "$source" "$target"; then
        mounted="$target $mounted"
    else
        echo "line for $target failed with $?"
        failed=$((failed + 1))
    fi
done <<END
$(table)
END
echo "$failed failed; mounted: $mounted"

awk -v base="$PWD/" 'index($5, base) == 1 {
    dash = 0
    propagation = ""
    for (i = 7; i <= NF; i++) {
        if ($i == "-") { dash = i; break }
        split($i, p, ":")
        propagation = propagation (propagation == "" ? "" : ",") p[1]
    }
    sub(/,inode64/, "", $(dash + 3))
    printf "%-20s %-10s %-6s %-28s %s\n", substr($5, length(base) + 1), $4, $(dash + 1), $6, propagation
}' /proc/self/mountinfo

echo "--- what goes where"
touch base/var/file
for d in base/var base/alias outer/var outer/ro outer/alias; do
    printf '%s: %s\n' "$d" "$(ls $d)"
done
touch outer/ro/other || echo "status $?"
mkdir -p outer/late && mount -t tmpfs late outer/late
[ -d base/late ] && mountpoint base/late
mountpoint outer/late
umount outer/late

echo "--- undone"
for target in $mounted; do
    umount "$target" || echo "umount $target: $?"
done
n=$(grep -c " $PWD/" /proc/self/mountinfo)
echo "$n left"
umount -R base outer
find . -depth -type d ! -name . -exec rmdir {} \;
ls -A | wc -l
