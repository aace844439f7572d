//! Arguments that make little sense, put in the place of one that does.

use cofferdam::kernel::Call;
use serde_json::Value as Json;

use super::scene::Scene;
use crate::sequence::Action;

/// Puts a value that makes little sense into one argument.
pub(super) fn spoil(scene: &mut Scene<'_>, action: &mut Action) {
    let Action::Call(call) = action else { return };
    let Ok(Json::Object(mut arguments)) = serde_json::to_value(&*call) else { return };
    let may_change = may_change(call);
    let names: Vec<String> = arguments.keys().filter(|name| may_change.contains(name)).cloned().collect();
    let Some(name) = scene.pick_any(&names) else { return };
    let Some(value) = arguments.get_mut(&name) else { return };
    replace(scene, value);
    // What is no value of the argument's type leaves the call as it is.
    if let Ok(spoiled) = serde_json::from_value(Json::Object(arguments)) {
        *call = spoiled;
    }
}

/// Which arguments of a call may be anything.
enum MayChange {
    All,
    /// Those with these names: others would do harm, or make the result depend on the machine.
    Only(&'static [&'static str]),
}

impl MayChange {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => name != "call",
            Self::Only(names) => names.contains(&name),
        }
    }
}

fn may_change(call: &Call) -> MayChange {
    match call {
        Call::Mknodat { .. } => MayChange::Only(&["dirfd", "path"]),
        Call::Execve { .. } => MayChange::Only(&["path"]),
        Call::Kill { .. }
        | Call::Setrlimit { .. }
        | Call::Read { .. }
        | Call::Lseek { .. }
        | Call::Statmount { .. }
        | Call::Listmount { .. }
        | Call::Prctl { .. }
        | Call::Sigaction { .. }
        | Call::Sigprocmask { .. } => MayChange::Only(&[]),
        _ => MayChange::All,
    }
}

fn replace(scene: &mut Scene<'_>, value: &mut Json) {
    const NUMBERS: &[i64] = &[-1, 77, 5000, 0, 1, -100, 0x7fff_ffff];
    const PATHS: &[&str] =
        &["", "/", ".", "..", "/a/f/x", "/nothing/x", "/a/loop", "/a/f/", "/a/d/", "//a///d/.", "n0/", "/a/dangling/x"];
    match value {
        Json::Null => *value = Json::from(scene.pick(&["", "x", "tmpfs"])),
        Json::Bool(value) => *value = !*value,
        Json::Number(_) => *value = Json::from(scene.pick(NUMBERS)),
        Json::String(text) if is_flags(text) => {
            let bit = 1_u64 << scene.below(32);
            let more = format!("{bit:#x}");
            *text = if text.is_empty() { more } else { format!("{text} | {more}") };
        }
        Json::String(text) => {
            *text = match scene.below(12) {
                0 => "x".repeat(256),
                1 => "/a".repeat(2100),
                _ => scene.pick(PATHS).into(),
            }
        }
        Json::Array(_) => {}
        Json::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            if let Some(member) = scene.pick_any(&names).and_then(|name| members.get_mut(&name)) {
                replace(scene, member);
            }
        }
    }
}

/// Flags are words in capitals; an empty text may be either.
fn is_flags(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_ |x".contains(&byte))
}
