//! A mount table as text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects, Style};
use cofferdam::mountinfo::Entry;

use crate::cells::{Cell, Look, columns, printable};
use crate::host::{Host, Position, Receiver, Role};
use crate::tree::{DEEPEST, Row, hidden, rows};

/// So many of those that receive are named; of more, the rest is counted.
const NAMED: usize = 3;

/// Those that peer groups with more than one mount have, by turns.
const COLORS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::BrightBlue,
    AnsiColor::BrightRed,
];

const HEADINGS: [&str; 5] = ["TARGET", "SOURCE", "TYPE", "OPTIONS", "PROPAGATION"];

/// The chosen mounts of the namespace that is looked at, as a tree, a mount to a line, with what is to be known of each. Who
/// receives what is mounted on it is named in the last column.
pub fn tree(host: &Host<'_>, is_chosen: impl Fn(&Entry<'_>) -> bool, look: Look) -> String {
    let Some(namespace) = host.namespaces().first() else { return String::new() };
    let entries = namespace.table.entries();
    let rows = rows(&namespace.table, |entry| is_chosen(&entries[entry]));
    let hidden = hidden(&namespace.table);
    let groups = Groups::new(host, &rows);
    let heading = HEADINGS.map(|heading| Cell::new(Effects::BOLD.into(), heading)).to_vec();
    let line = |row: &Row| {
        let mount = &entries[row.entry];
        let own = if hidden[row.entry] { Effects::DIMMED.into() } else { Style::new() };
        let mut target = Cell::new(Effects::DIMMED.into(), branch(row, look));
        target.push(own, printable(mount.mountpoint().as_bytes()));
        let mut propagation = groups.propagation(Position { namespace: 0, entry: row.entry });
        if hidden[row.entry] {
            propagation.push(Effects::DIMMED.into(), "; hidden");
        }
        let cell = |bytes: &[u8]| Cell::new(own, printable(bytes));
        vec![target, cell(&source(mount)), cell(&mount.filesystem_type()), cell(&options(mount)), propagation]
    };
    let lines: Vec<_> = std::iter::once(heading).chain(rows.iter().map(line)).collect();
    columns(&lines, look)
}

/// What is before a mountpoint in a tree.
fn branch(row: &Row, look: Look) -> String {
    let [more, none, next, last] =
        if look.is_ascii { ["| ", "  ", "|-", "`-"] } else { ["│ ", "  ", "├─", "└─"] };
    let mut text = String::new();
    if let Some((own, above)) = row.is_last.split_last() {
        text.extend(above.iter().map(|is_last| if *is_last { none } else { more }));
        text.push_str(if *own { last } else { next });
    }
    if row.depth > DEEPEST {
        let _ = write!(text, "({} deep) ", row.depth);
    }
    text
}

/// The source of a mount, with what of it is mounted unless that is all.
pub(crate) fn source(mount: &Entry<'_>) -> Vec<u8> {
    let source = mount.source().into_owned();
    match mount.root() {
        root if root.as_bytes() == b"/" => source,
        root => [&source, &b"["[..], root.as_bytes(), b"]"].concat(),
    }
}

/// Shared, a slave, both, unbindable or none of it.
pub(crate) fn propagation(mount: &Entry<'_>) -> String {
    let parts = [
        mount.peer_group().map(|group| format!("shared {group}")),
        mount.master().map(|group| format!("slave of {group}")),
        mount.is_unbindable().then(|| "unbindable".to_owned()),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "private".to_owned() } else { parts.join(", ") }
}

/// The options of a mount; and `ro` of its filesystem, which those do not tell.
fn options(mount: &Entry<'_>) -> Vec<u8> {
    let own = mount.mount_options_raw();
    let is_read_only = mount.has_super_option(b"ro") && !mount.has_mount_option(b"ro");
    if is_read_only { [own, b" (filesystem: ro)"].concat() } else { own.to_vec() }
}

/// What each peer group that is shown looks like, and who is in it.
struct Groups<'h, 't> {
    host: &'h Host<'t>,
    /// One of which there is a single mount, and no slave, is nothing to look at.
    styles: HashMap<u32, Style>,
    receivers: HashMap<u32, [Members; 2]>,
}

impl<'h, 't> Groups<'h, 't> {
    fn new(host: &'h Host<'t>, rows: &[Row]) -> Self {
        let mut groups = Self { host, styles: HashMap::new(), receivers: HashMap::new() };
        for row in rows {
            let mount = host.mount(Position { namespace: 0, entry: row.entry });
            for group in [mount.peer_group(), mount.master()].into_iter().flatten() {
                let [peers, slaves] = groups.receivers.entry(group).or_insert_with(|| Members::of(host, group));
                if peers.count() + slaves.count() > 1 {
                    let color = COLORS[groups.styles.len() % COLORS.len()];
                    groups.styles.entry(group).or_insert_with(|| color.on_default());
                }
            }
        }
        groups
    }

    fn style(&self, group: u32) -> Style {
        self.styles.get(&group).copied().unwrap_or_default()
    }

    /// What is to be said of the propagation of a mount.
    fn propagation(&self, position: Position) -> Cell {
        let mount = self.host.mount(position);
        let plain = Style::new();
        let mut cell = Cell::default();
        if let Some(group) = mount.peer_group() {
            cell.push(self.style(group), format!("shared {group}"));
            for (members, word) in self.receivers.get(&group).into_iter().flatten().zip([" with ", "; sends to "]) {
                if let Some(named) = members.named(self.host, Some(position.entry)) {
                    cell.push(plain, format!("{word}{named}"));
                }
            }
        }
        if let Some(group) = mount.master() {
            let separator = if cell.is_empty() { "" } else { "; " };
            cell.push(plain, separator);
            cell.push(self.style(group), format!("slave of {group}"));
            let masters = self.receivers.get(&group).and_then(|[peers, _]| peers.named(self.host, None));
            if let Some(masters) = masters {
                cell.push(plain, format!(" ({masters})"));
            } else if let Some(from) = mount.propagate_from() {
                cell.push(plain, format!(", that receives from {from}"));
            }
        }
        if mount.is_unbindable() {
            cell.push(plain, "unbindable");
        }
        if cell.is_empty() {
            cell.push(Effects::DIMMED.into(), "private");
        }
        cell
    }
}

/// Mounts of a peer group, or those that receive from it.
#[derive(Default)]
struct Members {
    /// Those in the namespace that is looked at, in the order of its table.
    here: Vec<usize>,
    /// How many there are in each other one.
    elsewhere: BTreeMap<usize, usize>,
}

impl Members {
    /// The peers, and the slaves.
    fn of(host: &Host<'_>, group: u32) -> [Self; 2] {
        let mut members = [Self::default(), Self::default()];
        for Receiver { position: Position { namespace, entry }, role } in host.group(group) {
            let members = &mut members[usize::from(role == Role::Slave)];
            match namespace {
                0 => members.here.push(entry),
                other => *members.elsewhere.entry(other).or_default() += 1,
            }
        }
        members
    }

    fn count(&self) -> usize {
        self.here.len() + self.elsewhere.values().sum::<usize>()
    }

    /// Them by their mountpoints, and how many there are in other namespaces. Without this entry.
    fn named(&self, host: &Host<'_>, except: Option<usize>) -> Option<String> {
        let mountpoint =
            |entry: &usize| printable(host.mount(Position { namespace: 0, entry: *entry }).mountpoint().as_bytes());
        let others = self.here.iter().filter(|entry| Some(**entry) != except);
        let mut parts: Vec<String> = others.take(NAMED).map(mountpoint).collect();
        let is_in = except.is_some_and(|except| self.here.binary_search(&except).is_ok());
        let rest = self.here.len() - usize::from(is_in) - parts.len();
        if rest > 0 {
            parts.push(format!("{rest} more"));
        }
        for (other, count) in self.elsewhere.iter().take(NAMED) {
            parts.push(format!("{count} in {}", printable(host.namespaces()[*other].name.as_bytes())));
        }
        let rest = self.elsewhere.len().saturating_sub(NAMED);
        if rest > 0 {
            let count: usize = self.elsewhere.values().skip(NAMED).sum();
            parts.push(format!("{count} in {rest} more namespaces"));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use cofferdam::mountinfo::Table;

    use super::*;
    use crate::host::Namespace;

    const HERE: &[u8] = b"\
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /proc rw,nosuid - proc proc rw
22 20 8:1 /srv/data /mnt/a rw shared:7 - ext4 /dev/sda1 rw
23 20 8:1 /srv/data /mnt/b ro shared:7 - ext4 /dev/sda1 rw
24 20 8:1 /srv/data /mnt/c rw shared:9 master:7 - ext4 /dev/sda1 rw
25 22 0:6 / /mnt/a/my\\040files rw shared:8 - tmpfs x ro
26 23 0:7 / /mnt/b rw unbindable - tmpfs \x1b[2J rw
27 20 0:8 / /far rw master:30 propagate_from:1 - tmpfs none rw
";
    const THERE: &[u8] = b"\
40 2 8:1 / / rw master:1 - ext4 /dev/sda1 rw
41 40 8:1 /srv/data /data rw master:7 - ext4 /dev/sda1 rw
";

    fn host() -> Host<'static> {
        let namespace = |name: &str, text| Namespace { name: name.into(), table: Table::parse(text).unwrap() };
        Host::new(vec![namespace("", HERE), namespace("web[71]", THERE)])
    }

    #[test]
    fn a_table_as_a_tree() {
        let expected = "\
TARGET               SOURCE                TYPE   OPTIONS              PROPAGATION
/                    /dev/sda1             ext4   rw,relatime          shared 1; sends to 1 in web[71]
├─/far               none                  tmpfs  rw                   slave of 30, that receives from 1
├─/mnt/a             /dev/sda1[/srv/data]  ext4   rw                   shared 7 with /mnt/b; sends to /mnt/c, 1 in web[71]
│ └─/mnt/a/my files  x                     tmpfs  rw (filesystem: ro)  shared 8
├─/mnt/b             /dev/sda1[/srv/data]  ext4   ro                   shared 7 with /mnt/a; sends to /mnt/c, 1 in web[71]; hidden
│ └─/mnt/b           \\u{1b}[2J             tmpfs  rw                   unbindable
├─/mnt/c             /dev/sda1[/srv/data]  ext4   rw                   shared 9; slave of 7 (/mnt/a, /mnt/b)
└─/proc              proc                  proc   rw,nosuid            private
";
        assert_eq!(tree(&host(), |_| true, Look::default()), expected);
    }

    #[test]
    fn what_is_stacked_too_deep_says_how_deep() {
        let line = |id| format!("{id} {} 0:1 / /m rw - tmpfs none rw\n", id - 1);
        let text = (10..60).map(line).collect::<Vec<_>>().concat();
        let namespace = Namespace { name: String::new(), table: Table::parse(text.as_bytes()).unwrap() };
        let shown = tree(&Host::new(vec![namespace]), |_| true, Look { is_ascii: true, ..Look::default() });
        let last = shown.lines().last().unwrap();
        assert!(last.trim_start().starts_with("`-(49 deep) /m  none"), "{shown}");
        assert!(shown.lines().all(|line| line.len() < 150), "{shown}");
    }

    #[test]
    fn groups_with_others_have_colors_and_those_alone_have_none() {
        let colored = tree(&host(), |_| true, Look { is_ascii: true, has_colors: true });
        let line = |target: &str| colored.lines().find(|line| line.contains(target)).unwrap();
        let color = |group: &str, line: &str| {
            let (before, _) = line.split_once(group).unwrap();
            before.rsplit('\u{1b}').next().unwrap().to_owned()
        };
        assert_eq!(color("shared 7", line("/mnt/a")), color("slave of 7", line("shared 9")));
        assert_ne!(color("shared 7", line("/mnt/a")), color("shared 1", line("/dev/sda1 ")));
        assert!(line("my files").ends_with("  shared 8"), "{}", line("my files"));
        assert!(line("my files").contains("| `-"));
    }

    #[test]
    fn of_many_that_receive_some_are_named() {
        let line = |id| format!("{id} 99 0:1 / /m{id} rw shared:1 - tmpfs none rw\n");
        let text = (0..10).map(line).collect::<Vec<_>>().concat();
        let others: Vec<_> = (0..5)
            .map(|_| "20 1 0:1 / /x rw shared:1 - tmpfs none rw\n21 1 0:1 / /y rw shared:1 - tmpfs none rw\n")
            .collect();
        let mut namespaces = vec![Namespace { name: String::new(), table: Table::parse(text.as_bytes()).unwrap() }];
        for (number, text) in others.iter().enumerate() {
            namespaces.push(Namespace { name: format!("p[{number}]"), table: Table::parse(text.as_bytes()).unwrap() });
        }
        let shown = tree(&Host::new(namespaces), |mount| mount.id() == 1, Look::default());
        let expected = "shared 1 with /m0, /m2, /m3, 6 more, 2 in p[0], 2 in p[1], 2 in p[2], 4 in 2 more namespaces\n";
        assert!(shown.ends_with(expected), "{shown}");
    }
}
