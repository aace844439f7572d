//! The settings of an overlay, as they are shown (`struct ovl_config`, `ovl_show_options()`).

use serde::{Deserialize, Serialize};

use super::parameters::Setting;
use crate::filesystem::Name;

/// Whether redirects are followed (`OVL_REDIRECT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Redirect {
    Follow,
    NoFollow,
    On,
}

/// How layers are told apart (`OVL_UUID_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Uuid {
    Off,
    Null,
    Auto,
    On,
}

/// Whether numbers of inodes tell the layer's filesystem (`OVL_XINO_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Xino {
    Off,
    Auto,
    On,
}

/// What is written to the disk at once (`OVL_FSYNC_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fsync {
    Volatile,
    Auto,
    Strict,
}

/// The settings of an overlay (`struct ovl_config`).
#[allow(clippy::struct_excessive_bools, reason = "as many yes-or-no settings as there are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub(super) upper: Option<Name>,
    pub(super) work: Option<Name>,
    /// The lower layers, as they were given: at once, or one by one.
    pub(super) all_lower: Option<Name>,
    pub(super) lower: Vec<Name>,
    pub(super) default_permissions: bool,
    pub(super) redirect: Redirect,
    pub(super) uuid: Uuid,
    pub(super) xino: Xino,
    pub(super) fsync: Fsync,
    /// `userxattr`
    pub(super) uses_user_marks: bool,
    /// `index`, `nfs_export`, `metacopy`, `verity`, which are not simulated.
    pub(super) index: bool,
    pub(super) export: bool,
    pub(super) metacopy: bool,
    pub(super) verity: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upper: None,
            work: None,
            all_lower: None,
            lower: Vec::new(),
            default_permissions: false,
            redirect: Redirect::Follow,
            uuid: Uuid::Auto,
            xino: Xino::Off,
            fsync: Fsync::Auto,
            uses_user_marks: false,
            index: false,
            export: false,
            metacopy: false,
            verity: false,
        }
    }
}

impl Config {
    /// Whether notes of where a file came from name its filesystem (`ovl_origin_uuid()`).
    pub(super) fn notes_filesystem(&self) -> bool {
        self.uuid != Uuid::Off
    }

    /// Whether the overlay has an identity (`ovl_has_fsid()`).
    pub(super) fn has_identity(&self) -> bool {
        matches!(self.uuid, Uuid::On | Uuid::Auto)
    }

    /// Whether layers may be changed while the overlay is not mounted (`ovl_allow_offline_changes()`).
    pub(super) fn allows_changes_offline(&self) -> bool {
        self.redirect != Redirect::On && self.xino != Xino::On
    }

    pub(super) fn show(&self, has_one_filesystem: bool, text: &mut Vec<u8>) {
        let mut name = |key: &str, value: &Name| {
            text.extend_from_slice(format!(",{key}=").as_bytes());
            push_escaped(value.as_bytes(), text);
        };
        match &self.all_lower {
            Some(all) => name("lowerdir", all),
            None => self.lower.iter().for_each(|lower| name("lowerdir+", lower)),
        }
        if let (Some(upper), Some(work)) = (&self.upper, &self.work) {
            name("upperdir", upper);
            name("workdir", work);
        }
        let mut option = |option: &str| text.extend_from_slice(option.as_bytes());
        if self.default_permissions {
            option(",default_permissions");
        }
        match self.redirect {
            Redirect::Follow => {}
            Redirect::NoFollow => option(",redirect_dir=nofollow"),
            Redirect::On => option(",redirect_dir=on"),
        }
        match self.uuid {
            Uuid::Auto => {}
            Uuid::Off => option(",uuid=off"),
            Uuid::Null => option(",uuid=null"),
            Uuid::On => option(",uuid=on"),
        }
        match self.xino {
            Xino::Auto if !has_one_filesystem => option(",xino=auto"),
            Xino::On if !has_one_filesystem => option(",xino=on"),
            _ => {}
        }
        match self.fsync {
            Fsync::Auto => {}
            Fsync::Volatile => option(",fsync=volatile"),
            Fsync::Strict => option(",fsync=strict"),
        }
        if self.uses_user_marks {
            option(",userxattr");
        }
    }

    /// Takes a setting over whose value is one of a few words.
    pub(super) fn set(&mut self, setting: Setting, index: usize) {
        let at = |values: &[bool]| values.get(index).copied().unwrap_or_default();
        match setting {
            // Off is the same as what redirect_always_follow makes of it.
            Setting::Redirect => {
                self.redirect = match index {
                    0 | 1 => Redirect::Follow,
                    2 => Redirect::NoFollow,
                    _ => Redirect::On,
                }
            }
            Setting::Index => self.index = at(&[true, false]),
            Setting::Export => self.export = at(&[true, false]),
            Setting::Metacopy => self.metacopy = at(&[true, false]),
            Setting::Uuid => {
                self.uuid = match index {
                    0 => Uuid::Off,
                    1 => Uuid::Null,
                    2 => Uuid::Auto,
                    _ => Uuid::On,
                }
            }
            Setting::Xino => {
                self.xino = match index {
                    0 => Xino::Off,
                    1 => Xino::Auto,
                    _ => Xino::On,
                }
            }
            Setting::Verity => self.verity = index != 0,
            Setting::Fsync => {
                self.fsync = match index {
                    0 => Fsync::Volatile,
                    1 => Fsync::Auto,
                    _ => Fsync::Strict,
                }
            }
        }
    }
}

/// What would end an option is written as its octal number (`seq_show_option()`).
fn push_escaped(value: &[u8], text: &mut Vec<u8>) {
    for byte in value {
        if b", \t\n\\".contains(byte) {
            text.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        } else {
            text.push(*byte);
        }
    }
}
