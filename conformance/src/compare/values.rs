//! Results of calls.

use cofferdam::kernel::{Bytes, DeviceNumber, DirectoryEntry, FileType, Stat, StatFs, StatMount, Value};

use super::{Kind, Pair, Verdict, differs, same};
use crate::control;

impl Pair<'_> {
    pub(super) fn values(&mut self, real: &Value, simulated: &Value) -> Verdict {
        match (real, simulated) {
            (Value::Stat(real), Value::Stat(simulated)) => self.stat(real, simulated),
            (Value::StatFs(real), Value::StatFs(simulated)) => self.statfs(real, simulated),
            (Value::StatMount(real), Value::StatMount(simulated)) => self.statmount(real, simulated),
            (Value::Mounts(real), Value::Mounts(simulated)) => {
                same("number of mounts", &real.len(), &simulated.len())?;
                for (real, simulated) in real.iter().zip(simulated) {
                    self.relate(Kind::UniqueMount, "mount", real.0, simulated.0)?;
                }
                Ok(())
            }
            (Value::Entries(real), Value::Entries(simulated)) => entries(real, simulated),
            (Value::Bytes(real), Value::Bytes(simulated)) => self.bytes(real, simulated),
            // The release is the machine's.
            (Value::Utsname(real), Value::Utsname(simulated)) => {
                same("system", &real.sysname, &simulated.sysname)?;
                same("machine", &real.machine, &simulated.machine)
            }
            (real, simulated) if real == simulated => Ok(()),
            _ => differs("the results differ".into()),
        }
    }

    fn stat(&mut self, real: &Stat, simulated: &Stat) -> Verdict {
        let mut renamed = *simulated;
        renamed.device = real.device;
        renamed.inode = real.inode;
        renamed.mount_id = real.mount_id;
        if is_root_of_proc(real) && is_root_of_proc(simulated) || belongs_to_the_machine(real) {
            renamed.links = real.links;
        }
        if renamed != *real {
            return differs(format!("{real:?} and {simulated:?}"));
        }
        self.device(real.device, simulated.device)?;
        self.inode(simulated.device, real.inode, simulated.inode)?;
        self.relate(Kind::Mount, "mount id", real.mount_id, simulated.mount_id)
    }

    fn statfs(&mut self, real: &StatFs, simulated: &StatFs) -> Verdict {
        let renamed = StatFs { id: real.id, ..*simulated };
        if renamed != *real {
            return differs(format!("{real:?} and {simulated:?}"));
        }
        match (anonymous_device(real.id), anonymous_device(simulated.id)) {
            (Some(real), Some(simulated)) => self.device(real, simulated),
            (None, None) => self.relate(Kind::Filesystem, "filesystem", real.id, simulated.id),
            _ => differs(format!("the filesystems {:#x} and {:#x}", real.id, simulated.id)),
        }
    }

    fn statmount(&mut self, real: &StatMount, simulated: &StatMount) -> Verdict {
        let renamed = StatMount {
            device: real.device,
            mount_id: real.mount_id,
            parent_id: real.parent_id,
            old_mount_id: real.old_mount_id,
            old_parent_id: real.old_parent_id,
            peer_group: real.peer_group,
            master: real.master,
            propagate_from: real.propagate_from,
            namespace_id: real.namespace_id,
            root: real.root.clone(),
            ..simulated.clone()
        };
        if renamed != *real {
            return differs(format!("{real:?} and {simulated:?}"));
        }
        self.device(real.device, simulated.device)?;
        for (what, kind, real, simulated) in [
            ("mount", Kind::UniqueMount, real.mount_id, simulated.mount_id),
            ("parent", Kind::UniqueMount, real.parent_id, simulated.parent_id),
            ("old mount id", Kind::Mount, real.old_mount_id.into(), simulated.old_mount_id.into()),
            ("old parent id", Kind::Mount, real.old_parent_id.into(), simulated.old_parent_id.into()),
            ("peer group", Kind::PeerGroup, real.peer_group, simulated.peer_group),
            ("master", Kind::PeerGroup, real.master, simulated.master),
            ("propagate_from", Kind::PeerGroup, real.propagate_from, simulated.propagate_from),
            ("namespace", Kind::UniqueNamespace, real.namespace_id, simulated.namespace_id),
        ] {
            self.relate_if_any(kind, what, real, simulated)?;
        }
        self.bytes(&real.root, &simulated.root)
    }

    /// Bytes that were read, and targets of links. Some are texts of the kernel with ids in them.
    fn bytes(&mut self, real: &Bytes, simulated: &Bytes) -> Verdict {
        if let (Some((real_name, real)), Some((name, simulated))) = (named_number(&real.0), named_number(&simulated.0))
        {
            if real_name != name {
                return differs("the links lead to objects of different kinds".into());
            }
            return self.relate(Kind::Namespace, "the link", real, simulated);
        }
        if looks_like_mountinfo(&real.0) && looks_like_mountinfo(&simulated.0) {
            return self.mountinfo(&real.0, &simulated.0);
        }
        if is_status(&real.0) && is_status(&simulated.0) {
            return status(&real.0, &simulated.0);
        }
        same_text("bytes", &real.0, &simulated.0)
    }
}

fn is_status(text: &[u8]) -> bool {
    text.starts_with(b"Name:\t")
}

/// Compares what `/proc/<pid>/status` says, as far as it is simulated. The name is that of the machinery's program, whose
/// descriptors make the table larger.
fn status(real: &[u8], simulated: &[u8]) -> Verdict {
    let (real, simulated) = (String::from_utf8_lossy(real), String::from_utf8_lossy(simulated));
    let is_of_the_machinery = |line: &str| line.starts_with("Name:") || line.starts_with("FDSize:");
    let mut lines = simulated.lines().filter(|line| !is_of_the_machinery(line));
    match lines.find(|line| real.lines().all(|other| other != *line)) {
        None => Ok(()),
        Some(line) => differs(format!("{line:?} is only in the simulation")),
    }
}

/// Compares texts that may be paths, in which names that overlays make up stand for each other.
pub(super) fn same_text(what: &str, real: &[u8], simulated: &[u8]) -> Verdict {
    if real == simulated || without_temporary_names(real) == without_temporary_names(simulated) {
        return Ok(());
    }
    let (real, simulated) = (Bytes::from(real), Bytes::from(simulated));
    differs(format!("{what}: {real:?} and {simulated:?}"))
}

/// A path without the numbers of what overlays have in their directories for work (`ovl_tempname()`): they are the machine's.
fn without_temporary_names(path: &[u8]) -> Vec<u8> {
    let mut components = path.split(|byte| *byte == b'/');
    let mut text: Vec<u8> = components.next().unwrap_or_default().to_vec();
    for component in components {
        text.push(b'/');
        let mark = [&b"#"[..], b"\\043"].into_iter().find(|mark| component.starts_with(mark));
        let number = mark.map_or(&[][..], |mark| &component[mark.len()..]);
        let digits = number.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_temporary = digits > 0 && matches!(&number[digits..], b"" | b" (deleted)");
        text.extend(if is_temporary { &number[digits..] } else { component });
        text.extend(is_temporary.then_some(b'#'));
    }
    text
}

/// The device that the number of a filesystem stands for (`huge_encode_dev()`); none if the number is random, as that of a
/// tmpfs (`shmem_statfs()`), and of an overlay that shows it.
fn anonymous_device(id: u64) -> Option<DeviceNumber> {
    let id = u32::try_from(id).ok()?;
    Some(DeviceNumber { major: id >> 8 & 0xfff, minor: id & 0xff | id >> 12 & 0xf_ff00 })
}

/// Whose links are as many as there are processes on the machine (`proc_root_getattr()`).
fn is_root_of_proc(stat: &Stat) -> bool {
    // A directory of another filesystem has a size, or another number, or no directories in it, as that of devpts.
    stat.file_type == FileType::Directory && stat.inode == 1 && stat.size == 0 && stat.links > 2
}

/// Whether it is a directory of the real proc with a subdirectory for each thing that the machine has, such as interrupts.
fn belongs_to_the_machine(real: &Stat) -> bool {
    /// The first number of an entry that is not of a process (`PROC_DYNAMIC_FIRST` in `fs/proc/generic.c`).
    const FIRST: u64 = 0xf000_0000;
    real.file_type == FileType::Directory && real.size == 0 && real.inode >= FIRST
}

/// Entries for the descriptors of the machinery, in `/proc/self/fd`, are left out, and of those of proc's root all but the
/// processes, as the others depend on how the kernel was configured. The numbers of inodes are not compared: statx(2)
/// gives them too, with the device that they belong to.
fn entries(real: &[DirectoryEntry], simulated: &[DirectoryEntry]) -> Verdict {
    let is_root_of_proc = real.iter().any(|entry| entry.name.0 == b"thread-self");
    let counts = |entry: &&DirectoryEntry| match number(entry) {
        Some(number) => number < control::FIRST,
        None => !is_root_of_proc || entry.name.0.ends_with(b"self"),
    };
    let (mut real, mut simulated) = (real.iter().filter(counts), simulated.iter().filter(counts));
    loop {
        match (real.next(), simulated.next()) {
            (None, None) => return Ok(()),
            (Some(real), Some(simulated)) => {
                same("entry", &real.name, &simulated.name)?;
                if real.file_type != simulated.file_type {
                    return differs(format!("{}: {:?} and {:?}", real.name, real.file_type, simulated.file_type));
                }
            }
            (Some(real), None) => return differs(format!("{} is missing in the simulation", real.name)),
            (None, Some(simulated)) => return differs(format!("{} is only in the simulation", simulated.name)),
        }
    }
}

fn number(entry: &DirectoryEntry) -> Option<i32> {
    std::str::from_utf8(&entry.name.0).ok()?.parse().ok()
}

/// What a link to an object without a path says: `mnt:[4026531841]`.
pub(super) fn named_number(text: &[u8]) -> Option<(&str, u64)> {
    let (name, number) = std::str::from_utf8(text).ok()?.strip_suffix(']')?.split_once(":[")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    Some((name, number.parse().ok().filter(|_| is_name)?))
}

fn looks_like_mountinfo(text: &[u8]) -> bool {
    cofferdam::mountinfo::entries(text).next().is_some_and(|entry| entry.is_ok())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Name:\ta\nFDSize:\t64\nGroups:\t10 11 \n", true)]
    #[case("Name:\ta\nGroups:\t10 \n", false)]
    fn a_status_is_compared_in_what_is_simulated(#[case] simulated: &str, #[case] is_same: bool) {
        let real = "Name:\tb\nFDSize:\t1024\nGroups:\t10 11 \nVmPeak:\t40720 kB\n";
        assert_eq!(status(real.as_bytes(), simulated.as_bytes()).is_ok(), is_same);
    }

    #[rstest]
    #[case(b"mnt:[4026531841]", Some(("mnt", 4_026_531_841)))]
    #[case(b"/a/mnt:[1]", None)]
    #[case(b"mnt:[x]", None)]
    #[case(b":[1]", None)]
    fn links_to_objects_without_a_path(#[case] text: &[u8], #[case] expected: Option<(&str, u64)>) {
        assert_eq!(named_number(text), expected);
    }
}
