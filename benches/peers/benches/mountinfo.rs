//! The same mount table, parsed by cofferdam and by procfs.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails says so by panicking")]

use std::hint::black_box;

use cofferdam::mountinfo::{OwnedEntry, Table, entries};
use cofferdam_benches::{CROWD, mount_table::mount_table};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use procfs::FromBufRead;
use procfs::process::MountInfos;

fn read_with_procfs(text: &[u8]) -> MountInfos {
    MountInfos::from_buf_read(text).unwrap()
}

/// What both have to say about a mount in the same words.
fn check(text: &[u8]) {
    let table = Table::parse(text).unwrap();
    let peer = read_with_procfs(text);
    assert_eq!(table.entries().len(), peer.0.len());
    for (entry, peer) in table.entries().iter().zip(peer) {
        assert_eq!(i64::from(entry.id()), i64::from(peer.mnt_id));
        assert_eq!(i64::from(entry.parent_id()), i64::from(peer.pid));
        assert_eq!(entry.super_options().count(), peer.super_options.len());
        assert_eq!(entry.optional_fields().count(), peer.opt_fields.len());
    }
}

fn compare(criterion: &mut Criterion) {
    let text = mount_table(CROWD);
    check(&text);
    let mut group = criterion.benchmark_group("mountinfo, 10,000 mounts");
    group.throughput(Throughput::Bytes(text.len() as u64));
    // What is parsed is freed outside the time that is measured.
    group.bench_function("cofferdam, entries", |bencher| {
        bencher.iter(|| entries(black_box(&text)).map(|entry| entry.unwrap().super_options_raw().len()).sum::<usize>());
    });
    group.bench_function("cofferdam, Table::parse", |bencher| {
        bencher.iter_batched(|| (), |()| Table::parse(black_box(&text)).unwrap(), BatchSize::PerIteration);
    });
    // procfs's entries own their fields; so do these, with the escapes undone, which procfs leaves in.
    group.bench_function("cofferdam, OwnedEntry", |bencher| {
        let parse =
            |()| -> Vec<_> { entries(black_box(&text)).map(|entry| OwnedEntry::from(&entry.unwrap())).collect() };
        bencher.iter_batched(|| (), parse, BatchSize::PerIteration);
    });
    group.bench_function("procfs, MountInfos", |bencher| {
        bencher.iter_batched(|| (), |()| read_with_procfs(black_box(&text)), BatchSize::PerIteration);
    });
    let mut copy = text.clone();
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&text)));
    });
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
