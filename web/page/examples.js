"use strict";
// Examples: each a list of commands, with a sentence about each. `fails` says that a command is to fail.

const EXAMPLES = [
    {
        name: "Shared and slave subtrees",
        about: "Where else something appears that is mounted at one place.",
        steps: [
            { command: "mkdir -p /data /copy /backup", says: "Three empty directories. Nothing is mounted on them yet." },
            { command: "mount -t tmpfs -o mode=755 data /data", says: "A filesystem on /data. It is shared, because / is, as systemd makes it: it has a peer group of its own." },
            { command: "mount --bind /data /copy", says: "The same filesystem at a second place. A copy of a shared mount is its peer: the line joins the two." },
            { command: "mkdir /data/logs && mount -t tmpfs logs /data/logs", says: "What is mounted on one peer is mounted on all: /copy/logs appears as well." },
            { command: "mount --bind /data /backup && mount --make-slave /backup", says: "A third one, which becomes a slave: it receives what its master has, and sends nothing back. The dashed arrow leads to it." },
            { command: "mkdir /data/new && mount -t tmpfs new /data/new", says: "Mounted at one place, there at three." },
            { command: "mkdir /backup/mine && mount -t tmpfs mine /backup/mine", says: "Mounted on the slave, it stays there: /data/mine and /copy/mine are empty directories." },
            { command: "umount /copy/new", says: "Unmounting spreads the same way: it is gone from all three." },
            { command: "findmnt -o TARGET,SOURCE,PROPAGATION -R /backup", says: "findmnt says the same in words." },
        ],
    },
    {
        name: "A container, step by step",
        about: "What a container runtime does before your program starts.",
        steps: [
            { command: "unshare --mount --propagation slave sleep 1000 &", says: "A process with a mount namespace of its own: a copy of all mounts, as slaves of the host’s. Real runtimes do the rest in this process; nsenter does it here." },
            { command: "enter() { nsenter --mount --target $! -- \"$@\"; }", says: "A function, to do something in that namespace." },
            { command: "enter mount --bind /srv/busybox /srv/busybox", says: "The image becomes a mount, for pivot_root wants one. On the host nothing changes." },
            { command: "enter mount -t proc -o nosuid,nodev,noexec proc /srv/busybox/proc", says: "The container’s own /proc." },
            { command: "mkdir -p /volumes/db && enter mkdir -p /srv/busybox/mnt/db && enter mount --bind /volumes/db /srv/busybox/mnt/db", says: "A volume: a directory of the host, at a place in the image." },
            { command: "enter mount -o remount,bind,ro /srv/busybox", says: "The image becomes read-only, for this mount only." },
            { command: "enter touch /srv/busybox/mnt/db/file && ls /volumes/db", says: "The volume is another mount: it can still be written, and the host sees the file." },
            { command: "enter touch /srv/busybox/file", fails: true, says: "The image can not." },
            { command: "enter sh -c 'cd /srv/busybox && pivot_root . mnt && cd / && umount -l /mnt && mount'", says: "The image becomes the root, and the host’s tree is detached. What is left is all that the container sees." },
            { command: "kill $!; wait", says: "The process ends, its namespace is gone, and all mounts in it. The host is as it was." },
        ],
    },
    {
        name: "A leaked mount, and its cure",
        about: "A mount of a container that shows up on the host, and one of the host that a container keeps.",
        steps: [
            { command: "mkdir -p /work && mount -t tmpfs -o mode=755 work /work", says: "A directory that an agent uses for its containers. It is shared." },
            { command: "unshare --mount --propagation unchanged sleep 1000 &", says: "A container whose mounts are left as they are: they are peers of the host’s. That is the mistake." },
            { command: "mkdir /work/secret && nsenter --mount --target $! -- mount -t tmpfs secret /work/secret", says: "The container mounts something for itself, and it leaks: the host has it too." },
            { command: "kill $!; wait", says: "The container ends. Its mount goes with it; the host’s copy stays." },
            { command: "umount /work/secret", says: "Somebody has to clean up." },
            { command: "unshare --mount --propagation slave sleep 1000 &", says: "The cure: the container’s mounts are slaves of the host’s." },
            { command: "nsenter --mount --target $! -- mount -t tmpfs secret /work/secret", says: "The same again: now it stays inside." },
            { command: "mkdir /work/volume && mount -t tmpfs volume /work/volume", says: "And a volume that is mounted on the host still reaches the container." },
            { command: "umount /work/volume", says: "It leaves the container the same way: were the container’s mounts private, it would keep the filesystem in use." },
            { command: "kill $!; wait", says: "This time nothing is left behind." },
        ],
    },
    {
        name: "Why umount says “busy”",
        about: "The reasons why something can’t be unmounted, and what helps.",
        steps: [
            { command: "mkdir /disk && mount -t tmpfs -o mode=755 disk /disk && mkdir /disk/sub", says: "A filesystem to be got rid of." },
            { command: "cd /disk/sub", says: "The shell is in it: look at the prompt." },
            { command: "umount /disk", fails: true, says: "Busy: a process has its working directory there." },
            { command: "cd / && exec 3>/disk/log", says: "The shell leaves it, and opens a file there." },
            { command: "umount /disk", fails: true, says: "Busy: a file is open." },
            { command: "exec 3>&- && mount -t tmpfs more /disk/sub", says: "The file is closed; something is mounted on the filesystem." },
            { command: "umount /disk", fails: true, says: "Busy: there is a mount on it. The picture shows which one." },
            { command: "exec 3>/disk/sub/log && umount -l /disk", says: "umount -l takes it out of the tree at once, whatever is on it or in use. The filesystems live on for whoever has a file open." },
            { command: "echo still there >&3 && exec 3>&-", says: "The file can be written till it is closed; with that, the last one is gone." },
        ],
    },
];
