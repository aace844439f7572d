//! Giving up what the program is not to have.

use typed_path::UnixPath;

use super::LaunchRequest;
use super::error::LaunchError;
use crate::error::Doing;
use crate::kernel::{Capabilities, CapabilitySets, Errno, Kernel, Prctl};
use crate::messages::CapabilityInfo;
use crate::user::Credentials;

/// Sets limits, groups, user and capabilities, in the one order in which each step is still allowed.
pub(super) fn drop_privileges(kernel: &dyn Kernel, request: &LaunchRequest) -> Result<(), LaunchError> {
    let info = &request.info;
    let program = UnixPath::new("the program");
    for rlimit in info.rlimits.iter().flat_map(|info| &info.rlimits) {
        kernel.setrlimit(rlimit.resource.resource(), rlimit.limit()).doing("set a resource limit of", program)?;
    }
    let effective = info.effective_capabilities.as_ref().map(CapabilityInfo::set);
    let bounding = info.bounding_capabilities.as_ref().map(CapabilityInfo::set).or(effective);
    if let Some(bounding) = bounding {
        limit_bounding_set(kernel, bounding)?;
    }
    let mut groups = request.credentials.as_ref().map_or_else(Vec::new, |credentials| credentials.groups.clone());
    groups.extend(info.supplementary_groups.iter().chain(&info.task_supplementary_groups));
    if request.credentials.is_some() || !groups.is_empty() {
        kernel.setgroups(&groups).doing("set the groups of", program)?;
    }
    if let Some(credentials) = &request.credentials {
        become_user(kernel, credentials, effective.is_some())?;
    }
    limit_capabilities(kernel, effective, bounding)?;
    if info.no_new_privileges == Some(true) {
        kernel.prctl(Prctl::SetNoNewPrivileges).doing("set no_new_privs for", program)?;
    }
    Ok(())
}

/// Drops all other capabilities from the bounding set, those included that we know no name for.
fn limit_bounding_set(kernel: &dyn Kernel, bounding: Capabilities) -> Result<(), LaunchError> {
    let program = UnixPath::new("the program");
    for number in (0..u64::BITS).filter(|number| bounding.bits() >> number & 1 == 0) {
        match kernel.prctl(Prctl::DropBoundingCapability(number)) {
            // Beyond the last capability of this kernel.
            Err(Errno::EINVAL) => break,
            // Who may not drop one may find it dropped already.
            Err(Errno::EPERM) if kernel.prctl(Prctl::ReadBoundingCapability(number)) == Ok(0) => {}
            dropped => {
                dropped.doing("limit the capabilities of", program)?;
            }
        }
    }
    Ok(())
}

fn become_user(kernel: &dyn Kernel, credentials: &Credentials, keep_capabilities: bool) -> Result<(), LaunchError> {
    let program = UnixPath::new("the program");
    let Credentials { uid, gid, .. } = *credentials;
    kernel.setresgid(gid, gid, gid).doing("set the group of", program)?;
    if keep_capabilities {
        kernel.prctl(Prctl::SetKeepCapabilities(true)).doing("keep the capabilities of", program)?;
    }
    kernel.setresuid(uid, uid, uid).doing("set the user of", program)?;
    Ok(())
}

/// Sets what the program starts with. For root, execve(2) grants the bounding set whatever is set here; a program of
/// another user has nothing but its ambient capabilities.
fn limit_capabilities(
    kernel: &dyn Kernel,
    effective: Option<Capabilities>,
    bounding: Option<Capabilities>,
) -> Result<(), LaunchError> {
    let program = UnixPath::new("the program");
    kernel.prctl(Prctl::ClearAmbientCapabilities).doing("clear the ambient capabilities of", program)?;
    let Some(wanted) = effective.or(bounding) else {
        return Ok(());
    };
    let ours = kernel.capget().doing("read the capabilities of", program)?;
    let wanted = wanted & ours.permitted;
    let inheritable = effective.map_or(Capabilities::empty(), |effective| effective & wanted);
    kernel
        .capset(CapabilitySets { effective: wanted, permitted: wanted, inheritable })
        .doing("limit the capabilities of", program)?;
    for number in inheritable.numbers() {
        kernel.prctl(Prctl::RaiseAmbientCapability(number)).doing("keep the capabilities of", program)?;
    }
    Ok(())
}
