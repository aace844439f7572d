//! What the program may do.

use std::fmt::{self, Display as _};

use cofferdam::UnixPath;
use cofferdam::kernel::{Capabilities, Errno};

use super::super::container::{Area, Attempt, Identity, Outcome, Reach};
use super::layout::{Columns, Labelled, enumerated};
use super::shown;

/// So many directories that can be written, of more, are named.
const SHOWN_WRITABLE: usize = 4;

/// So many paths that can't be read are shown.
const SHOWN_REFUSED: usize = 8;

/// Who the program is, and what it reaches.
pub(super) struct Access<'a> {
    pub(super) identity: &'a Identity,
    pub(super) reach: &'a Reach,
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity.fmt(f)?;
        let Reach { areas, devices, masked_files, refused, processes } = self.reach;
        Labelled("sees processes", enumerated(processes)).fmt(f)?;
        let writable: Vec<_> = areas.iter().filter(|area| area.is_writable()).collect();
        for (index, area) in writable.iter().enumerate() {
            let label = if index == 0 { "can write" } else { "" };
            Labelled(label, vec![area.mountpoint.clone(), format!("({})", parts(area))]).fmt(f)?;
        }
        let read_only = areas.iter().filter(|area| area.is_seen() && !area.is_writable() && !area.is_barren());
        labelled(f, "can only read", read_only.map(|area| area.mountpoint.clone()))?;
        let barren = areas.iter().filter(|area| area.is_barren()).map(|area| area.mountpoint.clone());
        labelled(f, "finds empty", barren.chain(masked_files.iter().map(|path| shown(path))))?;
        let opened = devices.iter().filter(|device| device.opened.is_ok());
        labelled(f, "can open", opened.map(|device| shown(&device.path)))?;
        let not_opened = devices.iter().filter_map(|device| Some((&*device.path, device.opened.err()?)));
        refusals(f, "can't open", not_opened)?;
        refusals(f, "can't read", refused.iter().map(|(path, errno)| (&**path, *errno)))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = match &self.groups[..] {
            [] => "no other groups".to_owned(),
            groups => format!("groups {}", groups.join(" ")),
        };
        let who = format!(
            "{}, gid {}, {groups}; pid {} in {}",
            self.user,
            self.gid,
            self.pid.0,
            shown(self.working_directory.as_path())
        );
        Labelled("runs as", vec![who]).fmt(f)?;
        Labelled("capabilities", capabilities(self.capabilities)).fmt(f)?;
        labelled(f, "own namespaces", self.own_namespaces.iter().copied())?;
        labelled(f, "the host's", self.shared_namespaces.iter().copied())
    }
}

/// A line with this label, if there is anything to say.
fn labelled(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    items: impl IntoIterator<Item = impl Into<String>>,
) -> fmt::Result {
    let items = enumerated(items);
    if items.is_empty() { Ok(()) } else { Labelled(label, items).fmt(f) }
}

fn refusals<'a>(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    refused: impl Iterator<Item = (&'a UnixPath, Errno)>,
) -> fmt::Result {
    let mut items: Vec<_> = refused.map(|(path, errno)| format!("{} ({})", shown(path), name(errno))).collect();
    if items.len() > SHOWN_REFUSED {
        let rest = items.len() - SHOWN_REFUSED;
        items.truncate(SHOWN_REFUSED);
        items.push(format!("and {rest} more"));
    }
    labelled(f, label, items)
}

fn name(errno: Errno) -> String {
    errno.name().map_or_else(|| errno.raw().to_string(), str::to_owned)
}

/// The names of capabilities(7), without what all begin with.
fn capabilities(set: Capabilities) -> Vec<String> {
    if set.is_empty() {
        return vec!["none".to_owned()];
    }
    let known = set.iter_names().map(|(name, _)| name.trim_start_matches("CAP_").to_lowercase());
    enumerated(known)
}

/// What of an area can be written.
fn parts(area: &Area) -> String {
    let Area { directories, writable_directories, files, is_unknown, .. } = area;
    if *is_unknown {
        return "its root directory; what is in it was not looked at".to_owned();
    }
    let writable = writable_directories.len();
    let directories = match (writable, *directories) {
        (0, _) => None,
        (1, 1) => Some("1 directory".to_owned()),
        (writable, all) if writable == all => Some(format!("all {all} directories")),
        (writable, _) if writable <= SHOWN_WRITABLE => {
            let paths: Vec<_> = writable_directories.iter().map(|path| shown(path)).collect();
            Some(format!("in {}", paths.join(", ")))
        }
        (writable, all) => Some(format!("{writable} of {all} directories")),
    };
    let files = match (files.writable, files.all) {
        (0, _) => None,
        (1, 1) => Some("1 file".to_owned()),
        (writable, all) if writable == all => Some(format!("all {all} files")),
        (writable, all) => Some(format!("{writable} of {all} files")),
    };
    directories.into_iter().chain(files).collect::<Vec<_>>().join(", ")
}

/// What was tried, and what came of it.
pub(super) struct Attempts<'a>(pub(super) &'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|attempt| {
            let result = match attempt.result {
                Err(errno) => errno.to_string(),
                Ok(Outcome::Done) => "ALLOWED".to_owned(),
                Ok(Outcome::StaysInside) => "stays inside".to_owned(),
                Ok(Outcome::LeadsOutside) => "LEADS OUTSIDE".to_owned(),
            };
            vec![attempt.what.clone(), result]
        });
        Columns(rows.collect()).fmt(f)
    }
}
