#!/bin/sh
# Snapshots of the table of mounts before and after, compared with diff, comm, sort and uniq.

snap() {
    awk -v base="$PWD/t" '$5 == base || index($5, base "/") == 1 {
        p = ""
        for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); p = p " " $i }
        print substr($5, length(base) + 1) "/", $(i + 1) p
    }' /proc/self/mountinfo | sort >"$1"
}

step() {
    snap before
    echo "\$ $*"
    eval "$*" || echo "status $?"
    snap after
    diff before after
}

mkdir t
step 'mount -t tmpfs t t && mkdir -p t/a t/b t/c'
step 'mount --make-shared t'
step 'mount --bind t/a t/b'
step 'mkdir t/a/x && mount -t ramfs x t/a/x'
step 'mount --rbind t t/c'
step 'umount t/b/x'
step 'umount t/c/b'
step 'mount --make-rslave t'
step 'mount --make-rshared t/c'
step 'mount -t tmpfs y t/c/a'
step 'mount --move t/c t/b'
step 'mount --make-rprivate t'
step 'mount --move t/c t/b'
step 'umount -R t/b'
step 'umount -l t'
snap before
wc -l <before

echo "# counts"
mkdir -p t
for i in $(seq 1 12); do
    d=t/$((i % 4))
    mkdir -p $d
    mount -t $( [ $((i % 3)) -eq 0 ] && echo ramfs || echo tmpfs ) "n$i" $d
done
snap after
cut -d' ' -f1 after | uniq -c | tr -s ' '
cut -d' ' -f2 after | sort | uniq -c | sort -rn | awk '{ print $2 "=" $1 }'
sort -u after >unique
comm -3 after unique | wc -l
comm -12 after unique | tr -d '\t'
sort -k2,2 -k1,1r after | head -n 3
sed -n '$=' after
tail -n 2 after
paste -sd, unique
grep -v tmpfs after | grep -c ramfs
grep -n '^/3' after
grep -E '^/(0|1)/ r' after
grep -q nothing after || echo "nothing"
tac after | head -n 1
awk '{ n[$1]++ } END { for (k in n) if (n[k] > max) max = n[k]; print "at most", max }' after
while [ "$(grep -c "$PWD/t/" /proc/self/mountinfo)" -gt 0 ]; do
    awk -v base="$PWD/t/" 'index($2, base) == 1 { last = $2 } END { print last }' /proc/mounts | xargs umount
done
rm -r t before after unique
ls
