//! The text of a large mount table, as a machine full of containers has it.

use std::fmt::Write as _;

/// The mounts of the machine itself, which come first.
const HOST: &str = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,discard,errors=remount-ro,commit=30
23 22 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
24 22 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:2 - sysfs sysfs rw
25 22 0:5 / /dev rw,nosuid,relatime shared:8 - devtmpfs udev rw,size=16313280k,nr_inodes=4078320,mode=755,inode64
26 24 0:6 / /sys/kernel/security rw,nosuid,nodev,noexec,relatime shared:3 - securityfs securityfs rw
27 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
28 22 0:24 / /run rw,nosuid,nodev,noexec,relatime shared:9 - tmpfs tmpfs rw,size=3268392k,mode=755,inode64
29 22 259:1 / /boot/efi rw,relatime shared:29 - vfat /dev/nvme0n1p1 rw,fmask=0077,dmask=0077,codepage=437,iocharset=ascii
30 22 0:41 / /srv/My\\040Data rw,relatime shared:30 - nfs4 files:/export/My\\040Data rw,vers=4.2,rsize=1048576,wsize=1048576
31 28 0:4 net:[4026531840] /run/docker/netns/default rw shared:31 - nsfs nsfs rw
";

/// The lines of `/proc/self/mountinfo` with so many mounts, the same in every run.
///
/// After the machine's own mounts, each container has an overlay of nine layers, a tmpfs, its network namespace, a volume
/// bound to where it is used (every fourth with an escape in its path), and a slave of the machine's data.
pub fn mount_table(mounts: usize) -> Vec<u8> {
    let mut text = String::new();
    for line in HOST.lines().take(mounts) {
        push_line(&mut text, line);
    }
    let first = HOST.lines().count();
    for number in first..mounts {
        let (container, kind) = (number / 5, number % 5);
        push_line(&mut text, &line(number + 100, container, kind));
    }
    text.into_bytes()
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn line(id: usize, container: usize, kind: usize) -> String {
    let name = hexadecimal(container, 64);
    let (minor, group, escaped) =
        (50 + container * 3, 100 + id, if container.is_multiple_of(4) { "\\040" } else { "-" });
    match kind {
        0 => {
            let (lower, upper) = (layers(container), format!("/var/lib/docker/overlay2/{name}"));
            format!(
                "{id} 22 0:{minor} / {upper}/merged rw,relatime shared:{group} - overlay overlay \
                 rw,lowerdir={lower},upperdir={upper}/diff,workdir={upper}/work,nouserxattr"
            )
        }
        1 => format!(
            "{id} 22 0:{} / /var/lib/docker/containers/{name}/mounts/shm rw,nosuid,nodev,noexec,relatime shared:{group} \
             - tmpfs shm rw,size=65536k,inode64",
            minor + 1
        ),
        2 => format!(
            "{id} 28 0:4 net:[{}] /run/docker/netns/{} rw shared:{group} - nsfs nsfs rw",
            4_026_532_000 + container,
            &name[..12]
        ),
        3 => format!(
            "{id} 22 259:2 /var/lib/docker/volumes/web{escaped}data/{name}/_data \
             /srv/sites/{container}/web{escaped}data rw,nosuid,nodev,relatime shared:1 - ext4 /dev/nvme0n1p2 \
             rw,discard,errors=remount-ro,commit=30"
        ),
        _ => format!(
            "{id} 22 0:41 /shared /srv/sites/{container}/files ro,nosuid,nodev,noexec,relatime shared:{group} master:30 - \
             nfs4 files:/export/My\\040Data rw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,\
             timeo=600,retrans=2,sec=sys"
        ),
    }
}

/// The lower directories of an overlay, in Docker's short form: most are those of the image, which containers share.
fn layers(container: usize) -> String {
    let mut list = String::new();
    for layer in 0..9 {
        let owner = if layer == 0 { container } else { container % 40 * 10 + layer };
        let separator = if layer == 0 { "" } else { ":" };
        // A string takes all that is formatted, so there is no error to lose.
        let _ = write!(list, "{separator}/var/lib/docker/overlay2/l/{}", hexadecimal(owner, 26).to_uppercase());
    }
    list
}

/// A name that looks random.
fn hexadecimal(number: usize, length: usize) -> String {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = number as u64 ^ ODD;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(ODD).rotate_left(23) ^ ODD;
            char::from(b"0123456789abcdef"[(state >> 60) as usize])
        })
        .collect()
}
