//! chown(1) and chgrp(1).

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, FileType, Kernel as _, Stat};

use super::support::options::{not_simulated, take_options, usage};
use super::support::paths::join;
use super::support::quote::{quoted_always, quoted_as_in_c};
use super::support::users::Names;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("changes", 'c', "changes", Takes::Nothing),
    option("quiet", 'f', "quiet", Takes::Nothing),
    option("quiet", '\0', "silent", Takes::Nothing),
    option("verbose", 'v', "verbose", Takes::Nothing),
    option("recursive", 'R', "recursive", Takes::Nothing),
    option("no-dereference", 'h', "no-dereference", Takes::Nothing),
    option("dereference", '\0', "dereference", Takes::Nothing),
    option("physical", 'P', "", Takes::Nothing),
    option("reference", '\0', "reference", Takes::Argument),
    not_simulated("!-H", 'H', "", Takes::Nothing),
    not_simulated("!-L", 'L', "", Takes::Nothing),
    not_simulated("!--from", '\0', "from", Takes::Argument),
    not_simulated("!--preserve-root", '\0', "preserve-root", Takes::Nothing),
    not_simulated("!--no-preserve-root", '\0', "no-preserve-root", Takes::Nothing),
];

#[allow(clippy::struct_excessive_bools, reason = "they are the program's options")]
struct Changer {
    owner: Option<u32>,
    group: Option<u32>,
    /// What messages call the new owner.
    name: Vec<u8>,
    is_group_program: bool,
    follows: bool,
    is_recursive: bool,
    is_quiet: bool,
    is_verbose: bool,
    says_changes: bool,
    users: Names,
    groups: Names,
}

/// chown(1)
pub(crate) async fn chown(execution: &mut Execution) -> i32 {
    run(execution, false)
}

/// chgrp(1)
pub(crate) async fn chgrp(execution: &mut Execution) -> i32 {
    run(execution, true)
}

fn run(execution: &mut Execution, is_group_program: bool) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let mut operands = parsed.operands.clone();
    let reference = parsed.value("reference");
    let needed = if reference.is_some() { 1 } else { 2 };
    if operands.len() < needed {
        let after = operands.first().map(|operand| [b" after ", &quoted_always(operand)[..]].concat());
        return usage(execution, [b"missing operand", &after.unwrap_or_default()[..]].concat(), 1);
    }
    let (users, groups) = (Names::users(&execution.process), Names::groups(&execution.process));
    let (owner, group, name) = if let Some(path) = reference {
        match execution.stat(path) {
            Ok(stat) => {
                let name = [&users.name_or_number(stat.uid)[..], b":", &groups.name_or_number(stat.gid)].concat();
                (Some(stat.uid).filter(|_| !is_group_program), Some(stat.gid), name)
            }
            Err(errno) => return execution.report_failure("failed to get attributes of", path, errno),
        }
    } else {
        let name = operands.remove(0);
        let parsed = if is_group_program {
            parse_group(&name, &groups).map(|group| (None, group))
        } else {
            parse_owner(&name, &users, &groups)
        };
        match parsed {
            Ok((owner, group)) => (owner, group, name),
            Err(what) => {
                execution.report([b"invalid ", what.as_bytes(), b": ", &quoted_as_in_c(&name)].concat());
                return 1;
            }
        }
    };
    let is_recursive = parsed.has("recursive");
    let changer = Changer {
        owner,
        group,
        name,
        is_group_program,
        follows: !is_recursive && !parsed.has("no-dereference"),
        is_recursive,
        is_quiet: parsed.has("quiet"),
        is_verbose: parsed.has("verbose"),
        says_changes: parsed.has("changes") || parsed.has("verbose"),
        users,
        groups,
    };
    let mut status = 0;
    for path in &operands {
        if !changer.change(execution, path) {
            status = 1;
        }
    }
    status
}

type Parsed = Result<(Option<u32>, Option<u32>), &'static str>;

fn parse_group(name: &[u8], groups: &Names) -> Result<Option<u32>, &'static str> {
    if name.is_empty() {
        return Ok(None);
    }
    groups.number(name).map(Some).ok_or("group")
}

fn parse_owner(name: &[u8], users: &Names, groups: &Names) -> Parsed {
    let Some(colon) = name.iter().position(|byte| *byte == b':') else {
        let owner = if name.is_empty() { None } else { Some(users.number(name).ok_or("user")?) };
        return Ok((owner, None));
    };
    let (user, group) = (name.get(..colon).unwrap_or_default(), name.get(colon + 1..).unwrap_or_default());
    let owner = if user.is_empty() { None } else { Some(users.number(user).ok_or("user")?) };
    if group.is_empty() && owner.is_some() {
        // The group that the user has when logging in.
        let login = users.login_group(user).ok_or("spec")?;
        return Ok((owner, Some(login)));
    }
    Ok((owner, parse_group(group, groups)?))
}

impl Changer {
    fn change(&self, execution: &mut Execution, path: &[u8]) -> bool {
        let stat = match execution.lstat(path) {
            Ok(stat) => stat,
            Err(errno) => {
                if !self.is_quiet {
                    execution.report_failure("cannot access", path, errno);
                }
                if self.is_verbose {
                    let what: &[u8] = if self.is_group_program { b"group" } else { b"ownership" };
                    let text = [b"failed to change ", what, b" of ", &quoted_always(path), b" to ", &self.name, b"\n"];
                    execution.print(text.concat());
                }
                return false;
            }
        };
        let mut has_changed_all = true;
        if self.is_recursive && stat.file_type == FileType::Directory {
            match execution.entries(path) {
                Ok(entries) => {
                    for entry in entries {
                        has_changed_all &= self.change(execution, &join(path, &entry.name.0));
                    }
                }
                Err(errno) => {
                    if !self.is_quiet {
                        execution.report_failure("cannot read directory", path, errno);
                    }
                    has_changed_all = false;
                }
            }
        }
        self.change_file(execution, path, &stat) && has_changed_all
    }

    fn change_file(&self, execution: &mut Execution, path: &[u8], link: &Stat) -> bool {
        let stat = if self.follows {
            match execution.stat(path) {
                Ok(stat) => stat,
                Err(errno) => {
                    if !self.is_quiet {
                        execution.report_failure("cannot dereference", path, errno);
                    }
                    return false;
                }
            }
        } else {
            *link
        };
        let flags = if self.follows { AtFlags::empty() } else { AtFlags::AT_SYMLINK_NOFOLLOW };
        let result = execution.process.fchownat(Fd::CWD, UnixPath::new(path), self.owner, self.group, flags);
        if let Err(errno) = result {
            if !self.is_quiet {
                let what = if self.is_group_program || self.owner.is_none() && self.group.is_some() {
                    "changing group of"
                } else {
                    "changing ownership of"
                };
                execution.report_failure(what, path, errno);
            }
            return false;
        }
        let is_changed =
            self.owner.is_some_and(|owner| owner != stat.uid) || self.group.is_some_and(|group| group != stat.gid);
        if self.says_changes && is_changed {
            self.say_changed(execution, path, &stat);
        } else if self.is_verbose {
            self.say_retained(execution, path, &stat);
        }
        true
    }

    fn old_names(&self, stat: &Stat) -> Vec<u8> {
        let (user, group) = (self.users.name_or_number(stat.uid), self.groups.name_or_number(stat.gid));
        match (self.owner, self.group) {
            _ if self.is_group_program => group,
            (Some(_), None) => user,
            (None, None) => Vec::new(),
            _ => [&user[..], b":", &group].concat(),
        }
    }

    fn say_changed(&self, execution: &mut Execution, path: &[u8], stat: &Stat) {
        let what: &[u8] = if self.is_group_program { b"group" } else { b"ownership" };
        let from = self.old_names(stat);
        let text =
            [b"changed ", what, b" of ", &quoted_always(path), b" from ", &from, b" to ", &self.new_names(), b"\n"];
        execution.print(text.concat());
    }

    fn say_retained(&self, execution: &mut Execution, path: &[u8], stat: &Stat) {
        let what: &[u8] = if self.is_group_program { b"group" } else { b"ownership" };
        let names = self.old_names(stat);
        let kept = if names.is_empty() { Vec::new() } else { [b" as ", &names[..]].concat() };
        execution.print([what, b" of ", &quoted_always(path), b" retained", &kept, b"\n"].concat());
    }

    /// As it was given, but for `user:`, where the group is named.
    fn new_names(&self) -> Vec<u8> {
        match (self.name.strip_suffix(b":"), self.group) {
            (Some(user), Some(group)) => [user, b":", &self.groups.name_or_number(group)].concat(),
            _ => self.name.clone(),
        }
    }
}
