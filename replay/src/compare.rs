//! Whether a call gave the same on both machines, up to what can't be the same.

use cofferdam::kernel::{Errno, Value};

use crate::decode::Given;

/// The flags of statfs(2) that mounts have: `ST_RDONLY`, `ST_NOSUID`, `ST_NODEV`, `ST_NOEXEC`, `ST_NOATIME`, `ST_NODIRATIME`,
/// `ST_RELATIME`, `ST_NOSYMFOLLOW`.
const OF_MOUNTS: u64 = 0x1 | 0x2 | 0x4 | 0x8 | 0x400 | 0x800 | 0x1000 | 0x2000;

/// Whether what was recorded is what the simulated kernel gave.
pub(crate) fn agree(recorded: &Result<Given, Errno>, simulated: &Result<Value, Errno>) -> bool {
    match (recorded, simulated) {
        (Err(recorded), Err(simulated)) => recorded == simulated,
        (Ok(given), Ok(value)) => is_same(given, value),
        _ => false,
    }
}

fn is_same(given: &Given, value: &Value) -> bool {
    match (given, value) {
        (Given::File { file_type, device, .. }, Value::Stat(stat)) => {
            *file_type == stat.file_type && device.is_none_or(|device| device == stat.rdev)
        }
        (Given::MountFlags(flags), Value::StatFs(filesystem)) => (flags ^ filesystem.flags) & OF_MOUNTS == 0,
        (Given::Target(target), Value::Bytes(bytes)) => without_number(&target.0) == without_number(&bytes.0),
        (Given::Directory(directory), Value::Bytes(bytes)) => directory == bytes,
        (Given::Number(number), Value::User(user)) => *number == i64::from(*user),
        (Given::Number(recorded), Value::Number(number)) => *recorded == i64::from(*number),
        _ => true,
    }
}

/// `mnt:[4026531841]` without the number, which no two machines have the same.
fn without_number(target: &[u8]) -> &[u8] {
    let name = target.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    match target.get(name..) {
        Some(rest) if name > 0 && rest.starts_with(b":[") && rest.ends_with(b"]") => {
            target.get(..name).unwrap_or_default()
        }
        _ => target,
    }
}

/// What the simulated kernel gave, as strace would print it behind the `=`.
pub(crate) fn shown(simulated: &Result<Value, Errno>) -> String {
    match simulated {
        Err(errno) => format!("-1 {errno}"),
        Ok(Value::Stat(stat)) => format!("0, {}", stat.file_type),
        Ok(Value::StatFs(filesystem)) => format!("0, f_flags={:#x}", filesystem.flags),
        Ok(Value::Bytes(bytes)) => format!("{}, {bytes}", bytes.0.len()),
        Ok(Value::User(user)) => user.to_string(),
        Ok(Value::Number(number)) => number.to_string(),
        Ok(Value::Descriptor(_)) => "a descriptor".into(),
        Ok(_) => "0".into(),
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::Bytes;

    use super::*;

    #[test]
    fn numbers_of_namespaces_do_not_count() {
        let agree = |recorded: &str, simulated: &str| {
            super::agree(&Ok(Given::Target(recorded.into())), &Ok(Value::Bytes(Bytes::from(simulated))))
        };
        assert!(agree("mnt:[4026531841]", "mnt:[1]"));
        assert!(!agree("mnt:[4026531841]", "pid:[4026531841]"));
        assert!(!agree("/a", "/b"));
        assert!(agree("/a", "/a"));
    }

    #[test]
    fn errors_are_compared() {
        assert!(agree(&Err(Errno::EBUSY), &Err(Errno::EBUSY)));
        assert!(!agree(&Err(Errno::EBUSY), &Err(Errno::EINVAL)));
        assert!(!agree(&Ok(Given::Done), &Err(Errno::EINVAL)));
        assert!(!agree(&Err(Errno::EINVAL), &Ok(Value::Done)));
        assert!(agree(&Ok(Given::Number(5)), &Ok(Value::User(5))));
        assert!(!agree(&Ok(Given::Number(5)), &Ok(Value::Number(6))));
    }
}
