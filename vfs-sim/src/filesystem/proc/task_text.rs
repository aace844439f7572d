//! What the files of processes say (`fs/proc/array.c`, `kernel/user_namespace.c`).

use std::fmt::Write as _;

use cofferdam::kernel::{Bytes, Capabilities, OpenFlags};

use super::TaskFile;
use crate::arena::Id;
use crate::filesystem::SuperBlock;
use crate::linux::Linux;
use crate::namespace::{IdExtent, UserNamespace};
use crate::process::{Task, TaskState};

/// Texts with a NUL behind each (`get_mm_cmdline()`, `environ_read()`).
fn with_nuls(texts: &[Bytes]) -> Vec<u8> {
    texts.iter().flat_map(|text| text.0.iter().copied().chain([0])).collect()
}

/// What an id without a number in a namespace is shown as (fs.overflowuid).
const OVERFLOW: u32 = 65534;

impl Linux {
    /// What a file of a process says, to who has a user namespace.
    pub(super) fn task_text(
        &self,
        task: Id<Task>,
        file: TaskFile,
        viewer: Id<UserNamespace>,
        superblock: Id<SuperBlock>,
    ) -> Vec<u8> {
        let Task { memory, state, .. } = &self.tasks[task];
        let is_running = matches!(state, TaskState::Running);
        match file {
            TaskFile::Status => self.status(task, viewer, superblock).into_bytes(),
            TaskFile::Comm => [memory.name.0.as_slice(), b"\n"].concat(),
            TaskFile::CommandLine if is_running => with_nuls(&memory.arguments),
            TaskFile::Environment if is_running => with_nuls(&memory.environment),
            TaskFile::Cgroup => b"0::/\n".to_vec(),
            TaskFile::Cpuset => b"/\n".to_vec(),
            TaskFile::LoginUid => b"4294967295".to_vec(),
            TaskFile::OomScoreAdj => b"0\n".to_vec(),
            _ => Vec::new(),
        }
    }

    /// `proc_pid_status()`, as far as it is simulated.
    fn status(&self, task: Id<Task>, viewer: Id<UserNamespace>, superblock: Id<SuperBlock>) -> String {
        let object = &self.tasks[task];
        let credentials = &object.credentials;
        let namespace = &self.user_namespaces[viewer];
        let is_running = matches!(object.state, TaskState::Running);
        let seen = |id: u32, map: &[IdExtent]| map.iter().find_map(|extent| extent.inside_of(id)).unwrap_or(OVERFLOW);
        let uid = |id| seen(id, &namespace.uid_map);
        let gid = |id| seen(id, &namespace.gid_map);
        let parent = object.parent.map_or(0, |parent| self.pid_on(superblock, parent));
        let mut text = format!("Name:\t{}\n", String::from_utf8_lossy(&object.memory.name.0));
        if is_running {
            let _ = writeln!(text, "Umask:\t{:04o}", self.fs_states[object.fs].umask);
        }
        text.push_str(if is_running { "State:\tR (running)\n" } else { "State:\tZ (zombie)\n" });
        let pid = self.pid_on(superblock, task);
        let _ = writeln!(text, "Tgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\nPPid:\t{parent}\nTracerPid:\t0");
        let ids = |ids: [u32; 4]| ids.map(|id| id.to_string()).join("\t");
        let users = [credentials.uid, credentials.effective_uid, credentials.saved_uid, credentials.filesystem_uid];
        let groups = [credentials.gid, credentials.effective_gid, credentials.saved_gid, credentials.filesystem_gid];
        let _ = writeln!(text, "Uid:\t{}\nGid:\t{}", ids(users.map(uid)), ids(groups.map(gid)));
        let size =
            if is_running { self.fd_tables[object.files].descriptors.len().max(64).next_power_of_two() } else { 0 };
        let supplementary: Vec<String> = credentials.groups.iter().map(|group| gid(*group).to_string()).collect();
        let _ = writeln!(text, "FDSize:\t{size}\nGroups:\t{} ", supplementary.join(" "));
        // From the namespace that is looked from inwards.
        let level =
            self.superblocks[superblock].pid_namespace.map_or(0, |namespace| self.pid_namespaces[namespace].level);
        let pids: Vec<String> = object.pids.iter().skip(level as usize).map(ToString::to_string).collect();
        let pids = pids.join("\t");
        let _ = writeln!(text, "NStgid:\t{pids}\nNSpid:\t{pids}\nKthread:\t0\nThreads:\t1");
        let sets = [
            ("CapInh", credentials.inheritable),
            ("CapPrm", credentials.permitted),
            ("CapEff", credentials.effective),
            ("CapBnd", credentials.bounding),
            ("CapAmb", credentials.ambient),
        ];
        for (name, set) in sets {
            let _ = writeln!(text, "{name}:\t{:016x}", Capabilities::bits(&set));
        }
        let _ = writeln!(text, "NoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0", u8::from(object.no_new_privileges));
        text
    }

    /// A map of ids as who has a user namespace sees it (`uid_m_show()`, `gid_m_show()`, `projid_m_show()`), or what
    /// `setgroups` says.
    pub(super) fn map_file_text(
        &self,
        namespace: Id<UserNamespace>,
        file: TaskFile,
        viewer: Id<UserNamespace>,
    ) -> Vec<u8> {
        match file {
            TaskFile::UidMap => self.uid_map_text(namespace, viewer),
            TaskFile::GidMap => self.gid_map_text(namespace, viewer),
            TaskFile::SetGroups => self.setgroups_text(namespace).to_vec(),
            // Of project ids only the initial namespace has a map, and that is as the one of users.
            _ if self.user_namespaces[namespace].parent.is_none() => self.uid_map_text(namespace, viewer),
            _ => Vec::new(),
        }
    }

    /// `fdinfo/<number>` (`seq_show()`), none if the descriptor is not open any more.
    pub(super) fn descriptor_text(&self, task: Id<Task>, fd: u32) -> Option<Vec<u8>> {
        let descriptor = self.descriptor_of(task, fd)?;
        let file = &self.files[descriptor.file];
        let mut flags = file.flags.bits();
        if descriptor.close_on_exec {
            flags |= OpenFlags::O_CLOEXEC.bits();
        }
        let mount = self.mounts[file.path.mount].id;
        let inode = self.inodes[self.dentries[file.path.dentry].inode].number;
        let position = file.position;
        Some(format!("pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{inode}\n").into_bytes())
    }
}
