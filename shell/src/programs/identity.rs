//! id(1), whoami(1), uname(1), hostname(1) and tty(1): who and where we are.

use cofferdam::kernel::Kernel as _;

use super::support::options::{not_simulated, take_options, usage};
use super::support::quote::{quoted_always, quoted_as_in_c};
use super::support::users::Names;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

/// id(1), of the process itself.
pub(crate) async fn id(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[
        option("user", 'u', "user", Takes::Nothing),
        option("group", 'g', "group", Takes::Nothing),
        option("groups", 'G', "groups", Takes::Nothing),
        option("name", 'n', "name", Takes::Nothing),
        option("real", 'r', "real", Takes::Nothing),
        option("ignored", 'a', "", Takes::Nothing),
        not_simulated("!-z", 'z', "zero", Takes::Nothing),
        not_simulated("!-Z", 'Z', "context", Takes::Nothing),
    ];
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if !parsed.operands.is_empty() {
        execution.report("operand 'USER' is not simulated");
        return 1;
    }
    let chosen: Vec<&str> = ["user", "group", "groups"].into_iter().filter(|id| parsed.has(id)).collect();
    if chosen.len() > 1 {
        execution.report("cannot print \"only\" of more than one choice");
        return 1;
    }
    if chosen.is_empty() && (parsed.has("name") || parsed.has("real")) {
        execution.report("cannot print only names or real IDs in default format");
        return 1;
    }
    let (users, groups) = (Names::users(&execution.process), Names::groups(&execution.process));
    let ids = {
        let linux = execution.process.linux();
        linux.task(execution.process.task()).map(|task| (task.users(), task.groups()))
    };
    let Some(((real_user, user), (real_group, group))) = ids else { return 1 };
    let shown = |names: &Names, real: u32, effective: u32| {
        let number = if parsed.has("real") { real } else { effective };
        if parsed.has("name") { names.name_or_number(number) } else { number.to_string().into_bytes() }
    };
    let text = match chosen.first() {
        Some(&"user") => shown(&users, real_user, user),
        Some(_) => shown(&groups, real_group, group),
        None => {
            let with_name = |what: &str, names: &Names, number: u32| {
                let name = names.name(number).map(|name| [b"(", name, b")"].concat()).unwrap_or_default();
                [format!("{what}={number}").into_bytes(), name].concat()
            };
            let mut parts = vec![with_name("uid", &users, real_user), with_name("gid", &groups, real_group)];
            if user != real_user {
                parts.push(with_name("euid", &users, user));
            }
            if group != real_group {
                parts.push(with_name("egid", &groups, group));
            }
            parts.push(with_name("groups", &groups, group));
            parts.join(&b' ')
        }
    };
    execution.print([&text[..], b"\n"].concat());
    0
}

/// whoami(1)
pub(crate) async fn whoami(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, &[], Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if let Some(extra) = parsed.operands.first() {
        return usage(execution, [b"extra operand ", &quoted_always(extra)[..]].concat(), 1);
    }
    let number = execution.process.geteuid().unwrap_or_default();
    let users = Names::users(&execution.process);
    let Some(name) = users.name(number) else {
        execution.report(format!("cannot find name for user ID {number}"));
        return 1;
    };
    execution.print([name, b"\n"].concat());
    0
}

/// The name of the machine, which the kernel of the simulation does not know.
async fn node_name(execution: &mut Execution) -> Vec<u8> {
    let content = execution.read_file(b"/etc/hostname").await.unwrap_or_else(|_| b"(none)".to_vec());
    content.trim_ascii().to_vec()
}

/// hostname(1), without arguments.
pub(crate) async fn hostname(execution: &mut Execution) -> i32 {
    if execution.arguments.len() > 1 {
        execution.report("arguments are not simulated");
        return 255;
    }
    let name = node_name(execution).await;
    execution.print([&name[..], b"\n"].concat());
    0
}

/// uname(1)
pub(crate) async fn uname(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] = &[
        option("sysname", 's', "kernel-name", Takes::Nothing),
        option("nodename", 'n', "nodename", Takes::Nothing),
        option("release", 'r', "kernel-release", Takes::Nothing),
        option("machine", 'm', "machine", Takes::Nothing),
        option("system", 'o', "operating-system", Takes::Nothing),
        not_simulated("!-a", 'a', "all", Takes::Nothing),
        not_simulated("!-v", 'v', "kernel-version", Takes::Nothing),
        not_simulated("!-p", 'p', "processor", Takes::Nothing),
        not_simulated("!-i", 'i', "hardware-platform", Takes::Nothing),
    ];
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if let Some(extra) = parsed.operands.first() {
        return usage(execution, [b"extra operand ", &quoted_as_in_c(extra)[..]].concat(), 1);
    }
    let name = match execution.process.uname() {
        Ok(name) => name,
        Err(errno) => {
            execution.report(format!("cannot get system name: {}", errno.description()));
            return 1;
        }
    };
    let mut words = Vec::new();
    if parsed.has("sysname") || parsed.options.is_empty() {
        words.push(name.sysname.0);
    }
    if parsed.has("nodename") {
        words.push(node_name(execution).await);
    }
    if parsed.has("release") {
        words.push(name.release.0);
    }
    if parsed.has("machine") {
        words.push(name.machine.0);
    }
    if parsed.has("system") {
        words.push(b"GNU/Linux".to_vec());
    }
    execution.print([words.join(&b' '), b"\n".to_vec()].concat());
    0
}

/// tty(1): no stream of the simulation is a terminal.
pub(crate) async fn tty(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] =
        &[option("silent", 's', "silent", Takes::Nothing), option("silent", '\0', "quiet", Takes::Nothing)];
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 2) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if let Some(extra) = parsed.operands.first() {
        return usage(execution, [b"extra operand ", &quoted_as_in_c(extra)[..]].concat(), 2);
    }
    if !parsed.has("silent") {
        execution.print("not a tty\n");
    }
    1
}

/// nproc(1): the simulated machine does one thing at a time, as one processor does.
pub(crate) async fn nproc(execution: &mut Execution) -> i32 {
    const OPTIONS: &[Opt] =
        &[option("all", '\0', "all", Takes::Nothing), option("ignore", '\0', "ignore", Takes::Argument)];
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    // There is one at least, however many are ignored.
    if let Some(text) = parsed.value("ignore")
        && super::utility::decimal(text).is_none()
    {
        execution.report([b"invalid number: ", &quoted_as_in_c(text)[..]].concat());
        return 1;
    }
    if let Some(extra) = parsed.operands.first() {
        return usage(execution, [b"extra operand ", &quoted_as_in_c(extra)[..]].concat(), 1);
    }
    execution.print("1\n");
    0
}
