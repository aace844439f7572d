#!/bin/sh
# Makes a root filesystem of one static busybox and prints its absolute path:
#
#   examples/busybox-rootfs.sh [DIR]
#
# DIR defaults to target/rootfs/busybox below the workspace root. Only the path goes to standard output, so that
# `--rootfs "$(examples/busybox-rootfs.sh)"` works. A root filesystem that is there already is left as it is.
#
# busybox is the installed one if that is static; otherwise the package busybox-static is downloaded with the apt of
# this machine and unpacked. Nothing is installed, and root is not needed.
#
# The mount point of the sandbox is in it, so that it can be used read-only.
kind=busybox
package=busybox-static
. "$(dirname -- "$0")/lib/rootfs.sh"

apt() {
    apt-get -q -o APT::Sandbox::User=root -o "Dir::Cache=$work/cache" ${lists:+-o "Dir::State::Lists=$lists"} "$@"
}

download_package() {
    (cd "$work/download" && apt download "$package")
}

is_static() {
    LC_ALL=C ldd "$1" 2>&1 | grep -Eq 'not a dynamic executable|statically linked|Not a valid dynamic program'
}

installed_busybox() {
    IFS=:
    for directory in $PATH; do
        for candidate in "$directory/busybox" "$directory/busybox.static"; do
            if [ -x "$candidate" ] && is_static "$candidate" && "$candidate" sh -c true; then
                printf '%s\n' "$candidate"
                return 0
            fi
        done
    done
    return 1
}

downloaded_busybox() {
    if ! have apt-get || ! have dpkg-deb; then
        fail "no static busybox is installed, and this is no Debian or Ubuntu: install one by hand" \
            "(the package is called busybox-static, or busybox)"
    fi
    mkdir -p "$work/download" "$work/cache/archives/partial" "$work/unpacked"
    lists=
    download_package || { update_package_lists && download_package; } ||
        fail "cannot download $package: install it by hand (apt-get install $package) and run this again"
    dpkg-deb -x "$work/download/"*.deb "$work/unpacked"
    for busybox in "$work/unpacked/bin/busybox" "$work/unpacked/usr/bin/busybox"; do
        [ ! -x "$busybox" ] || return 0
    done
    fail "$package has no bin/busybox"
}

link_applets() {
    list=$("$1/bin/busybox" --list)
    while IFS= read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
    done <<EOF
$list
EOF
    list=$("$1/bin/busybox" --list-full) || return 0
    while IFS= read -r path; do
        case $path in
        bin/*) ;;
        usr/*/*) ln -s ../../bin/busybox "$1/$path" ;;
        sbin/*) ln -s ../bin/busybox "$1/$path" ;;
        esac
    done <<EOF
$list
EOF
}

populate() {
    mkdir -p "$1/bin" "$1/sbin" "$1/usr/bin" "$1/usr/sbin" "$1/etc" "$1/dev" "$1/proc" "$1/sys" \
        "$1/mnt/mesos/sandbox" "$1/home" "$1/root" "$1/run" "$1/tmp" "$1/var"
    chmod 0755 "$1"
    chmod 0700 "$1/root"
    chmod 1777 "$1/tmp"
    busybox=$(installed_busybox) || downloaded_busybox
    cat "$busybox" >"$1/bin/busybox"
    chmod 0755 "$1/bin/busybox"
    link_applets "$1"
    cat >"$1/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
EOF
    cat >"$1/etc/group" <<'EOF'
root:x:0:
tty:x:5:
nogroup:x:65534:
EOF
    "$1/bin/busybox" true
    [ "$(id -u)" -ne 0 ] || chroot "$1" /bin/sh -c true
}

make_rootfs "$@"
