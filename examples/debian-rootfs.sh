#!/bin/sh
# Makes a root filesystem with a small Debian userland and prints its absolute path:
#
#   examples/debian-rootfs.sh [DIR]
#
# DIR defaults to target/rootfs/debian below the workspace root. Only the path goes to standard output, so that
# `--rootfs "$(examples/debian-rootfs.sh)"` works. A root filesystem that is there already is left as it is.
#
# The essential packages, apt and mount are downloaded with the apt of this machine, from the sources it is configured
# with (on Ubuntu, the result is Ubuntu), and unpacked. Their maintainer scripts do not run: the programs work, but the
# package database inside is empty, and apt inside has no sources. Nothing is installed, and root is not needed.
# A machine without apt needs debootstrap, and root.
#
# The mount point of the sandbox is in it, so that it can be used read-only.
kind=debian
. "$(dirname -- "$0")/lib/rootfs.sh"

apt() {
    apt-get -q -o APT::Sandbox::User=root -o "Dir::Cache=$work/cache" -o "Dir::State::status=$work/state/status" \
        -o "Dir::State::extended_states=$work/state/extended" ${lists:+-o "Dir::State::Lists=$lists"} "$@"
}

download_packages() {
    apt -y --no-install-recommends --download-only install \
        "?and(?essential,?architecture($(dpkg --print-architecture)))" apt mount usr-is-merged
}

lay_out_merged_usr() {
    mkdir -p "$1/usr/bin" "$1/usr/sbin" "$1/usr/lib" "$1/usr/lib64"
    for name in bin sbin lib lib64; do
        ln -s "usr/$name" "$1/$name"
    done
}

unpack() {
    dpkg-deb --fsys-tarfile "$2" >"$work/data.tar"
    tar -x -p -f "$work/data.tar" -C "$1" --numeric-owner --keep-directory-symlink --warning=no-timestamp \
        --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*'
}

default_file() {
    [ -e "$1/$3" ] || [ ! -e "$1/$2" ] || cp -- "$1/$2" "$1/$3"
}

default_link() {
    [ -e "$1/usr/bin/$3" ] || [ ! -e "$1/usr/bin/$2" ] || ln -s "$2" "$1/usr/bin/$3"
}

complete_by_hand() {
    default_file "$1" usr/share/base-passwd/passwd.master etc/passwd
    default_file "$1" usr/share/base-passwd/group.master etc/group
    default_file "$1" usr/share/base-files/nsswitch.conf etc/nsswitch.conf
    default_file "$1" usr/share/libc-bin/nsswitch.conf etc/nsswitch.conf
    default_file "$1" usr/share/base-files/profile etc/profile
    default_file "$1" usr/share/base-files/dot.bashrc root/.bashrc
    default_file "$1" usr/share/base-files/dot.profile root/.profile
    default_link "$1" dash sh
    default_link "$1" mawk awk
    default_link "$1" which.debianutils which
    mkdir -p "$1/dev" "$1/proc" "$1/sys" "$1/mnt/mesos/sandbox" "$1/var/lib/dpkg"
    : >>"$1/var/lib/dpkg/status"
}

unpacked_with_apt() {
    mkdir -p "$work/cache/archives/partial" "$work/state"
    : >"$work/state/status"
    lists=
    download_packages || { update_package_lists && download_packages; } ||
        fail "cannot download the packages: check that 'apt-get update' and 'apt-get download bash' work"
    lay_out_merged_usr "$1"
    for package in "$work/cache/archives/"*.deb; do
        unpack "$1" "$package"
    done
    complete_by_hand "$1"
}

made_with_debootstrap() {
    [ "$(id -u)" -eq 0 ] || fail "this machine has no apt, and debootstrap needs root: run this as root"
    debootstrap --variant=minbase stable "$1"
}

populate() {
    if have apt-get && have dpkg-deb; then
        unpacked_with_apt "$1"
    elif have debootstrap; then
        made_with_debootstrap "$1"
    else
        fail "this machine has neither apt nor debootstrap: install the package debootstrap by hand"
    fi
    chmod 0755 "$1"
    [ -x "$1/usr/bin/bash" ] && [ -x "$1/usr/bin/apt-get" ]
    if [ "$(id -u)" -eq 0 ]; then
        chroot "$1" /bin/bash -c 'PATH=/usr/sbin:/usr/bin apt-get --version' >"$work/version"
        # apt creates it where there is none.
        [ ! -f "$1/dev/null" ] || rm -- "$1/dev/null"
    fi
}

make_rootfs "$@"
