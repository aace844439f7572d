//! What is planned and run: made of a table's name, so that a failure can be repeated.

use std::hash::{DefaultHasher, Hasher as _};
use std::path::Path;

use super::PROGRAM;
use super::replica::COFFERDAM;
use crate::support;

/// What is given to both commands.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) options: Vec<String>,
    program: Vec<&'static str>,
    /// Where the files of the scenario are, if that is not the root directory.
    directory: Option<String>,
}

impl Configuration {
    pub(super) fn command(&self) -> impl Iterator<Item = &str> {
        self.program.iter().copied()
    }

    /// Whether it can be planned where nothing but the mounts is known, as no path is that of a symbolic link, and no user has a
    /// name.
    pub(super) fn is_plain(&self) -> bool {
        !self.options.iter().any(|option| option.ends_with("link-to-rootfs") || option == "nobody")
    }

    /// The program under test.
    pub(super) fn cofferdam(&self) -> &'static str {
        if self.directory.is_some() { support::COFFERDAM } else { COFFERDAM }
    }

    /// Where a file of the scenario is.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.directory.as_deref().unwrap_or_default())
    }
}

/// A sequence of numbers that depends on where it begins alone.
struct Chance(u64);

impl Chance {
    fn new(seed: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(seed.as_bytes());
        Self(hasher.finish())
    }

    /// A number below another one.
    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// So many of them for a host, whose files are in this directory, if one is given.
pub(super) fn configurations(table: &str, count: usize, directory: Option<&Path>) -> Vec<Configuration> {
    let mut chance = Chance::new(table);
    let directory = directory.map(|directory| directory.to_str().unwrap().to_owned());
    (0..count).map(|number| configuration(&mut chance, number, directory.as_ref())).collect()
}

fn configuration(chance: &mut Chance, number: usize, directory: Option<&String>) -> Configuration {
    let mut options = Vec::new();
    let place = |path: &str| format!("{}{path}", directory.map_or("", |directory| directory));
    let mut add = |name: &str, value: String| options.extend([name.to_owned(), value]);
    add("--id", format!("c{number}"));
    // Most of the time the same agent, whose directories are mounted already.
    if directory.is_some() || chance.one_in(3) {
        add("--work-dir", place(chance.choose(&["/agent/work", "/run/work", "/var/lib/other", "/shared/work"])));
    }
    if directory.is_some() || chance.one_in(3) {
        add("--runtime-dir", place(chance.choose(&["/agent/run", "/run/other", "/shared/run"])));
    }
    let has_rootfs = !chance.one_in(3);
    if has_rootfs {
        let rootfs = ["/rootfs", "/shared/rootfs", "/images/busybox", "/rootfs/../rootfs", "/link-to-rootfs"];
        add("--rootfs", place(chance.choose(&rootfs)));
    } else if chance.one_in(10) {
        add("--rootfs", chance.choose(&["/no/such/directory", "/copy", "/"]).to_owned());
    }
    for volume in 0..chance.below(4) {
        let (role, id) = (chance.choose(&["web", "db", "web/cache"]), chance.below(3));
        let mode = chance.choose(&["", ":ro", ":rw"]);
        let name = if chance.one_in(12) { "same".to_owned() } else { format!("data{volume}") };
        add("--persistent-volume", format!("{role}/v{id}:{name}{mode}"));
    }
    if chance.one_in(4) {
        add("--user", chance.choose(&["1000:1000", "0:7", "65534:65534", "1000", "nobody"]).to_owned());
    }
    if chance.one_in(5) {
        options.push("--privileged".to_owned());
    }
    if chance.one_in(5) {
        options.push("--share-pid".to_owned());
    }
    let program = match chance.below(12) {
        0 => vec!["no-such-program", "argument"],
        1 => vec!["/etc"],
        2 => vec!["sh", "-c", PROGRAM],
        _ => vec!["/bin/sh", "-c", PROGRAM],
    };
    Configuration { options, program, directory: directory.cloned() }
}
