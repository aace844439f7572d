//! The parameters of a mount of an overlay (`fs/overlayfs/params.c`).

use std::sync::Arc;

use cofferdam::kernel::Fd;
use serde::{Deserialize, Serialize};

use super::Config;
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::parameters::{ParameterValue, Refusal, values};
use crate::filesystem::{FilesystemType, FsContext, Name, Parameters, Purpose};
use crate::linux::Linux;
use crate::mount::Path;
use crate::namespace::UserNamespace;
use crate::process::{Credentials, Task};
use crate::walk::LookupFlags;

/// How many lower layers there can be (`OVL_MAX_STACK`).
const MAX_LAYERS: usize = 500;

/// What a mount of an overlay is asked for (`struct ovl_fs_context`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayParameters {
    pub(super) config: Config,
    pub(super) upper: Option<Path>,
    pub(super) work: Option<Path>,
    pub(super) lower: Vec<(Path, Name)>,
    /// How many of the lower ones are for data only.
    pub(super) data_only: usize,
    /// The settings that were given, not left as they are.
    pub(super) given: Vec<Setting>,
    /// Who does what is done to the layers, if it is not who mounts.
    pub(super) creator: Option<Arc<Credentials>>,
}

/// A setting that is one of a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Setting {
    Redirect,
    Index,
    Uuid,
    Export,
    Xino,
    Metacopy,
    Verity,
    Fsync,
}

/// What a directory is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Upper,
    Work,
    /// One of several in one text.
    Lower,
    OneLower,
    OneData,
}

/// The settings with their words (`ovl_parameter_spec`).
const SETTINGS: [(&str, Setting, &[&str]); 8] = [
    ("redirect_dir", Setting::Redirect, &["off", "follow", "nofollow", "on"]),
    ("index", Setting::Index, &["on", "off"]),
    ("uuid", Setting::Uuid, &["off", "null", "auto", "on"]),
    ("nfs_export", Setting::Export, &["on", "off"]),
    ("xino", Setting::Xino, &["off", "auto", "on"]),
    ("metacopy", Setting::Metacopy, &["on", "off"]),
    ("verity", Setting::Verity, &["off", "on", "require"]),
    ("fsync", Setting::Fsync, &["volatile", "auto", "strict"]),
];

const NO_SUCH_WORD: Failure =
    fail!(EINVAL, "fs_param_is_enum()", "the value of the parameter is none of the words that it can be");

impl OverlayParameters {
    pub(in crate::filesystem) fn show(&self, text: &mut Vec<u8>) {
        self.config.show(true, text);
    }

    pub(super) fn was_given(&self, setting: Setting) -> bool {
        self.given.contains(&setting)
    }

    /// The user namespace that a context keeps for whose name is used.
    pub(in crate::filesystem) fn user_namespace(&self) -> Option<Id<UserNamespace>> {
        self.creator.as_ref().map(|creator| creator.user_namespace)
    }

    /// The places that a context keeps.
    pub(crate) fn places(&self) -> impl Iterator<Item = Path> {
        [self.upper, self.work].into_iter().flatten().chain(self.lower.iter().map(|(path, _)| *path))
    }
}

impl Linux {
    /// Lets go of what parameters keep.
    pub(crate) fn drop_parameters(&mut self, parameters: &Parameters) {
        let Parameters::Overlay(parameters) = parameters else { return };
        for place in parameters.places() {
            self.path_put(place);
        }
        if let Some(creator) = &parameters.creator {
            self.user_namespace_put(creator.user_namespace);
        }
    }

    /// `ovl_parse_param()`
    pub(in crate::filesystem) fn parse_overlay(
        &mut self,
        task: Id<Task>,
        context: &FsContext,
        parameters: &mut OverlayParameters,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        if context.purpose == Purpose::Reconfigure {
            // Only mount(2) has no messages.
            return match context.messages {
                None => Ok(()),
                Some(_) => Err(Refusal::Invalid(
                    fail!(EINVAL, "ovl_parse_param()", "the parameters of an overlay can't be changed by fsconfig(2)"),
                    "No changes allowed in reconfigure".into(),
                )),
            };
        }
        if let Some((_, setting, words)) = SETTINGS.iter().find(|(name, ..)| name.as_bytes() == key) {
            let bad = || values::bad_value(key, NO_SUCH_WORD);
            let ParameterValue::String(text) = value else { return Err(bad()) };
            let index = words.iter().position(|word| word.as_bytes() == text).ok_or_else(bad)?;
            parameters.config.set(*setting, index);
            parameters.given.push(*setting);
            return Ok(());
        }
        match key {
            b"lowerdir" => {
                let ParameterValue::String(text) = value else {
                    return Err(values::bad_value(key, values::NO_TEXT));
                };
                self.parse_lower_layers(task, parameters, text)
            }
            b"lowerdir+" => self.parse_layer(task, parameters, key, value, Role::OneLower),
            b"datadir+" => self.parse_layer(task, parameters, key, value, Role::OneData),
            b"upperdir" => self.parse_layer(task, parameters, key, value, Role::Upper),
            b"workdir" => self.parse_layer(task, parameters, key, value, Role::Work),
            b"default_permissions" => values::flag(key, value).map(|()| parameters.config.default_permissions = true),
            b"userxattr" => values::flag(key, value).map(|()| parameters.config.uses_user_marks = true),
            b"volatile" => values::flag(key, value).map(|()| parameters.config.set(Setting::Fsync, 0)),
            b"override_creds" | b"nooverride_creds" => {
                values::flag(key, value)?;
                self.parse_creator(task, context, parameters, key == b"override_creds")
            }
            _ => Err(Refusal::Unknown),
        }
    }

    /// Whether whoever gives this parameter is who does what is done to the layers.
    fn parse_creator(
        &mut self,
        task: Id<Task>,
        context: &FsContext,
        parameters: &mut OverlayParameters,
        is_set: bool,
    ) -> Result<(), Refusal> {
        let credentials = self.tasks[task].credentials.clone();
        let is_own = self.is_in_user_namespace(credentials.user_namespace, context.user_namespace);
        if is_set && !is_own {
            return Err(Refusal::Silent(fail!(
                EINVAL,
                "ovl_parse_param()",
                "override_creds is given by a process that is not in the user namespace of the filesystem context"
            )));
        }
        if is_set {
            self.user_namespaces[credentials.user_namespace].references += 1;
        }
        let old = std::mem::replace(&mut parameters.creator, is_set.then_some(credentials));
        if let Some(old) = old {
            self.user_namespace_put(old.user_namespace);
        }
        Ok(())
    }

    /// The lower layers in one text, with colons between them (`ovl_parse_param_lowerdir()`).
    fn parse_lower_layers(
        &mut self,
        task: Id<Task>,
        parameters: &mut OverlayParameters,
        text: &[u8],
    ) -> Result<(), Refusal> {
        for (path, _) in std::mem::take(&mut parameters.lower) {
            self.path_put(path);
        }
        parameters.data_only = 0;
        parameters.config.all_lower = None;
        if text.is_empty() {
            return Ok(());
        }
        if text.first() == Some(&b':') {
            return Err(Refusal::Silent(fail!(EINVAL, "ovl_parse_param_lowerdir()", "lowerdir starts with a colon")));
        }
        parameters.config.all_lower = Some(Name::from(text));
        let layers = split_lower_layers(text).map_err(Refusal::Silent)?;
        if layers.len() > MAX_LAYERS {
            return Err(Refusal::Silent(fail!(
                EINVAL,
                "ovl_parse_param_lowerdir()",
                "lowerdir has more than 500 layers"
            )));
        }
        for (name, is_data) in layers {
            if !is_data && parameters.data_only > 0 {
                return Err(Refusal::Silent(fail!(
                    EINVAL,
                    "ovl_parse_param_lowerdir()",
                    "in lowerdir, a layer behind one colon follows one for data only, behind two"
                )));
            }
            let path = self.layer_at(task, &name, Role::Lower)?;
            self.add_layer(parameters, path, Name::from(name.as_slice()), Role::Lower)?;
            parameters.data_only += usize::from(is_data);
        }
        Ok(())
    }

    /// A layer by its path or descriptor (`ovl_parse_layer()`).
    fn parse_layer(
        &mut self,
        task: Id<Task>,
        parameters: &mut OverlayParameters,
        key: &[u8],
        value: ParameterValue<'_>,
        role: Role,
    ) -> Result<(), Refusal> {
        let (path, name) = match value {
            ParameterValue::File(fd) => {
                let file = self.file(task, fd).map_err(Refusal::Silent)?;
                let path = self.files[file].path;
                let root = self.fs_states[self.tasks[task].fs].root;
                let text = self.path_text(path, root);
                let deleted: &[u8] = if text.is_deleted { b" (deleted)" } else { b"" };
                (path, Name::from([text.bytes.as_slice(), deleted].concat().as_slice()))
            }
            value => {
                let text = values::string(key, value)?;
                (self.layer_at(task, text, role)?, Name::from(text))
            }
        };
        self.add_layer(parameters, path, name, role)
    }

    /// The place that a text says a layer is at (`ovl_kern_path()`).
    fn layer_at(&mut self, task: Id<Task>, text: &[u8], role: Role) -> Result<Path, Refusal> {
        let text = if matches!(role, Role::OneLower | Role::OneData) { text.to_vec() } else { unescape(text) };
        if text.is_empty() {
            return Err(Refusal::Silent(fail!(EINVAL, "ovl_mount_dir_noesc()", "the path of a layer is empty")));
        }
        self.lookup(task, Fd::CWD, &text, LookupFlags::FOLLOW).map_err(Refusal::Silent)
    }

    /// Takes a layer, if it can be one (`ovl_mount_dir_check()`, `ovl_add_layer()`).
    fn add_layer(
        &mut self,
        parameters: &mut OverlayParameters,
        path: Path,
        name: Name,
        role: Role,
    ) -> Result<(), Refusal> {
        let shown = String::from_utf8_lossy(name.as_bytes()).into_owned();
        if !self.is_directory(path.dentry) {
            let failure =
                fail!(EINVAL, "ovl_mount_dir_check()", "what is given as a layer, or as workdir, is no directory");
            return Err(Refusal::Invalid(failure, format!("{shown} is not a directory")));
        }
        if self.is_sysctl(path.dentry) {
            let failure = fail!(EINVAL, "ovl_mount_dir_check()", "a layer, or workdir, is a directory of /proc/sys");
            return Err(Refusal::Invalid(failure, format!("filesystem on {shown} not supported")));
        }
        if matches!(role, Role::Upper | Role::Work) {
            let superblock = self.dentries[path.dentry].superblock;
            if self.superblocks[superblock].filesystem == FilesystemType::Overlay {
                let failure = fail!(EINVAL, "ovl_mount_dir_check()", "upperdir, or workdir, is in an overlay itself");
                return Err(Refusal::Invalid(failure, format!("filesystem on {shown} not supported as upperdir")));
            }
            if self.is_readonly(path.mount) {
                let failure = fail!(
                    EINVAL,
                    "ovl_mount_dir_check()",
                    "the mount or the filesystem of upperdir, or workdir, is read-only"
                );
                return Err(Refusal::Invalid(failure, format!("filesystem on {shown} is read-only")));
            }
            self.path_get(path);
            let (place, text) = match role {
                Role::Upper => (&mut parameters.upper, &mut parameters.config.upper),
                _ => (&mut parameters.work, &mut parameters.config.work),
            };
            *text = Some(name);
            if let Some(old) = place.replace(path) {
                self.path_put(old);
            }
            return Ok(());
        }
        if parameters.config.all_lower.is_some() && role != Role::Lower {
            return Err(Refusal::Invalid(
                fail!(EINVAL, "ovl_mount_dir_check()", "lowerdir+ or datadir+ is given after lowerdir"),
                "lowerdir+ and datadir+ cannot follow lowerdir".into(),
            ));
        }
        if parameters.data_only > 0 && role == Role::OneLower {
            return Err(Refusal::Invalid(
                fail!(
                    EINVAL,
                    "ovl_mount_dir_check()",
                    "a layer of lowerdir+ is given after one for data only (datadir+)"
                ),
                "regular lower layers cannot follow data layers".into(),
            ));
        }
        if parameters.lower.len() == MAX_LAYERS {
            return Err(Refusal::Invalid(
                fail!(EINVAL, "ovl_mount_dir_check()", "more than 500 lower layers are given"),
                format!("too many lower directories, limit is {MAX_LAYERS}"),
            ));
        }
        self.path_get(path);
        parameters.lower.push((path, name));
        parameters.data_only += usize::from(role == Role::OneData);
        Ok(())
    }
}

/// The parts of *data* of mount(2): a comma behind a backslash does not end one (`ovl_next_opt()`).
pub(in crate::filesystem) fn split(data: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = data.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b',' {
            parts.push(Vec::new());
            continue;
        }
        let Some(part) = parts.last_mut() else { return parts };
        part.push(*byte);
        if *byte == b'\\' {
            part.extend(bytes.next());
        }
    }
    parts
}

/// The layers in a text, with whether two colons make one for data only (`ovl_parse_param_split_lowerdirs()`).
fn split_lower_layers(text: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, Failure> {
    let mut layers = vec![(Vec::new(), false)];
    let mut colons = 0;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b':' {
            colons += 1;
            if colons > 2 {
                return Err(fail!(
                    EINVAL,
                    "ovl_parse_param_split_lowerdirs()",
                    "lowerdir has more than two colons after each other"
                ));
            }
            continue;
        }
        if colons > 0 {
            layers.push((Vec::new(), colons == 2));
            colons = 0;
        }
        if let Some((layer, _)) = layers.last_mut() {
            layer.push(*byte);
            if *byte == b'\\' {
                layer.extend(bytes.next());
            }
        }
    }
    if colons > 0 {
        return Err(fail!(EINVAL, "ovl_parse_param_split_lowerdirs()", "lowerdir ends with a colon"));
    }
    Ok(layers)
}

/// What a backslash stands before is meant as it is (`ovl_unescape()`).
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            byte => plain.push(*byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a:b", &[("a", false), ("b", false)])]
    #[case("a::b", &[("a", false), ("b", true)])]
    #[case(r"a\:b:c", &[(r"a\:b", false), ("c", false)])]
    #[case("a:::b", &[])]
    #[case("a:", &[])]
    fn colons_end_a_layer(#[case] text: &str, #[case] expected: &[(&str, bool)]) {
        let layers = split_lower_layers(text.as_bytes()).unwrap_or_default();
        let expected: Vec<_> = expected.iter().map(|(name, data)| (name.as_bytes().to_vec(), *data)).collect();
        assert_eq!(layers, expected);
    }

    #[test]
    fn a_comma_behind_a_backslash_is_part_of_a_name() {
        let parts = split(br"lowerdir=a\,b:c,index=off");
        assert_eq!(parts, [br"lowerdir=a\,b:c".to_vec(), b"index=off".to_vec()]);
        assert_eq!(unescape(br"a\,b\\"), br"a,b\");
    }
}
