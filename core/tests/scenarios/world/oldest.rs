//! A new mount namespace that the kernel takes for older than all that come after it.

use cofferdam::kernel::{CloneFlags, Errno, Kernel as _, StatMountMask, UniqueMountId};
use cofferdam_linux::LinuxKernel;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Goes on in such a namespace.
///
/// The file of a mount namespace can be bound in an older one alone, and which one is older is a matter of their numbers
/// (fs/namespace.c, `mnt_ns_loop()`). On Linux 6.18 each CPU has a store of its own of these (include/linux/cookie.h).
pub fn unshare_as_the_oldest() -> Result<(), Errno> {
    let ourselves = Pid::from_raw(0);
    let allowed = sched_getaffinity(ourselves).map_err(from_nix)?;
    let is_ours = |cpu: &usize| allowed.is_set(*cpu) == Ok(true);
    let unshare_on = |cpu: usize| {
        let mut one = CpuSet::new();
        one.set(cpu).map_err(from_nix)?;
        sched_setaffinity(ourselves, &one).map_err(from_nix)?;
        LinuxKernel.unshare(CloneFlags::CLONE_NEWNS)?;
        Ok((number().unwrap_or(0), cpu))
    };
    loop {
        let numbers = (0..CpuSet::count()).filter(is_ours).map(unshare_on).collect::<Result<Vec<_>, Errno>>()?;
        let (lowest, cpu) = numbers.into_iter().min().ok_or(Errno::EINVAL)?;
        // The next one has the next number, unless the store of this CPU was used up and filled anew.
        if unshare_on(cpu)?.0 <= lowest + 1 {
            break;
        }
    }
    sched_setaffinity(ourselves, &allowed).map_err(from_nix)
}

fn from_nix(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw(errno as i32)
}

/// The number of our mount namespace, if the kernel can tell.
fn number() -> Result<u64, Errno> {
    let mounts = LinuxKernel.listmount(UniqueMountId::ROOT, 0)?;
    let root = mounts.first().ok_or(Errno::ENOENT)?;
    Ok(LinuxKernel.statmount(*root, StatMountMask::STATMOUNT_MNT_NS_ID)?.namespace_id)
}
