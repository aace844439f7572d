//! How much memory the simulated kernel takes: each size in a process of its own, by what is resident.

use std::error::Error;
use std::fs;
use std::process::Command;

use cofferdam::UnixPath;
use cofferdam::kernel::{Kernel, MountFlags};
use cofferdam_benches::Machine;
use cofferdam_vfs_sim::Process;

/// How many mounts.
const SIZES: [usize; 2] = [10_000, 99_000];
/// How many snapshots are kept.
const SNAPSHOTS: usize = 1_000;
const PAGE: usize = 4096;

/// Prints a table.
///
/// # Errors
///
/// If a process of its own can't be run, or fails.
pub fn report() -> Result<(), Box<dyn Error>> {
    println!("| mounts | bytes per mount | bytes per snapshot with a bind mount in it |");
    println!("| ---: | ---: | ---: |");
    for size in SIZES {
        let output = Command::new(std::env::current_exe()?).args(["memory-of", &size.to_string()]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

/// Prints the row of one size.
///
/// # Errors
///
/// If a call fails, or what is resident can't be read.
pub fn row(size: usize) -> Result<(), Box<dyn Error>> {
    let machine = Machine::simulated()?;
    machine.make_directory("/crowd")?;
    machine.make_directory("/source")?;
    for number in 0..size {
        machine.make_directory(&format!("/crowd/{number}"))?;
    }
    let before = resident()?;
    for number in 0..size {
        machine.bind("/source", &format!("/crowd/{number}"))?;
    }
    let mounted = resident()?;
    let linux = machine.kernel.linux().clone();
    let source = Some(UnixPath::new("/source"));
    let mut snapshots = Vec::with_capacity(SNAPSHOTS);
    for number in 0..SNAPSHOTS {
        let process = Process::init(linux.clone());
        // Each somewhere else.
        let target = format!("/crowd/{}", number * (size / SNAPSHOTS));
        process.mount(source, UnixPath::new(&target), None, MountFlags::MS_BIND, None)?;
        snapshots.push(process);
    }
    let kept = resident()?;
    let each = |bytes: usize, count| bytes / count;
    println!("| {size} | {} | {} |", each(mounted - before, size), each(kept - mounted, SNAPSHOTS));
    Ok(())
}

/// How many bytes of this process are in memory (`/proc/self/statm`, proc(5)).
fn resident() -> Result<usize, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages: usize = text.split(' ').nth(1).ok_or("no second number in /proc/self/statm")?.parse()?;
    Ok(pages * PAGE)
}
