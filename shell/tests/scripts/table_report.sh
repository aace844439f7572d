#!/bin/sh
# The table of mounts as a tree, with peer groups, made by awk from the numbers in mountinfo; and its invariants.

report() {
    awk -v base="$PWD" '
        function relative(path) {
            if (path == base) return "."
            return substr(path, length(base) + 2)
        }
        function basename(path,    n, parts) {
            n = split(path, parts, "/")
            return parts[n]
        }
        function group(number) {
            if (!(number in letter)) letter[number] = substr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", ++groups, 1)
            return letter[number]
        }
        function draw(id, depth,    i, n, list, text) {
            text = sprintf("%" (depth * 2) "s%s", "", depth ? basename(path[id]) : ".")
            printf "%-20s %-8s %s\n", text, type[id], kind[id]
            n = split(children[id], list, " ")
            # By name, as the numbers of mounts are not the same everywhere.
            for (i = 2; i <= n; i++) {
                j = i
                while (j > 1 && path[list[j - 1]] > path[list[j]]) {
                    swap = list[j]; list[j] = list[j - 1]; list[j - 1] = swap
                    j--
                }
            }
            for (i = 1; i <= n; i++) draw(list[i], depth + 1)
        }
        $5 != base && index($5, base "/") != 1 { next }
        {
            path[$1] = $5
            parent[$1] = $2
            count++
            kind[$1] = ""
            for (i = 7; $i != "-"; i++) {
                if (split($i, part, ":") == 2) {
                    kind[$1] = kind[$1] (kind[$1] == "" ? "" : " ") (part[1] == "shared" ? "peers " : "master ") group(part[2])
                    if (part[1] == "shared") size[part[2]]++
                    else slaves[part[2]]++
                } else {
                    kind[$1] = kind[$1] $i
                }
            }
            type[$1] = $(i + 1)
            order[count] = $1
        }
        END {
            for (i = 1; i <= count; i++) {
                id = order[i]
                if (parent[id] in path) children[parent[id]] = children[parent[id]] " " id
                else top = id
            }
            draw(top, 0)
            print "--"
            printf "%d mounts, %d groups\n", count, groups
            for (i = 1; i <= groups; i++)
                for (number in letter)
                    if (letter[number] == substr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", i, 1))
                        printf "%s: %d peers, %d slaves\n", letter[number], size[number], slaves[number]
            for (number in slaves) if (!size[number]) strange++
            if (strange) print strange, "masters elsewhere"
        }' /proc/self/mountinfo
}

invariants() {
    awk '
        { id[$1]++; parent[NR] = $2; n++ }
        END {
            for (i in id) if (id[i] != 1) print "twice:", i
            for (i = 1; i <= n; i++) if (!(parent[i] in id)) outside++
            print "invariants:", (outside <= 1 ? "good" : outside " without a parent")
        }' /proc/self/mountinfo
    lines=$(wc -l </proc/self/mountinfo)
    mounts=$(wc -l </proc/mounts)
    [ "$lines" -eq "$mounts" ] && echo "as many in both tables"
}

stage() {
    echo "=== $*"
    eval "$*" || echo "status $?"
    report
}

mkdir a b c
stage 'mount -t tmpfs a a && mkdir a/one a/two'
stage 'mount --make-shared a && mount --bind a b'
stage 'mount --rbind a c && mount --make-slave c'
stage 'mount -t ramfs one a/one && mkdir a/one/deep'
stage 'mount -t tmpfs deep c/one/deep'
stage 'mount --make-shared c && mkdir b/copies && mount --bind c b/copies'
stage 'mount --make-unbindable c/one/deep && mount --rbind c a/two'
invariants
stage 'umount b/two'
stage 'umount -R b/two'
stage 'mount --make-rslave b'
stage 'umount a/copies'
stage 'umount -l a'
stage 'umount -R b c'
invariants
rmdir a b c
