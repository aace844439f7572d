//! The parameters of proc (`fs/proc/root.c`).

use cofferdam::kernel::{Capabilities, Fd};
use serde::{Deserialize, Serialize};

use super::{ParameterValue, Refusal, numbers, values};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FsContext, Purpose};
use crate::linux::Linux;
use crate::namespace::NamespaceRef;
use crate::process::Task;
use crate::walk::LookupFlags;

/// Which processes proc shows to whom (`enum proc_hidepid`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HidePid {
    /// All.
    #[default]
    Off,
    /// All, but nobody looks into those of others.
    NoAccess,
    /// Those of others are not there.
    Invisible,
    /// Those that may not be traced are not there.
    NotPtraceable,
}

/// The parameters of proc (`struct proc_fs_context`, `struct proc_fs_info`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcParameters {
    /// The group for which nothing is hidden: in a context a number of the caller's user namespace, in a superblock an id
    /// of the initial one, or none that it can show.
    pub(crate) gid: Option<u32>,
    /// What is hidden from others.
    pub(crate) hide_pid: Option<HidePid>,
    /// Whether there are processes only (`subset=pid`).
    pub(crate) pid_only: Option<bool>,
}

impl ProcParameters {
    /// `proc_show_options()`
    pub(super) fn show(&self, text: &mut Vec<u8>) {
        match self.gid {
            None | Some(0) => {}
            // A group that is none has no number.
            Some(u32::MAX) => text.extend_from_slice(b",gid=65534"),
            Some(gid) => text.extend_from_slice(format!(",gid={gid}").as_bytes()),
        }
        text.extend_from_slice(match self.hide_pid {
            None | Some(HidePid::Off) => b"",
            Some(HidePid::NoAccess) => b",hidepid=noaccess",
            Some(HidePid::Invisible) => b",hidepid=invisible",
            Some(HidePid::NotPtraceable) => b",hidepid=ptraceable",
        });
        if self.pid_only == Some(true) {
            text.extend_from_slice(b",subset=pid");
        }
    }
}

/// `proc_parse_hidepid_param()`
fn parse_hide_pid(text: &[u8]) -> Option<HidePid> {
    match (numbers::unsigned(text, 0), text) {
        (Some(0), _) | (None, b"off") => Some(HidePid::Off),
        (Some(1), _) | (None, b"noaccess") => Some(HidePid::NoAccess),
        (Some(2), _) | (None, b"invisible") => Some(HidePid::Invisible),
        (Some(4), _) | (None, b"ptraceable") => Some(HidePid::NotPtraceable),
        _ => None,
    }
}

const NO_FILE: Failure =
    fail!(EINVAL, "fs_param_is_file_or_string()", "the value of pidns is neither a path nor a file descriptor");

impl Linux {
    /// `proc_parse_param()`
    pub(super) fn parse_proc(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        parameters: &mut ProcParameters,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        let refused = |failure, message: &str, text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            Refusal::Error(failure, format!("proc: {message} - {text}\n"))
        };
        match key {
            b"gid" => parameters.gid = Some(values::number(key, value, 0)?),
            b"hidepid" => {
                let text = values::string(key, value)?;
                let hide_pid = parse_hide_pid(text).ok_or_else(|| {
                    let failure = fail!(
                        EINVAL,
                        "proc_parse_hidepid_param()",
                        "hidepid is none of 0, 1, 2, 4, off, noaccess, invisible, ptraceable"
                    );
                    refused(failure, "unknown value of hidepid", text)
                })?;
                parameters.hide_pid = Some(hide_pid);
            }
            b"subset" => {
                for part in values::string(key, value)?.split(|byte| *byte == b',') {
                    match part {
                        b"" => {}
                        b"pid" => parameters.pid_only = Some(true),
                        other => {
                            let failure =
                                fail!(EINVAL, "proc_parse_subset_param()", "subset has another word than pid");
                            return Err(refused(failure, "unsupported subset option", other));
                        }
                    }
                }
                parameters.pid_only.get_or_insert(false);
            }
            b"pidns" => self.parse_pid_namespace(task, context, key, value)?,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// The pid namespace whose processes are shown: that of the process, or one below (`proc_parse_pidns_param()`).
    fn parse_pid_namespace(
        &mut self,
        task: Id<Task>,
        context: &mut FsContext,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        if !matches!(value, ParameterValue::String([_, ..]) | ParameterValue::File(_)) {
            return Err(values::bad_value(key, NO_FILE));
        }
        let error = |failure, message: &str| Refusal::Error(failure, format!("proc: {message}"));
        if context.purpose == Purpose::Reconfigure {
            let failure = fail!(EBUSY, "proc_parse_param()", "pidns can't be changed of a proc that there is already");
            return Err(error(failure, "cannot reconfigure pidns for existing procfs"));
        }
        let no_file = |failure| error(failure, "could not get file from pidns argument");
        let path = match value {
            ParameterValue::String(path) => self.lookup(task, Fd::CWD, path, LookupFlags::FOLLOW).map_err(no_file)?,
            ParameterValue::File(fd) => {
                let file = self.file(task, fd).map_err(no_file)?;
                self.files[file].path
            }
            _ => return Err(values::bad_value(key, NO_FILE)),
        };
        let invalid = |failure, message: &str| Refusal::Invalid(failure, message.into());
        let inode = self.dentries[path.dentry].inode;
        let namespace = self.namespace_of_inode(inode).ok_or_else(|| {
            let failure = fail!(EINVAL, "proc_parse_pidns_param()", "pidns is not the file of a namespace");
            invalid(failure, "pidns argument is not an nsfs file")
        })?;
        let NamespaceRef::Pid(target) = namespace else {
            let failure =
                fail!(EINVAL, "proc_parse_pidns_param()", "pidns is the file of a namespace that is no PID namespace");
            return Err(invalid(failure, "pidns argument is not a pidns file"));
        };
        let owner = self.pid_namespaces[target].user_namespace;
        if !self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN) {
            let failure = fail!(
                EPERM,
                "proc_parse_pidns_param()",
                "the process has no CAP_SYS_ADMIN in the user namespace that owns the PID namespace of pidns"
            );
            return Err(error(failure, "insufficient permissions to set pidns"));
        }
        if !self.is_in_pid_namespace(target, self.tasks[task].pid_namespace) {
            let failure = fail!(
                EINVAL,
                "proc_parse_pidns_param()",
                "the PID namespace of pidns is neither that of the process nor one below it"
            );
            return Err(invalid(failure, "cannot set pidns to non-descendant pidns"));
        }
        self.pid_namespaces[target].references += 1;
        if let Some(before) = context.pid_namespace.replace(target) {
            self.pid_namespace_put(before);
        }
        self.user_namespaces[owner].references += 1;
        let before = std::mem::replace(&mut context.user_namespace, owner);
        self.user_namespace_put(before);
        Ok(())
    }

    /// Applies the parameters to a proc (`proc_apply_options()`). An error comes with what the context's log says.
    pub(crate) fn apply_proc(
        &self,
        task: Id<Task>,
        purpose: Purpose,
        settled: &mut ProcParameters,
        new: &ProcParameters,
    ) -> Result<(), (Failure, &'static str)> {
        if let Some(pid_only) = new.pid_only {
            if purpose == Purpose::Reconfigure && pid_only != settled.pid_only.unwrap_or(false) {
                let failure = fail!(
                    EINVAL,
                    "proc_apply_options()",
                    "subset=pid can't be changed of a proc that there is already"
                );
                return Err((failure, "proc: subset=pid cannot be changed\n"));
            }
            settled.pid_only = Some(pid_only);
        }
        if let Some(gid) = new.gid {
            let namespace = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
            let gid = namespace.gid_map.iter().find_map(|extent| extent.outside_of(gid));
            settled.gid = Some(gid.unwrap_or(u32::MAX));
        }
        settled.hide_pid = new.hide_pid.or(settled.hide_pid);
        Ok(())
    }
}
