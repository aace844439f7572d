//! The simulated kernel next to the real one, for the same calls. The real one needs root; without it, it is left out.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails says so by panicking")]

use std::hint::black_box;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, Kernel, MountFlags};
use cofferdam_benches::{CROWD, Machine};
use cofferdam_linux::LinuxKernel;
use cofferdam_vfs_sim::Process;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};

const PEERS: usize = 100;
const DEEP: &str = "/w/1/2/3/4/5/6/7";

/// The same on both kernels, next to each other.
fn side_by_side(
    criterion: &mut Criterion,
    name: &str,
    simulated: impl Fn(&mut BenchmarkGroup<'_, WallTime>, &Machine<Process>),
    real: impl Fn(&mut BenchmarkGroup<'_, WallTime>, &Machine<LinuxKernel>),
) {
    let mut group = criterion.benchmark_group(name);
    simulated(&mut group, &Machine::simulated().unwrap());
    match Machine::real() {
        Ok(machine) => real(&mut group, &machine),
        Err(errno) => println!("{name}: the real kernel is left out, as this needs root: {errno}"),
    }
    group.finish();
}

macro_rules! on_both {
    ($criterion:expr, $name:literal, $scenario:ident) => {
        side_by_side(
            $criterion,
            $name,
            |group, machine| $scenario(group, "simulated", machine),
            |group, machine| $scenario(group, "real", machine),
        )
    };
}

type Group<'a, 'b> = &'a mut BenchmarkGroup<'b, WallTime>;

fn bind_and_umount<K: Kernel>(group: Group<'_, '_>, name: &str, machine: &Machine<K>) {
    machine.make_directory("/a").unwrap();
    machine.make_directory("/b").unwrap();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            machine.bind("/a", "/b").unwrap();
            machine.umount("/b").unwrap();
        });
    });
}

fn tmpfs_and_umount<K: Kernel>(group: Group<'_, '_>, name: &str, machine: &Machine<K>) {
    machine.make_directory("/a").unwrap();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            machine.mount("tmpfs", "/a").unwrap();
            machine.umount("/a").unwrap();
        });
    });
}

fn propagation<K: Kernel>(group: Group<'_, '_>, name: &str, machine: &Machine<K>) {
    machine.make_directory("/shared").unwrap();
    machine.make_directory("/a").unwrap();
    machine.mount("tmpfs", "/shared").unwrap();
    machine.propagation("/shared", MountFlags::MS_SHARED, AtFlags::empty()).unwrap();
    machine.make_directory("/shared/x").unwrap();
    for peer in 0..PEERS {
        let target = format!("/peer{peer}");
        machine.make_directory(&target).unwrap();
        machine.bind("/shared", &target).unwrap();
    }
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            machine.bind("/a", "/shared/x").unwrap();
            machine.umount("/shared/x").unwrap();
        });
    });
}

fn path_walk<K: Kernel>(group: Group<'_, '_>, name: &str, machine: &Machine<K>) {
    for (position, _) in DEEP.match_indices('/').skip(1) {
        machine.make_directory(&DEEP[..position]).unwrap();
    }
    machine.make_directory(DEEP).unwrap();
    let path = UnixPath::new(DEEP);
    group.bench_function(name, |bencher| {
        bencher.iter(|| machine.kernel.statx(Fd::CWD, black_box(path), AtFlags::empty()).unwrap());
    });
}

fn mount_table<K: Kernel>(group: Group<'_, '_>, name: &str, machine: &Machine<K>) {
    machine.crowd(CROWD).unwrap();
    group.bench_function(name, |bencher| bencher.iter(|| machine.read_mount_table().unwrap()));
    machine.disperse(CROWD).unwrap();
}

fn compare(criterion: &mut Criterion) {
    on_both!(criterion, "bind and umount", bind_and_umount);
    on_both!(criterion, "tmpfs mount and umount", tmpfs_and_umount);
    on_both!(criterion, "bind and umount, 100 peers", propagation);
    on_both!(criterion, "statx, depth 8", path_walk);
    on_both!(criterion, "mountinfo, 10,000 mounts", mount_table);
}

/// A snapshot of a kernel with many mounts, and one call on it.
fn snapshot(criterion: &mut Criterion) {
    let machine = Machine::simulated().unwrap();
    machine.crowd(CROWD).unwrap();
    let linux = machine.kernel.linux().clone();
    let mut group = criterion.benchmark_group("snapshot of 10,000 mounts");
    let source = Some(UnixPath::new("/source"));
    group.bench_function("and a bind mount", |bencher| {
        bencher.iter(|| {
            let process = Process::init(black_box(&linux).clone());
            process.mount(source, UnixPath::new("/crowd/7"), None, MountFlags::MS_BIND, None).unwrap();
            process
        });
    });
    group.bench_function("and an umount", |bencher| {
        bencher.iter(|| {
            let process = Process::init(black_box(&linux).clone());
            process.umount2(UnixPath::new("/crowd/7"), cofferdam::kernel::UmountFlags::empty()).unwrap();
            process
        });
    });
    group.finish();
}

criterion_group!(benches, compare, snapshot);
criterion_main!(benches);
