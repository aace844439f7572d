#!/bin/sh
# Trees with mounts in them: found, listed, compared, copied, removed.

mkdir -p one/a/deep one/b two
echo 1 >one/a/file
echo 2 >one/b/file
ln -s ../a/file one/b/link
mount -t tmpfs m one/a/deep
mkdir one/a/deep/below
echo 3 >one/a/deep/below/file

echo "# find"
find one | sort
find one -xdev | sort
find one -mount -type f | sort
find one -type d -name 'd*'
find one -maxdepth 1 | sort
find one -mindepth 2 -maxdepth 2 -type f | sort
find one -type l
find one -name file -exec cat {} \; | sort
find one -name file -print0 | tr '\0' '\n' | wc -l
find one ! -type d | sort
find one -path '*/deep/*' -prune -o -name 'f*' -print | sort
find none
echo "status $?"
find one two none -maxdepth 0
echo "status $?"

echo "# ls"
ls one one/a
ls -1 one
ls -R one
ls -d one/*
ls -a two
ls -A one two
ls -F one/b
ls none one
echo "status $?"
ls -l one/b | sed -n 's/^\(l\|-\)[^>]* \([^ ]*\)$/\2/p'

echo "# bind, and compare"
mount --bind one two
diff -r one two
echo "status $?"
diff -rq one two
mount --rbind one two
diff -r one two && echo "the same"
umount -R two
echo changed >one/a/deep/below/file
echo extra >two/a/extra
diff -r one two
echo "status $?"
umount two
diff -r one two
echo "status $?"
diff -q one/a/file one/b/file
echo "status $?"
diff one/a/file one/b/file
echo "status $?"
diff one/a/file none
echo "status $?"
diff one/a one/b
echo "status $?"
cmp one/a/file one/b/file
echo "status $?"

echo "# copy"
cp -r one/a two
find two | sort
cp one/a two
echo "status $?"
cp one/a/file one/b/file none/
echo "status $?"
cp one/a/file two/copy && cat two/copy
cp -a one/b two && readlink two/b/link
cp -R one/a/. two/flat && ls two/flat
echo "# move between mounts"
mkdir x
mount -t tmpfs x x
mv two/a x && find x | sort
mv x/a/file two/ && cat two/file
mv two/b/link x && readlink x/link
mv one/a/deep x
echo "status $?"
ls x one/a
mv x y
echo "status $?"
ln one/b/file x/hard
echo "status $?"
echo "# remove"
rm one
echo "status $?"
rm -r one/a
echo "status $?"
rmdir one/a/deep
echo "status $?"
rmdir one/b
echo "status $?"
rm none
echo "status $?"
rm -f none
echo "status $?"
rm -rf x
echo "status $?"
umount one/a/deep x
rm -r one two x && ls
