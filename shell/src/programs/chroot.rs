//! chroot(1) of the GNU coreutils 9.1.

use cofferdam::UnixPath;
use cofferdam::kernel::{Errno, Kernel as _};

use super::environment::run_command;
use super::support::quote::quoted_always;
use super::util_linux::accounts::{self, Group, User};
use super::util_linux::path::stat;
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option, parse};

/// The exit status if chroot itself failed.
const CANCELED: i32 = 125;

const OPTIONS: &[Opt] = &[
    option("groups", '\0', "groups", Takes::Argument),
    option("userspec", '\0', "userspec", Takes::Argument),
    option("skip-chdir", '\0', "skip-chdir", Takes::Nothing),
    option("help", '\0', "help", Takes::Nothing),
    option("version", '\0', "version", Takes::Nothing),
];

const HELP: &str = "Usage: chroot [OPTION] NEWROOT [COMMAND [ARG]...]
  or:  chroot OPTION

Options: --groups=G_LIST, --userspec=USER:GROUP, --skip-chdir, --help, --version
";

/// A program ends with this status: what is wrong has been said.
type Ended = i32;

/// chroot(1)
pub(super) async fn chroot(execution: &mut Execution) -> i32 {
    match run(execution).await {
        Ok(status) | Err(status) => status,
    }
}

async fn run(execution: &mut Execution) -> Result<i32, Ended> {
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let parsed = match parse(OPTIONS, Order::Strict, &arguments) {
        Ok(parsed) => parsed,
        Err(message) => return Err(mistake(execution, message).await),
    };
    if parsed.has("help") {
        execution.print(HELP);
        return Ok(0);
    }
    if parsed.has("version") {
        execution.print("chroot (GNU coreutils) 9.1 (simulated)\n");
        return Ok(0);
    }
    let [new_root, program @ ..] = &parsed.operands[..] else {
        return Err(mistake(execution, "missing operand").await);
    };
    let stays = parsed.has("skip-chdir");
    let is_old_root = is_root(execution, new_root);
    if stays && !is_old_root {
        let message = "option --skip-chdir only permitted if NEWROOT is old '/'";
        return Err(mistake(execution, message).await);
    }
    // The names may be known outside only, or inside only.
    let user_spec = parsed.value("userspec").map(|spec| spec.strip_suffix(b":").unwrap_or(spec).to_vec());
    let group_list = parsed.value("groups").map(<[u8]>::to_vec);
    let outside = Identity::find(execution, user_spec.as_deref(), group_list.as_deref()).await;
    if !is_old_root {
        let changed = execution.process.chroot(UnixPath::new(new_root));
        let text = [&b"cannot change root directory to "[..], &quoted_always(new_root)].concat();
        end_if(execution, changed, text).await?;
        let changed = execution.process.chdir(UnixPath::new("/"));
        end_if(execution, changed, "cannot chdir to root directory").await?;
    } else if !stays {
        let changed = execution.process.chdir(UnixPath::new("/"));
        end_if(execution, changed, "cannot chdir to root directory").await?;
    }
    let inside = Identity::find(execution, user_spec.as_deref(), group_list.as_deref()).await;
    become_user(execution, user_spec.as_deref(), group_list.as_deref(), outside, inside).await?;
    let shell = || vec![execution.variable("SHELL").unwrap_or(b"/bin/sh").to_vec(), b"-i".to_vec()];
    let program = if program.is_empty() { shell() } else { program.to_vec() };
    Ok(run_command(execution, &program).await)
}

/// Who the options say that we are to be, as far as the names are known.
#[derive(Clone, Debug, Default)]
struct Identity {
    uid: Option<u32>,
    gid: Option<u32>,
    /// What is wrong with the user.
    user_error: Option<&'static str>,
    /// The groups of `--groups`, or the names that are none.
    groups: Option<Result<Vec<u32>, Vec<Vec<u8>>>>,
    /// The groups that the user is in.
    own_groups: Vec<u32>,
}

impl Identity {
    async fn find(execution: &mut Execution, spec: Option<&[u8]>, list: Option<&[u8]>) -> Self {
        let (users, groups) = (accounts::users(execution).await, accounts::groups(execution).await);
        let mut identity = Self::default();
        if let Some(spec) = spec {
            identity.take_user(spec, &users, &groups);
        }
        identity.groups = list.filter(|list| !list.is_empty()).map(|list| {
            let names = || list.split(|byte| *byte == b',').filter(|name| !name.is_empty());
            let unknown: Vec<_> =
                names().filter(|name| group_id(name, &groups).is_none()).map(<[u8]>::to_vec).collect();
            let known = names().filter_map(|name| group_id(name, &groups)).collect();
            if unknown.is_empty() { Ok(known) } else { Err(unknown) }
        });
        identity
    }

    fn take_user(&mut self, spec: &[u8], users: &[User], groups: &[Group]) {
        let mut parts = spec.splitn(2, |byte| *byte == b':');
        let (user, group) = (parts.next().unwrap_or_default(), parts.next().filter(|group| !group.is_empty()));
        let known = users.iter().find(|known| known.name == user);
        if !user.is_empty() {
            self.uid = known.map(|user| user.uid).or_else(|| plain_number(user));
            if self.uid.is_none() {
                self.user_error = Some("invalid user");
                return;
            }
            let by_id = users.iter().find(|known| Some(known.uid) == self.uid);
            if let Some(account) = known.or(by_id) {
                self.gid = Some(account.gid);
                let is_member = |group: &&Group| group.members.contains(&account.name);
                let others = groups.iter().filter(is_member).map(|group| group.gid);
                self.own_groups = std::iter::once(account.gid).chain(others).collect();
            }
        }
        if let Some(group) = group {
            self.gid = group_id(group, groups);
            if self.gid.is_none() {
                self.uid = None;
                self.user_error = Some("invalid group");
            }
        }
    }
}

fn group_id(name: &[u8], groups: &[Group]) -> Option<u32> {
    groups.iter().find(|group| group.name == name).map(|group| group.gid).or_else(|| plain_number(name))
}

fn plain_number(text: &[u8]) -> Option<u32> {
    accounts::id(text.strip_prefix(b"+").unwrap_or(text))
}

/// Takes on the identity: names as they are known inside, else as outside.
async fn become_user(
    execution: &mut Execution,
    spec: Option<&[u8]>,
    list: Option<&[u8]>,
    outside: Identity,
    inside: Identity,
) -> Result<(), Ended> {
    let uid = inside.uid.or(outside.uid);
    let gid = inside.gid.or(outside.gid);
    if spec.is_some() {
        if let Some(error) = inside.user_error.filter(|_| uid.is_none() && gid.is_none()) {
            execution.complain(error).await;
            return Err(CANCELED);
        }
        if let (Some(uid), None) = (uid, gid) {
            execution.complain(format!("no group specified for unknown uid: {uid}")).await;
            return Err(CANCELED);
        }
    }
    let groups = match (list, inside.groups, outside.groups) {
        (Some(_), Some(Ok(groups)), _) | (Some(_), Some(Err(_)), Some(Ok(groups))) => Some(groups),
        (Some(_), Some(Err(names)), _) => {
            for name in names {
                execution.complain([&b"invalid group "[..], &quoted_always(&name)].concat()).await;
            }
            return Err(CANCELED);
        }
        // An empty list.
        (Some(_), None, _) => Some(Vec::new()),
        (None, ..) if uid.is_some() => {
            Some(if inside.own_groups.is_empty() { outside.own_groups } else { inside.own_groups })
        }
        (None, ..) => None,
    };
    if let Some(groups) = groups {
        let set = execution.process.setgroups(&groups);
        end_if(execution, set, "failed to set supplemental groups").await?;
    }
    if let Some(gid) = gid {
        let set = execution.process.setresgid(gid, gid, gid);
        end_if(execution, set, "failed to set group-ID").await?;
    }
    if let Some(uid) = uid {
        let set = execution.process.setresuid(uid, uid, uid);
        end_if(execution, set, "failed to set user-ID").await?;
    }
    Ok(())
}

/// Whether a directory is the root directory already.
fn is_root(execution: &Execution, path: &[u8]) -> bool {
    super::util_linux::path::real_path(&execution.process, path).is_ok_and(|path| path == b"/")
        && stat(&execution.process, path).is_ok()
}

async fn mistake(execution: &mut Execution, message: impl AsRef<[u8]>) -> Ended {
    execution.complain(message).await;
    let hint = execution.help_hint();
    execution.report_line(hint);
    CANCELED
}

/// A result, or the end with a message.
async fn end_if<T>(execution: &mut Execution, result: Result<T, Errno>, text: impl AsRef<[u8]>) -> Result<T, Ended> {
    match result {
        Ok(value) => Ok(value),
        Err(errno) => {
            execution.complain([text.as_ref(), b": ", errno.description().as_bytes()].concat()).await;
            Err(CANCELED)
        }
    }
}
