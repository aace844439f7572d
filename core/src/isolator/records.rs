//! What is kept of a container in its runtime directory, so that another process can go on with it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use typed_path::{UnixPath, UnixPathBuf};

use super::mount_index::MountIndex;
use super::sandbox::open_sandbox;
use super::update::each_once;
use super::{Container, Isolator, IsolatorError};
use crate::checkpoint;
use crate::kernel::{Bytes, Errno, FileType, Kernel, Mode};
use crate::messages::{ContainerClass, ContainerConfig, ContainerId, Resource};
use crate::record;
use crate::root::real_path;
use crate::volumes::PersistentVolume;

/// Configurations may hold secrets of an environment.
const PRIVATE: Mode = Mode(0o600);

/// A container whose record can't be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which container.
    pub id: ContainerId,
    /// Why.
    pub error: IsolatorError,
}

/// What is to be known of how a container is configured, to remember it; the record of a configuration says more.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Profile {
    /// The sandbox.
    pub(super) directory: Bytes,
    #[serde(default)]
    pub(super) rootfs: Option<Bytes>,
    #[serde(default)]
    pub(super) container_class: Option<ContainerClass>,
    #[serde(default)]
    pub(super) standalone: bool,
}

impl From<&ContainerConfig> for Profile {
    fn from(config: &ContainerConfig) -> Self {
        Self {
            directory: config.directory.clone(),
            rootfs: config.rootfs.clone(),
            container_class: config.container_class,
            standalone: config.standalone,
        }
    }
}

impl<K: Kernel> Isolator<K> {
    /// Remembers the containers that other processes with the same directories have prepared. Gives those whose records
    /// can't be used: whoever prepared them has died in the middle, and [`recover`](Self::recover) is due; or the kernel
    /// refused to show them ([`IsolatorError::is_refusal`]), and this is to be repeated.
    ///
    /// Nothing on the host is changed.
    ///
    /// ```
    /// use cofferdam::isolator::Isolator;
    /// use cofferdam::user::NumericUsers;
    /// use cofferdam_vfs_sim::sample;
    ///
    /// let sample::Agent { kernel, mut isolator, id, container, .. } = sample::agent();
    /// isolator.prepare(&id, &container)?;
    /// // Another process, with the same directories.
    /// let config = isolator.config().clone();
    /// let mut isolator = Isolator::create(&kernel, config, Box::new(NumericUsers))?;
    /// assert!(isolator.resume()?.is_empty(), "every record can be used");
    /// assert_eq!(isolator.containers().collect::<Vec<_>>(), [&id]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the runtime directories can't be listed.
    pub fn resume(&mut self) -> Result<Vec<Unreadable>, IsolatorError> {
        let mut unreadable = Vec::new();
        for id in self.recorded_containers()? {
            if let Err(error) = self.resume_container(&id) {
                unreadable.push(Unreadable { id, error });
            }
        }
        Ok(unreadable)
    }

    /// The same for one container alone, and for those around it: all that are nested in the same top-level container.
    ///
    /// # Errors
    ///
    /// If the runtime directories can't be listed.
    pub fn resume_family(&mut self, id: &ContainerId) -> Result<Vec<Unreadable>, IsolatorError> {
        let mut family = Vec::new();
        self.add_recorded(id.top_level(), &mut family)?;
        let mut unreadable = Vec::new();
        for id in family {
            if let Err(error) = self.resume_container(&id) {
                unreadable.push(Unreadable { id, error });
            }
        }
        Ok(unreadable)
    }

    fn resume_container(&mut self, id: &ContainerId) -> Result<(), IsolatorError> {
        if self.containers.contains_key(id) {
            return Ok(());
        }
        let resumed = self.resume_recorded(id);
        self.note_refusal(id, &resumed);
        resumed
    }

    /// Notes whether a container is in doubt, because the kernel refused to show what there is of it.
    pub(super) fn note_refusal(&mut self, id: &ContainerId, looked: &Result<(), IsolatorError>) {
        if looked.as_ref().is_err_and(IsolatorError::is_refusal) {
            self.in_doubt.insert(id.clone());
        } else {
            self.in_doubt.remove(id);
        }
    }

    fn resume_recorded(&mut self, id: &ContainerId) -> Result<(), IsolatorError> {
        let unfinished = self.config.layout.preparing_marker(id);
        if self.exists(&unfinished)? {
            let reason = "whoever prepared the container has died in the middle; recover cleans up after it".into();
            return Err(IsolatorError::Record { path: unfinished.into(), reason });
        }
        let profile = self.recorded_profile(id)?;
        self.remember(id, &profile, &[], None)
    }

    /// Remembers a container with the volumes that are mounted for it. What is mounted is asked of the table, if there is one,
    /// as far as that tells. `resources` is what it may have besides what is recorded.
    pub(super) fn remember(
        &mut self,
        id: &ContainerId,
        profile: &Profile,
        resources: &[Resource],
        mounted: Option<&MountIndex<'_>>,
    ) -> Result<(), IsolatorError> {
        let directory = profile.directory.as_path();
        let mount = match mounted {
            Some(mounted) => mounted.sandbox(&self.kernel, directory)?.map(|id| (mounted, id)),
            None => None,
        };
        let sandbox = match mount {
            Some(_) => directory.to_path_buf(),
            None => match real_path(&self.kernel, directory) {
                // The sandbox may have been removed already.
                Err(error) if error.errno == Errno::ENOENT => directory.to_path_buf(),
                path => path?,
            },
        };
        self.check_sandbox(id, &sandbox)?;
        let volumes = if id.parent().is_some() {
            Vec::new()
        } else {
            let candidates = self.possible_volumes(id, resources)?;
            self.mounted_volumes(id, candidates, &sandbox, mount)?
        };
        self.containers.insert(id.clone(), Container::new(sandbox, profile, volumes));
        Ok(())
    }

    /// The persistent volumes that may be mounted for a container: what is recorded of them, which is written before they are
    /// mounted; without that, what it is configured with.
    fn possible_volumes(
        &self,
        id: &ContainerId,
        resources: &[Resource],
    ) -> Result<Vec<PersistentVolume>, IsolatorError> {
        let (recorded, configured) = match self.recorded_volumes(id)? {
            Some(recorded) => (recorded, Vec::new()),
            None => match self.recorded_config(id) {
                Err(error) if error.is_refusal() => return Err(error),
                config => (Vec::new(), config.map_or_else(|_| Vec::new(), |config| config.resources)),
            },
        };
        // One that is none could not have been mounted.
        let of = |resource| PersistentVolume::from_resource(resource, &self.config.layout).ok().flatten();
        let others = configured.iter().chain(resources).filter_map(of);
        Ok(each_once(recorded.into_iter().chain(others).collect()))
    }

    /// Those of some volumes that are mounted in the sandbox.
    fn mounted_volumes(
        &self,
        id: &ContainerId,
        mut volumes: Vec<PersistentVolume>,
        sandbox: &UnixPath,
        mount: Option<(&MountIndex<'_>, u32)>,
    ) -> Result<Vec<PersistentVolume>, IsolatorError> {
        let told = volumes.iter().map(|volume| match mount {
            Some((mounted, mount)) => mounted.holds(&self.kernel, (mount, sandbox), volume),
            None => Ok(None),
        });
        let mut told = told.collect::<Result<Vec<_>, _>>()?;
        if told.contains(&None) {
            let sandbox = match open_sandbox(&self.kernel, id, sandbox) {
                Err(error) if error.errno == Errno::ENOENT => return Ok(Vec::new()),
                sandbox => sandbox?,
            };
            for (volume, told) in volumes.iter().zip(&mut told).filter(|(_, told)| told.is_none()) {
                *told = Some(self.is_mounted(&sandbox, volume)?);
            }
        }
        let mut told = told.into_iter();
        volumes.retain(|_| told.next() == Some(Some(true)));
        Ok(volumes)
    }

    /// That a directory, by its real path, is where the sandbox of a container belongs: whatever is mounted there is
    /// unmounted with the container, and whatever lies there is removed with it.
    pub(super) fn check_sandbox(&self, id: &ContainerId, directory: &UnixPath) -> Result<(), IsolatorError> {
        let layout = &self.config.layout;
        match layout.container_of(directory) {
            Some((found, sandbox)) if found == *id && sandbox.as_path() == directory => Ok(()),
            _ => Err(IsolatorError::SandboxElsewhere {
                id: id.clone(),
                directory: directory.into(),
                work_dir: layout.work_dir.as_path().into(),
            }),
        }
    }

    /// Writes down how a container is configured.
    pub(super) fn record_config(&self, id: &ContainerId, config: &ContainerConfig) -> Result<(), IsolatorError> {
        self.record(&self.config.layout.container_config(id), config)
    }

    /// How a container was configured, by its record.
    ///
    /// # Errors
    ///
    /// If there is none, or it is damaged.
    pub fn recorded_config(&self, id: &ContainerId) -> Result<ContainerConfig, IsolatorError> {
        self.recorded(&self.config.layout.container_config(id))
    }

    /// The same, as far as it is needed to remember the container.
    pub(super) fn recorded_profile(&self, id: &ContainerId) -> Result<Profile, IsolatorError> {
        self.recorded(&self.config.layout.container_config(id))
    }

    /// Where a container's sandbox is by its record; `None` if there is none, or it is damaged.
    ///
    /// # Errors
    ///
    /// If it can't be told, as with [`IsolatorError::is_refusal`].
    pub fn recorded_sandbox(&self, id: &ContainerId) -> Result<Option<UnixPathBuf>, IsolatorError> {
        match self.recorded_profile(id) {
            Ok(profile) => Ok(Some(profile.directory.as_path().to_path_buf())),
            Err(error) if error.is_refusal() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Writes down the volumes that are mounted for a container, or about to be.
    pub(super) fn record_volumes<'v>(
        &self,
        id: &ContainerId,
        volumes: impl IntoIterator<Item = &'v PersistentVolume>,
    ) -> Result<(), IsolatorError> {
        let volumes: Vec<_> = volumes.into_iter().collect();
        self.record(&self.config.layout.container_volumes(id), &volumes)
    }

    /// What was written down last of the volumes, if anything was.
    pub(super) fn recorded_volumes(&self, id: &ContainerId) -> Result<Option<Vec<PersistentVolume>>, IsolatorError> {
        match self.recorded(&self.config.layout.container_volumes(id)) {
            Err(IsolatorError::Call(error)) if error.errno == Errno::ENOENT => Ok(None),
            volumes => volumes.map(Some),
        }
    }

    /// Writes something down that only we may read.
    pub(super) fn record<T: Serialize>(&self, path: &UnixPath, value: &T) -> Result<(), IsolatorError> {
        Ok(record::write(&self.kernel, &self.config.layout, path, value, PRIVATE)?)
    }

    pub(super) fn recorded<T: DeserializeOwned>(&self, path: &UnixPath) -> Result<T, IsolatorError> {
        Ok(record::read(&self.kernel, &self.config.layout, path)?)
    }

    /// The containers that have a runtime directory, each before those that are nested in it.
    ///
    /// # Errors
    ///
    /// If the runtime directories can't be listed.
    pub fn recorded_containers(&self) -> Result<Vec<ContainerId>, IsolatorError> {
        let mut found = Vec::new();
        for name in self.directories(&self.config.layout.containers_runtime())? {
            if let Ok(id) = ContainerId::new(name) {
                self.add_with_nested(id, &mut found)?;
            }
        }
        Ok(found)
    }

    /// A container that has a runtime directory, and those that are nested in it.
    pub(super) fn add_recorded(&self, id: &ContainerId, found: &mut Vec<ContainerId>) -> Result<(), IsolatorError> {
        if self.exists(&self.config.layout.container_runtime(id))? {
            self.add_with_nested(id.clone(), found)?;
        }
        Ok(())
    }

    fn add_with_nested(&self, id: ContainerId, found: &mut Vec<ContainerId>) -> Result<(), IsolatorError> {
        let mut next = found.len();
        found.push(id);
        while let Some(parent) = found.get(next).cloned() {
            next += 1;
            for name in self.directories(&self.config.layout.container_runtime(&parent).join("containers"))? {
                found.extend(parent.child(name));
            }
        }
        Ok(())
    }

    /// Whether a trusted path leads to something.
    pub(super) fn exists(&self, path: &UnixPath) -> Result<bool, IsolatorError> {
        use crate::error::Doing as _;
        use crate::kernel::{AtFlags, Fd};
        match self.kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
            Err(errno) => Ok(Err(errno).doing("look at", path)?),
        }
    }

    /// The names of the directories in a directory, which need not exist; sorted.
    fn directories(&self, path: &UnixPath) -> Result<Vec<String>, IsolatorError> {
        let entries = match checkpoint::list(&self.kernel, path) {
            Err(error) if error.errno == Errno::ENOENT => return Ok(Vec::new()),
            entries => entries?,
        };
        let directories = entries.into_iter().filter(|entry| entry.file_type == Some(FileType::Directory));
        let mut names: Vec<_> = directories.filter_map(|entry| String::from_utf8(entry.name.0).ok()).collect();
        names.sort();
        Ok(names)
    }
}
