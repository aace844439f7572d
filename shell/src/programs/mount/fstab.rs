//! What is not on the command line: fstab(5), the mount table, and the types of filesystems that the kernel knows.

use std::rc::Rc;

use cofferdam::kernel::MountFlags;
use cofferdam::mountinfo::escape::decode;

use super::attempt::{Failure, Request};
use super::options::Options;
use crate::execution::Execution;
use crate::programs::util_linux::path::{are_equal, canonical};
use crate::programs::util_linux::table::{Direction, MountTable, OWN_TABLE, is_tag, type_matches};
use crate::programs::util_linux::warn;

/// The file.
pub(super) const FSTAB: &[u8] = b"/etc/fstab";

/// A line of fstab(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) source: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) kind: Vec<u8>,
    pub(super) options: Vec<u8>,
}

/// Reads an fstab; `None` if there is no such file.
pub(super) async fn read(execution: &mut Execution, path: &[u8]) -> Option<Vec<Line>> {
    let text = execution.read_file(path).await.ok()?;
    let mut lines = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let fields: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|field| !field.is_empty()).collect();
        match fields[..] {
            [] => {}
            [first, ..] if first.starts_with(b"#") => {}
            [source, target, kind, ref rest @ ..] => lines.push(Line {
                source: decode(source).into_owned(),
                target: decode(target).into_owned(),
                kind: decode(kind).into_owned(),
                options: rest.first().map(|options| decode(options).into_owned()).unwrap_or_default(),
            }),
            _ => {
                let message = format!(": parse error at line {} -- ignored", index + 1);
                warn(execution, [path, message.as_bytes()].concat()).await;
            }
        }
    }
    Some(lines)
}

/// What is in fstab, or the file that is used for it; `None` if there is none.
pub(super) async fn lines(execution: &mut Execution, request: &Request) -> Option<Rc<Vec<Line>>> {
    match &request.fstab {
        Some(lines) => Some(lines.clone()),
        None => read(execution, FSTAB).await.map(Rc::new),
    }
}

/// Completes what is asked for, if source or target is missing (`mnt_context_apply_fstab()`).
pub(super) async fn complete(execution: &mut Execution, request: &mut Request) -> Result<(), Failure> {
    if request.source.is_some() && request.target.is_some() || request.source.is_none() && !request.uses_tables {
        return Ok(());
    }
    if !request.uses_tables {
        return Err(Failure::NotInFstab);
    }
    let flags = request.options.flags() | request.extra;
    let is_remount = flags.contains(MountFlags::MS_REMOUNT);
    let mut found = find_in_fstab(execution, request).await;
    if found.is_none() && is_remount {
        found = find_in_mount_table(execution, request).await;
    }
    match found {
        Some(line) => {
            apply(request, line);
            if is_remount && !flags.contains(MountFlags::MS_BIND) {
                request.options.remove(b"bind");
            }
            Ok(())
        }
        None if request.target.is_some() && request.source.is_none() && is_remount => Ok(()),
        None => Err(Failure::NotInFstab),
    }
}

/// Makes a line what is asked for; options of the command line come after those of the line.
pub(super) fn apply(request: &mut Request, line: Line) {
    request.source = Some(line.source);
    request.target = Some(line.target);
    request.kind = request.kind.take().or(Some(line.kind));
    request.options.prepend(Options::parse(&line.options));
}

async fn find_in_fstab(execution: &mut Execution, request: &Request) -> Option<Line> {
    let lines = lines(execution, request).await?;
    let process = &execution.process;
    let by_target = |path: &[u8]| {
        let same = |line: &&Line| are_equal(&line.target, path);
        lines.iter().find(same).or_else(|| {
            let path = canonical(process, path);
            lines.iter().find(|line| are_equal(&line.target, &path) || canonical(process, &line.target) == path)
        })
    };
    let by_source = |source: &[u8]| {
        lines.iter().find(|line| are_equal(&line.source, source)).or_else(|| {
            let path = canonical(process, source);
            let leads_there = |line: &&Line| !is_tag(&line.source) && canonical(process, &line.source) == path;
            lines.iter().find(leads_there)
        })
    };
    let found = match (&request.source, &request.target) {
        (Some(source), _) => {
            by_source(source).or_else(|| by_target(source).filter(|_| request.may_swap && !is_tag(source)))
        }
        (None, Some(target)) => by_target(target).or_else(|| by_source(target).filter(|_| request.may_swap)),
        (None, None) => None,
    };
    found.cloned()
}

async fn find_in_mount_table(execution: &mut Execution, request: &Request) -> Option<Line> {
    let table = MountTable::read(execution, OWN_TABLE).await.ok()?;
    let process = &execution.process;
    let backward = Direction::Backward;
    let found = match (&request.source, &request.target) {
        (Some(source), _) => table
            .find_source(process, source, backward)
            .or_else(|| table.find_target(process, source, backward).filter(|_| request.may_swap)),
        (None, Some(target)) => table
            .find_target(process, target, backward)
            .or_else(|| table.find_source(process, target, backward).filter(|_| request.may_swap)),
        (None, None) => None,
    }?;
    Some(Line {
        source: found.source.clone(),
        target: found.target.clone(),
        kind: found.kind.clone(),
        options: found.options(),
    })
}

/// The types on devices that the kernel knows, which can be tried: those of `/etc/filesystems`, and then of
/// `/proc/filesystems` if the former is not there or ends with `*`. `None` if there is no such list.
pub(super) async fn known_types(execution: &mut Execution, pattern: Option<&[u8]>) -> Option<Vec<Vec<u8>>> {
    let mut types: Vec<Vec<u8>> = Vec::new();
    for path in [&b"/etc/filesystems"[..], b"/proc/filesystems"] {
        let Ok(text) = execution.read_file(path).await else { continue };
        let mut goes_on = false;
        for line in text.split(|byte| *byte == b'\n') {
            if line.starts_with(b"#") || line.starts_with(b"nodev") {
                continue;
            }
            let name = line.trim_ascii();
            if name == b"*" {
                goes_on = true;
                break;
            }
            let is_wanted = !name.is_empty() && pattern.is_none_or(|pattern| type_matches(name, pattern));
            if is_wanted && !types.iter().any(|known| known == name) {
                types.push(name.to_vec());
            }
        }
        if !goes_on {
            return Some(types);
        }
    }
    (!types.is_empty()).then_some(types)
}
