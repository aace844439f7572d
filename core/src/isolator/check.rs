//! What [`Isolator::create`](super::Isolator::create) would do to a host, without doing it.

use super::create::check_agent;
use super::directories::Directories;
use super::{CreateError, Step};
use crate::agent::AgentConfig;
use crate::kernel::{Kernel, Support};
use crate::launch;
use crate::layout::Layout;
use crate::locks::check_distinct;
use crate::mountinfo::Table;
use crate::table;

/// What [`check_host`] has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCheck {
    /// What the kernel can do.
    pub support: Support,
    /// The directories without symbolic links.
    pub layout: Layout,
    /// What `create` would do, in this order; nothing if all is ready.
    pub steps: Vec<Step>,
}

/// Checks all that [`Isolator::create`](super::Isolator::create) needs, and what
/// [`prepare_launches`](super::Isolator::prepare_launches) does, and changes nothing: what
/// [`check_agent`](super::check_agent) does, the kernel, and both directories. With `makes_work_dir`, a work_dir that is
/// missing is one to be made, as the command does with the default one.
///
/// ```
/// use cofferdam::agent::AgentConfig;
/// use cofferdam::isolator::{Step, check_host};
/// use cofferdam::layout::Layout;
/// use cofferdam_vfs_sim::{Process, sample};
///
/// let kernel = Process::init(sample::host());
/// let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
/// let check = check_host(&kernel, &AgentConfig::new(layout), true)?;
/// assert_eq!(check.support.missing, []);
/// assert_eq!(
///     check.steps,
///     [
///         Step::MakeDirectory("/var/lib/agent".into()),
///         Step::MakeDirectory("/var/lib/agent/volumes".into()),
///         Step::MakeDirectory("/run/agent/containers".into()),
///         Step::BindShared("/var/lib/agent".into()),
///         Step::Bind("/var/lib/agent/volumes".into()),
///         Step::BindWithDevices("/run/agent/containers".into()),
///         Step::KeepNamespace("/run/agent/launch".into()),
///     ]
/// );
/// # Ok::<(), cofferdam::isolator::CreateError>(())
/// ```
///
/// # Errors
///
/// Those of `create`, as far as they can be foreseen; [`CreateError::Kernel`] for a kernel that lacks what is needed.
pub fn check_host(kernel: &dyn Kernel, config: &AgentConfig, makes_work_dir: bool) -> Result<HostCheck, CreateError> {
    match check_agent(kernel, config) {
        Err(CreateError::MissingWorkDir(_)) if makes_work_dir => {}
        checked => drop(checked?),
    }
    let support = Support::of(kernel).sufficient()?;
    let text = table::read(kernel)?;
    let table = Table::parse(&text)?;
    let directories = Directories::look(kernel, &table, &config.layout)?;
    let mut steps = directories.missing();
    let changes = directories.steps(&table);
    for step in changes.iter().filter(|step| !steps.iter().any(|missing| missing.path() == step.path())) {
        // A copy that is attached nowhere changes nothing.
        drop(step.copy(kernel)?);
    }
    let layout = directories.layout();
    if !changes.is_empty() && directories.are_there() {
        check_distinct(kernel, &layout)?;
    }
    steps.extend(changes);
    let launches = layout.launch_directory();
    if !launch::namespace::is_kept(kernel, &launches)? {
        steps.push(Step::KeepNamespace(launches.into()));
    }
    Ok(HostCheck { support, layout, steps })
}
