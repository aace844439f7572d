//! Which volume has which gid: the durable record, as JSON with the names of Mesos' `VolumeGidInfos`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use typed_path::{Component as _, UnixPath, UnixPathBuf};

use super::GidError;
use crate::kernel::Bytes;
use crate::messages::OtherFields;

/// What kind of volume has a gid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VolumeKind {
    /// A persistent volume. Whoever removes it frees its gid.
    Persistent,
    /// A path in the sandbox of a container that others are nested in. It may outlive its gid, and is given back then.
    SandboxPath,
}

/// All volumes that have a gid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    infos: Vec<VolumeGid>,
    #[serde(flatten)]
    other: OtherFields,
}

/// The gid of one volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VolumeGid {
    /// The kind of volume.
    #[serde(rename = "type")]
    pub(super) kind: VolumeKind,
    /// Its path, as [`clean`] gives it.
    pub(super) path: Bytes,
    /// Its gid.
    pub(super) gid: u32,
    /// Whether some of the tree may not have that group yet, or any more. (Mesos does not know this field, and forgets it.)
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unfinished: bool,
    #[serde(flatten)]
    other: OtherFields,
}

impl Record {
    /// Whether it makes sense.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut paths = BTreeSet::new();
        for VolumeGid { path, gid, .. } in &self.infos {
            if *gid == 0 || *gid == u32::MAX {
                return Err(format!("volume {path} has the gid {gid}, which no volume can have"));
            }
            match clean(path.as_path()) {
                Ok(clean) if clean.as_bytes() == path.0 => {}
                Ok(_) => return Err(format!("the path {path} is not written in the shortest way")),
                Err(error) => return Err(error.to_string()),
            }
            if !paths.insert(path) {
                return Err(format!("volume {path} is in it twice"));
            }
        }
        Ok(())
    }

    /// All volumes.
    pub(super) fn volumes(&self) -> impl Iterator<Item = &VolumeGid> {
        self.infos.iter()
    }

    /// The volume with this path.
    pub(super) fn get(&self, path: &UnixPath) -> Option<&VolumeGid> {
        self.infos.iter().find(|volume| volume.path.0 == path.as_bytes())
    }

    /// Adds a volume whose tree does not have its group yet.
    pub(super) fn add(&mut self, path: &UnixPath, kind: VolumeKind, gid: u32) {
        let other = OtherFields::new();
        self.infos.push(VolumeGid { kind, path: path.into(), gid, unfinished: true, other });
    }

    /// Says whether the tree of a volume is finished; whether that is new.
    pub(super) fn set_unfinished(&mut self, path: &UnixPath, unfinished: bool) -> bool {
        let found = self.infos.iter_mut().find(|volume| volume.path.0 == path.as_bytes());
        found.is_some_and(|volume| std::mem::replace(&mut volume.unfinished, unfinished) != unfinished)
    }

    /// Forgets a volume.
    pub(super) fn remove(&mut self, path: &UnixPath) {
        self.infos.retain(|volume| volume.path.0 != path.as_bytes());
    }
}

/// The path of a volume in the one way in which it is recorded: absolute, without `.`, `..`, and slashes that mean nothing.
///
/// # Errors
///
/// If it is relative, contains `..`, or is the root directory.
pub(super) fn clean(path: &UnixPath) -> Result<UnixPathBuf, GidError> {
    let invalid = |reason| Err(GidError::InvalidPath { path: path.into(), reason });
    if !path.is_absolute() {
        return invalid("it is not absolute");
    }
    let mut clean = UnixPathBuf::new();
    for component in path.components() {
        if component.is_parent() {
            return invalid("it contains \"..\"");
        }
        clean.push(component.as_bytes());
    }
    if clean.file_name().is_none() {
        return invalid("it is the root directory");
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn parse(content: &[u8]) -> Result<Record, String> {
        let record: Record = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        record.check().map(|()| record)
    }

    #[test]
    fn the_json_has_the_names_of_mesos() {
        let json = json!({
            "infos": [
                { "type": "PERSISTENT", "path": "/w/volumes/roles/role/db", "gid": 10000, "label": "kept" },
                { "type": "SANDBOX_PATH", "path": "/w/s/shared", "gid": 10001, "unfinished": true },
            ],
            "version": 2,
        });
        let record = parse(json.to_string().as_bytes()).unwrap();
        let volume = record.get(UnixPath::new("/w/s/shared")).unwrap();
        assert_eq!((volume.kind, volume.gid, volume.unfinished), (VolumeKind::SandboxPath, 10001, true));
        assert_eq!(serde_json::to_value(&record).unwrap(), json);
    }

    #[test]
    fn paths_that_are_not_utf8_survive() {
        let mut record = Record::default();
        record.add(UnixPath::new(b"/\xff"), VolumeKind::Persistent, 7);
        assert_eq!(parse(&serde_json::to_vec(&record).unwrap()), Ok(record));
    }

    fn one(path: &str, gid: u32) -> String {
        json!({ "infos": [{ "type": "PERSISTENT", "path": path, "gid": gid }] }).to_string()
    }

    #[rstest]
    #[case("", "EOF")]
    #[case("{}", "missing field `infos`")]
    #[case("{\"infos\":[{\"type\":\"PERSIST", "EOF")]
    #[case("\0\0\0\0", "expected value")]
    #[case("{\"infos\":[{\"type\":\"UNKNOWN\",\"path\":\"/a\",\"gid\":7}]}", "unknown variant `UNKNOWN`")]
    #[case("{\"infos\":[{\"type\":\"PERSISTENT\",\"path\":\"/a\",\"gid\":-7}]}", "invalid value")]
    #[case("{\"infos\":[{\"type\":\"PERSISTENT\",\"path\":\"/a\"}]}", "missing field `gid`")]
    #[case(&one("/a", 0), "which no volume can have")]
    #[case(&one("/a", u32::MAX), "which no volume can have")]
    #[case(&one("a", 7), "not absolute")]
    #[case(&one("/a/../b", 7), "\\\"..\\\"")]
    #[case(&one("/a//b", 7), "shortest way")]
    #[case(&one("/", 7), "root directory")]
    fn what_is_damaged_is_told(#[case] content: &str, #[case] expected: &str) {
        let error = parse(content.as_bytes()).unwrap_err();
        assert!(error.contains(&expected.replace('\\', "")), "{error}");
    }

    #[test]
    fn a_volume_that_is_in_it_twice_is_damage() {
        let mut record = Record::default();
        record.add(UnixPath::new("/a"), VolumeKind::Persistent, 7);
        record.add(UnixPath::new("/a"), VolumeKind::Persistent, 8);
        let error = parse(&serde_json::to_vec(&record).unwrap()).unwrap_err();
        assert!(error.contains("\"/a\" is in it twice"), "{error}");
    }

    #[rstest]
    #[case("/a/b", "/a/b")]
    #[case("//a/./b//", "/a/b")]
    fn paths_are_written_in_one_way(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(clean(UnixPath::new(path)).unwrap().as_bytes(), expected.as_bytes());
    }
}
