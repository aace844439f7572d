//! A new mount namespace that the kernel takes for older than all that come after it.

use cofferdam::kernel::{CloneFlags, Errno, Kernel as _, StatMountMask, UniqueMountId};
use cofferdam_linux::LinuxKernel;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Goes on in such a namespace.
///
/// The file of a mount namespace can be bound in an older one alone, and which one is older is a matter of their numbers
/// (fs/namespace.c, `mnt_ns_loop()`). On Linux 6.18 each CPU has a store of its own of these (include/linux/cookie.h).
pub fn unshare_as_the_oldest() {
    let ourselves = Pid::from_raw(0);
    let allowed = sched_getaffinity(ourselves).unwrap();
    let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu) == Ok(true));
    let unshare_on = |cpu| {
        let mut one = CpuSet::new();
        one.set(cpu).unwrap();
        sched_setaffinity(ourselves, &one).unwrap();
        LinuxKernel.unshare(CloneFlags::CLONE_NEWNS).unwrap();
        number().unwrap_or(0)
    };
    let cpus: Vec<_> = cpus.collect();
    loop {
        let (number, lowest) = cpus.iter().map(|cpu| (unshare_on(*cpu), *cpu)).min().unwrap();
        // The next one has the next number, unless the store of this CPU was used up and filled anew.
        let own = unshare_on(lowest);
        if own <= number + 1 {
            break;
        }
    }
    sched_setaffinity(ourselves, &allowed).unwrap();
}

/// The number of our mount namespace, if the kernel can tell.
fn number() -> Result<u64, Errno> {
    let mounts = LinuxKernel.listmount(UniqueMountId::ROOT, 0)?;
    let mount = LinuxKernel.statmount(mounts[0], StatMountMask::STATMOUNT_MNT_NS_ID)?;
    Ok(mount.namespace_id)
}
