//! The mount table of a crowded machine: its text parsed, next to what the memory allows; and the queries of an operation.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails says so by panicking")]

use std::hint::black_box;

use cofferdam::UnixPath;
use cofferdam::mountinfo::{Entry, Table, entries};
use cofferdam_benches::{CROWD, mount_table::mount_table};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use memchr::memchr_iter;

fn parse(criterion: &mut Criterion) {
    let text = mount_table(CROWD);
    let mut group = criterion.benchmark_group("mountinfo, 10,000 mounts");
    group.throughput(Throughput::Bytes(text.len() as u64));
    // What is parsed is freed outside the time that is measured.
    group.bench_function("entries", |bencher| {
        bencher.iter(|| entries(black_box(&text)).map(|entry| entry.unwrap().super_options_raw().len()).sum::<usize>());
    });
    group.bench_function("Table::parse", |bencher| {
        bencher.iter_batched(|| (), |()| Table::parse(black_box(&text)).unwrap(), BatchSize::PerIteration);
    });
    group.bench_function("newlines counted (memchr)", |bencher| {
        bencher.iter(|| memchr_iter(b'\n', black_box(&text)).count());
    });
    group.bench_function("spaces found (memchr)", |bencher| {
        bencher.iter(|| memchr_iter(b' ', black_box(&text)).fold(0, |sum, position| sum ^ position));
    });
    let mut copy = text.clone();
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&text)));
    });
    group.finish();
}

fn query(criterion: &mut Criterion) {
    let text = mount_table(CROWD);
    let table = Table::parse(&text).unwrap();
    let last = table.entries().last().unwrap().id();
    // Most mountpoints have their start in common with the first of these, and none with the second.
    let ours = UnixPath::new("/var/lib/docker/containers/none");
    let site = UnixPath::new("/srv/sites/1000");
    let file = UnixPath::new("/srv/sites/1000/web data/index.html");
    assert_eq!(table.at_or_below(ours).count(), 0);
    assert_eq!(table.at_or_below(site).count(), 2);
    assert_eq!(table.containing(file).unwrap().mountpoint(), UnixPath::new("/srv/sites/1000/web data"));

    let mut group = criterion.benchmark_group("mount table queries, 10,000 mounts");
    group.throughput(Throughput::Elements(CROWD as u64));
    group.bench_function("by_id, the last", |bencher| {
        bencher.iter(|| table.by_id(black_box(last)).map(Entry::parent_id));
    });
    group.bench_function("at_or_below, nothing is", |bencher| {
        bencher.iter(|| table.at_or_below(black_box(ours)).count());
    });
    group.bench_function("at_or_below", |bencher| {
        bencher.iter(|| table.at_or_below(black_box(site)).count());
    });
    group.bench_function("containing", |bencher| {
        bencher.iter(|| table.containing(black_box(file)).map(Entry::id));
    });
    group.finish();
}

criterion_group!(benches, parse, query);
criterion_main!(benches);
