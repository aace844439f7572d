//! Loads the mounts of this machine, or of a file with a mountinfo, and tells what would become of them if a path was
//! unmounted: nothing is touched.
//!
//! `cargo run -p cofferdam-vfs-sim --example what_if -- /proc/self/mountinfo /home`

use std::collections::BTreeMap;
use std::error::Error;

use cofferdam::kernel::{Call, UmountFlags};
use cofferdam_vfs_sim::Linux;

/// Every mount with how it is displayed.
fn mounts(linux: &Linux) -> BTreeMap<u64, String> {
    linux.mounts().map(|mount| (mount.unique_id().0, mount.to_string())).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "/proc/self/mountinfo".into());
    let target = arguments.next().unwrap_or_else(|| "/proc".into());
    let linux = Linux::from_mountinfo(&std::fs::read(&file)?)?;
    if let Some(namespace) = linux.task(linux.init()).and_then(|init| init.mount_namespace()) {
        print!("{namespace}");
    }

    for flags in [UmountFlags::empty(), UmountFlags::MNT_DETACH] {
        // Each from the same state.
        let mut what_if = linux.clone();
        let call = Call::Umount2 { target: target.as_str().into(), flags };
        let result = what_if.call(what_if.init(), &call);
        println!("\n{}", call.with_result(&result));
        let after = mounts(&what_if);
        for (id, mount) in mounts(&linux) {
            match after.get(&id) {
                None => println!("  gone: {mount}"),
                Some(now) if *now != mount => println!("  changed: {mount} -> {now}"),
                Some(_) => {}
            }
        }
    }
    Ok(())
}
