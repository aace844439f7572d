//! The agent's configuration as an operator writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use typed_path::UnixPathBuf;

use super::check::absolute_path;
use super::key::{InvalidConfig, Key, Problem};
use super::table::Table;
use super::{AgentConfig, GidRange, SpecialMount};
use crate::kernel::{Bytes, MountFlags, quoted};

/// The agent's configuration file: what is left out keeps its default, and a table replaces the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfigFile {
    /// Directory for sandboxes, persistent volumes and durable state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^/")))]
    pub work_dir: Option<String>,
    /// Directory for state that a reboot forgets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^/")))]
    pub runtime_dir: Option<String>,
    /// Where a container with its own root filesystem sees its sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^/")))]
    pub sandbox_directory: Option<String>,
    /// Names of the agent's other isolators; `namespaces/ipc` is in charge of `/dev/shm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolatorNames>,
    /// Gids for volumes that several users share: the first and the last, such as `10000-20000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[0-9]+-[0-9]+$")))]
    pub volume_gid_range: Option<String>,
    /// The devices of a container with its own root filesystem: names in the host's `/dev`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = r"^[^/]+$"))))]
    pub devices: Option<Vec<String>>,
    /// Paths of a container with its own root filesystem that are hidden from it, unless it is privileged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = r"^/"))))]
    pub masked_paths: Option<Vec<String>>,
    /// Paths of a container with its own root filesystem that it can only read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = r"^/"))))]
    pub readonly_paths: Option<Vec<String>>,
    /// The special mounts of a container with its own root filesystem, in this order.
    #[serde(deserialize_with = "tables", skip_serializing_if = "Option::is_none")]
    pub special_mounts: Option<Vec<SpecialMountEntry>>,
    /// How large the tmpfs at a path of the container may become: bytes, with k, m or g after it, or a percentage of the
    /// memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::schema::tmpfs_sizes"))]
    pub tmpfs_sizes: Option<BTreeMap<String, String>>,
    /// Directories of the host below which a host path that a volume names is made if it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = r"^/"))))]
    pub host_path_creation: Option<Vec<String>>,
}

/// Names of isolators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "it must be names with commas in between, or an array of names")]
pub enum IsolatorNames {
    /// With commas in between, as Mesos has them.
    Text(String),
    /// One by one.
    List(Vec<String>),
}

impl IsolatorNames {
    fn names(self) -> Vec<String> {
        match self {
            Self::List(names) => names,
            Self::Text(text) if text.trim().is_empty() => Vec::new(),
            Self::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        }
    }
}

/// A special filesystem, or with the flag `bind` a part of the container's filesystem that is bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SpecialMountEntry {
    /// Where, as the container sees it.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^/")))]
    pub target: String,
    /// The type of a filesystem; a bind has none.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub filesystem_type: Option<String>,
    /// For a bind, what is bound, as the container sees it: by default the target itself. For a filesystem, the name that
    /// the mount table shows: by default the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Flags, by the names of mount(8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::schema::mount_flag_names"))]
    pub flags: Vec<String>,
    /// The filesystem's options, with commas in between; a bind has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
}

/// The flags of special mounts, as mount(8) names them; `rec` is for the `r` of `rbind`.
pub(crate) const FLAGS: [(&str, MountFlags); 14] = [
    ("ro", MountFlags::MS_RDONLY),
    ("nosuid", MountFlags::MS_NOSUID),
    ("nodev", MountFlags::MS_NODEV),
    ("noexec", MountFlags::MS_NOEXEC),
    ("nosymfollow", MountFlags::MS_NOSYMFOLLOW),
    ("noatime", MountFlags::MS_NOATIME),
    ("nodiratime", MountFlags::MS_NODIRATIME),
    ("relatime", MountFlags::MS_RELATIME),
    ("strictatime", MountFlags::MS_STRICTATIME),
    ("sync", MountFlags::MS_SYNCHRONOUS),
    ("dirsync", MountFlags::MS_DIRSYNC),
    ("lazytime", MountFlags::MS_LAZYTIME),
    ("bind", MountFlags::MS_BIND),
    ("rec", MountFlags::MS_REC),
];

impl AgentConfigFile {
    /// Reads it from a table. (`deserialize` takes an array as well, for the fields in the order of the code.)
    ///
    /// # Errors
    ///
    /// Those of the deserializer, and of a value that has another type, or a name that is none here.
    pub fn from_table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Table::deserialize(deserializer).map(|Table(file)| file)
    }

    /// The configuration: what the file says over these defaults.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by its key.
    pub fn over(self, defaults: AgentConfig) -> Result<AgentConfig, InvalidConfig> {
        let mut config = defaults;
        let mut problems = Vec::new();
        let directories = [
            ("work_dir", self.work_dir, &mut config.layout.work_dir),
            ("runtime_dir", self.runtime_dir, &mut config.layout.runtime_dir),
        ];
        for (name, value, setting) in directories {
            let Some(path) = value.map(UnixPathBuf::from) else { continue };
            problems.extend(absolute_path(&path).err().map(|message| Key::new(name).problem(message)));
            *setting = path;
        }
        if let Some(range) = self.volume_gid_range {
            match range.parse::<GidRange>() {
                Ok(range) => config.volume_gid_range = Some(range),
                Err(error) => problems.push(Key::new("volume_gid_range").problem(error.to_string())),
            }
        }
        if let Some(entries) = self.special_mounts {
            let key = Key::new("special_mounts");
            let mounts = entries.into_iter().enumerate();
            config.special_mounts =
                mounts.map(|(index, entry)| special_mount(&key.index(index), entry, &mut problems)).collect();
        }
        replace(&mut config.sandbox_directory, self.sandbox_directory.map(UnixPathBuf::from));
        replace(&mut config.isolation, self.isolation.map(IsolatorNames::names));
        replace(&mut config.devices, self.devices);
        replace(&mut config.masked_paths, self.masked_paths.map(all_into));
        replace(&mut config.readonly_paths, self.readonly_paths.map(all_into));
        replace(&mut config.host_path_creation, self.host_path_creation.map(all_into));
        let sizes = self.tmpfs_sizes.map(|sizes| sizes.into_iter().map(|(path, size)| (path.into(), size)).collect());
        replace(&mut config.tmpfs_sizes, sizes);
        problems.extend(config.check().err().into_iter().flat_map(|InvalidConfig(problems)| problems));
        if problems.is_empty() { Ok(config) } else { Err(InvalidConfig(problems)) }
    }
}

fn tables<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let tables = Option::<Vec<Table<T>>>::deserialize(deserializer)?;
    Ok(tables.map(|tables| tables.into_iter().map(|Table(table)| table).collect()))
}

fn replace<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

fn all_into<T: From<String>>(values: Vec<String>) -> Vec<T> {
    values.into_iter().map(T::from).collect()
}

fn special_mount(key: &Key, entry: SpecialMountEntry, problems: &mut Vec<Problem>) -> SpecialMount {
    let mut flags = MountFlags::empty();
    for (index, name) in entry.flags.iter().enumerate() {
        match FLAGS.iter().find(|(known, _)| known == name) {
            Some((_, flag)) => flags |= *flag,
            None => problems.push(key.name("flags").index(index).problem(unknown_flag(name))),
        }
    }
    SpecialMount {
        target: entry.target.into(),
        source: entry.source.map(Bytes::from),
        filesystem_type: entry.filesystem_type,
        flags,
        options: entry.options,
    }
}

fn unknown_flag(name: &str) -> String {
    let known = FLAGS.map(|(name, _)| name).join(", ");
    format!("unknown flag {}; known are {known}", quoted(name))
}
