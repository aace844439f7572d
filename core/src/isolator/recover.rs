//! Finding out what is left after an agent was restarted, or has died.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use typed_path::{UnixPath, UnixPathBuf};

use super::mount_index::MountIndex;
use super::records::Profile;
use super::{CleanupError, Isolator, IsolatorError, RecoverError};
use crate::error::CallError;
use crate::kernel::{AtFlags, Errno, Fd, Kernel, Mode};
use crate::messages::{ContainerConfig, ContainerId, ContainerState};
use crate::mountinfo::Table;
use crate::root::create_directories;
use crate::table;

/// What [`Isolator::recover`] has found besides the containers that it was told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Orphans that have mounts: they are known now, and wait for their cleanup.
    pub orphans: Vec<ContainerId>,
    /// Nested containers that nobody knows, and containers that were not prepared to the end: they were cleaned up.
    pub cleaned: Vec<ContainerId>,
    /// Top-level containers that nobody knows. They were left alone: another containerizer may own them.
    pub foreign: Vec<ContainerId>,
}

impl<K: Kernel> Isolator<K> {
    /// Remembers containers that an agent knows from before it was restarted, and looks for what else is mounted in
    /// sandboxes below work_dir: what belongs to one of the `orphans` is remembered and waits for its cleanup, what belongs
    /// to a nested container that is not known is cleaned up at once, and everything else is left alone. Containers that an
    /// agent was preparing when it died are cleaned up, too, unless it says that it knows them.
    ///
    /// A container that the kernel refused to show, to this or to [`resume`](Self::resume), may be there and run: it is left
    /// alone.
    ///
    /// It can be repeated, and be called after a reboot, when nothing is mounted.
    ///
    /// ```
    /// use cofferdam::isolator::Isolator;
    /// use cofferdam::messages::ContainerState;
    /// use cofferdam::user::NumericUsers;
    /// use cofferdam_vfs_sim::sample;
    ///
    /// let sample::Agent { kernel, mut isolator, id, container, volume } = sample::agent();
    /// isolator.prepare(&id, &container)?;
    /// isolator.update(&id, &[volume])?;
    /// // Another process, after the agent has died.
    /// let config = isolator.config().clone();
    /// let mut isolator = Isolator::create(&kernel, config, Box::new(NumericUsers))?;
    /// let state = ContainerState {
    ///     container_id: id.clone(),
    ///     directory: container.directory,
    ///     executor_info: None,
    ///     pid: None,
    ///     other: Default::default(),
    /// };
    /// let recovery = isolator.recover(&[state], &[])?;
    /// assert!(recovery.orphans.is_empty());
    /// assert_eq!(isolator.container(&id).map_or(0, |container| container.volumes().len()), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`RecoverError`]. Everything is tried: what has failed does not keep the rest from being recovered.
    pub fn recover(&mut self, states: &[ContainerState], orphans: &[ContainerId]) -> Result<Recovery, RecoverError> {
        let mut recovery = Recovery::default();
        let mut errors = Vec::new();
        match self.recover_known(states, &mut errors) {
            Ok(strays) => {
                for (id, sandbox) in strays {
                    if let Err(error) = self.recover_stray(&id, sandbox, orphans, &mut recovery) {
                        errors.push(error);
                    }
                }
            }
            Err(error) => errors.push(error.into()),
        }
        if errors.is_empty() {
            return Ok(recovery);
        }
        self.counters.failed("recover");
        Err(RecoverError { recovery, errors })
    }

    /// Remembers those that the agent knows, and looks for others, by one look at the mount table.
    fn recover_known(
        &mut self,
        states: &[ContainerState],
        errors: &mut Vec<CleanupError>,
    ) -> Result<Vec<(ContainerId, Option<UnixPathBuf>)>, IsolatorError> {
        let text = table::read(&self.kernel);
        let parse = |text| Table::parse(text).map_err(IsolatorError::from);
        let table = text.as_deref().map_err(|error| IsolatorError::from(error.clone())).and_then(parse);
        let mounted = table.as_ref().ok().map(MountIndex::new);
        for state in states {
            let recovered = self.recover_container(state, mounted.as_ref());
            self.note_refusal(&state.container_id, &recovered);
            if let Err(error) = recovered {
                errors.push(CleanupError::from(error));
            }
        }
        self.strays(&table?)
    }

    fn recover_container(
        &mut self,
        state: &ContainerState,
        mounted: Option<&MountIndex<'_>>,
    ) -> Result<(), IsolatorError> {
        let id = &state.container_id;
        if self.containers.contains_key(id) {
            return Ok(());
        }
        let recorded = match self.recorded_profile(id) {
            Err(error) if error.is_refusal() => return Err(error),
            recorded => recorded,
        };
        let is_recorded = recorded.is_ok();
        // A record that is missing, as after a reboot, or damaged says nothing that the agent does not.
        let profile = Profile { directory: state.directory.clone(), ..recorded.unwrap_or_default() };
        let executor = state.executor_info.as_ref().map_or(&[][..], |executor| &executor.resources);
        self.remember(id, &profile, executor, mounted)?;
        if !is_recorded {
            let executor_info = state.executor_info.clone();
            self.record_anew(
                id,
                &ContainerConfig { directory: profile.directory, executor_info, ..Default::default() },
            )?;
        }
        let unfinished = self.config.layout.preparing_marker(id);
        match self.kernel.unlinkat(Fd::CWD, &unfinished, AtFlags::empty()) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(CallError::new("remove marker", &unfinished, errno).into()),
        }
    }

    /// Gives a container that was prepared before a reboot a record again.
    fn record_anew(&self, id: &ContainerId, config: &ContainerConfig) -> Result<(), IsolatorError> {
        create_directories(&self.kernel, &self.config.layout.container_runtime(id), Mode(0o755))?;
        self.record_config(id, config)
    }

    /// The containers that are not known, with their sandboxes: those in whose sandbox something is mounted, nested ones that
    /// have a runtime directory, and those that somebody has not finished to prepare. The innermost first.
    fn strays(&self, table: &Table<'_>) -> Result<Vec<(ContainerId, Option<UnixPathBuf>)>, IsolatorError> {
        let layout = &self.config.layout;
        let is_known = |id: &ContainerId| self.containers.contains_key(id) || self.in_doubt.contains(id);
        let mut strays = BTreeMap::new();
        for id in self.recorded_containers()? {
            if !is_known(&id) && (id.parent().is_some() || self.is_unfinished(&id)?) {
                strays.insert(id, None);
            }
        }
        let mut last_known = UnixPathBuf::new();
        for mount in table.at_or_below(&layout.work_dir) {
            let mountpoint = mount.mountpoint();
            // As a rule the mounts of one container stand together.
            if is_own(&last_known, &mountpoint) {
                continue;
            }
            match layout.container_of(&mountpoint) {
                Some((id, sandbox)) if is_known(&id) => last_known = sandbox,
                Some((id, sandbox)) => drop(strays.insert(id, Some(sandbox))),
                None => {}
            }
        }
        let mut strays: Vec<_> = strays.into_iter().collect();
        strays.sort_by_key(|(id, _)| Reverse(id.depth()));
        Ok(strays)
    }

    /// Whether whoever prepared a container has died before it was done.
    fn is_unfinished(&self, id: &ContainerId) -> Result<bool, IsolatorError> {
        let layout = &self.config.layout;
        Ok(self.exists(&layout.preparing_marker(id))?
            || self.exists(&layout.container_runtime(id))? && !self.exists(&layout.container_config(id))?)
    }

    /// Takes back what was done for a container that was not prepared to the end. Gives whether there was anything.
    ///
    /// # Errors
    ///
    /// See [`CleanupError`]. It can be repeated.
    pub fn clean_up_unfinished(&mut self, id: &ContainerId) -> Result<bool, CleanupError> {
        if self.containers.contains_key(id) || !self.is_unfinished(id)? {
            return Ok(false);
        }
        self.take_back(id)?;
        Ok(true)
    }

    /// Detaches all mounts in the sandbox of a container that has a runtime directory and is not known, because its record
    /// can't be used: its sandbox is where the mount table shows one.
    ///
    /// # Errors
    ///
    /// See [`CleanupError`]. It can be repeated.
    pub fn clean_up_unknown(&mut self, id: &ContainerId) -> Result<(), CleanupError> {
        if self.containers.contains_key(id) || self.in_doubt.contains(id) {
            return Ok(());
        }
        let mut family = Vec::new();
        self.add_recorded(id, &mut family)?;
        if !family.contains(id) {
            return Ok(());
        }
        if let Some(child) = family.into_iter().find(|other| other.parent() == Some(id)) {
            return Err(CleanupError::HasChild { id: id.clone(), child });
        }
        self.detach_unknown(id)
    }

    /// Detaches all mounts in the sandboxes of a container that is not known, and frees the gids of what is in them.
    fn detach_unknown(&mut self, id: &ContainerId) -> Result<(), CleanupError> {
        for sandbox in self.sandboxes_of_unknown(id)? {
            let errors = self.detach_in_sandbox(id, &sandbox)?;
            if !errors.is_empty() {
                return Err(CleanupError::MountsLeft { id: id.clone(), errors });
            }
            if id.parent().is_none() {
                self.deallocate_gids(&sandbox)?;
            }
        }
        Ok(())
    }

    /// Detaches all mounts in the sandbox of a container that is not known, and removes its runtime directory.
    fn take_back(&mut self, id: &ContainerId) -> Result<(), CleanupError> {
        self.detach_unknown(id)?;
        self.remove_runtime(id).map_err(|error| CleanupError::Runtime { id: id.clone(), error: Box::new(error) })
    }

    /// Where the sandbox of a container is whose record may be of no use: as the record says, and wherever something is
    /// mounted.
    fn sandboxes_of_unknown(&self, id: &ContainerId) -> Result<BTreeSet<UnixPathBuf>, IsolatorError> {
        let recorded = self.recorded_sandbox(id)?;
        // Of a record that names another directory nothing was mounted.
        let recorded = recorded.filter(|sandbox| self.check_sandbox(id, sandbox).is_ok());
        let mut sandboxes: BTreeSet<_> = recorded.into_iter().collect();
        let text = table::read(&self.kernel)?;
        let table = Table::parse(&text)?;
        for mount in table.at_or_below(&self.config.layout.work_dir) {
            let found = self.config.layout.container_of(&mount.mountpoint());
            sandboxes.extend(found.filter(|(found, _)| found == id).map(|(_, sandbox)| sandbox));
        }
        Ok(sandboxes)
    }

    fn recover_stray(
        &mut self,
        id: &ContainerId,
        sandbox: Option<UnixPathBuf>,
        orphans: &[ContainerId],
        recovery: &mut Recovery,
    ) -> Result<(), CleanupError> {
        if orphans.contains(id) {
            let config = match sandbox {
                Some(sandbox) => ContainerConfig { directory: sandbox.into(), ..ContainerConfig::default() },
                None => self.recorded_config(id)?,
            };
            self.remember(id, &Profile::from(&config), &config.resources, None)?;
            self.record_anew(id, &config)?;
            recovery.orphans.push(id.clone());
        } else if id.parent().is_some() || self.is_unfinished(id)? {
            self.take_back(id)?;
            recovery.cleaned.push(id.clone());
        } else {
            recovery.foreign.push(id.clone());
        }
        Ok(())
    }
}

/// Whether a path is certainly in no sandbox further in than this one.
fn is_own(sandbox: &UnixPath, path: &UnixPath) -> bool {
    let below = path.as_bytes().strip_prefix(sandbox.as_bytes()).filter(|_| !sandbox.as_bytes().is_empty());
    below.is_some_and(|below| below.starts_with(b"/") && !below.starts_with(b"/containers/"))
}
