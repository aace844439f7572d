//! Pictures of mount trees and of propagation between them.
//!
//! Mount namespaces are areas, mounts are boxes in them, below the mount that they are on. A peer group is a line that its
//! mounts are joined to: what is mounted on one of them goes along that line to all others, and by arrows to the slaves.

mod dot;
mod mermaid;
mod svg;

use std::collections::BTreeMap;

use cofferdam::mountinfo::Entry;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

use crate::cells::printable;
use crate::host::{Host, Position};
use crate::text::{propagation, source};
use crate::tree::{hidden, rows};

/// What is in a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    areas: Vec<Area>,
    groups: Vec<Group>,
}

/// A mount namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Area {
    title: String,
    mounts: Vec<Mount>,
}

/// A mount, in the order in which it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    id: u32,
    /// The box, of the same area, that it is below.
    parent: Option<usize>,
    depth: usize,
    mountpoint: String,
    /// What is mounted there: the filesystem's type and source.
    filesystem: String,
    is_read_only: bool,
    is_hidden: bool,
    /// `shared 5, slave of 3`; nothing if it is private.
    propagation: String,
}

/// Where a mount is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    area: usize,
    mount: usize,
}

impl Place {
    /// What languages with names call it.
    fn name(self) -> String {
        format!("m{}_{}", self.area, self.mount)
    }
}

/// A peer group with something to be seen of its propagation: two mounts of it, or slaves.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    number: u32,
    /// None of them is in the picture if the masters of its slaves are out of sight.
    peers: Vec<Place>,
    slaves: Vec<Place>,
}

impl Picture {
    /// Of these mounts of a host.
    pub fn of(host: &Host<'_>, is_chosen: impl Fn(Position, &Entry<'_>) -> bool) -> Self {
        let mut picture = Self::default();
        let mut groups: BTreeMap<u32, (Vec<Place>, Vec<Place>)> = BTreeMap::new();
        for (namespace, seen) in host.namespaces().iter().enumerate() {
            let entries = seen.table.entries();
            let rows = rows(&seen.table, |entry| is_chosen(Position { namespace, entry }, &entries[entry]));
            if rows.is_empty() {
                continue;
            }
            let hidden = hidden(&seen.table);
            let area = picture.areas.len();
            let mut mounts = Vec::new();
            // The last box of each depth, which the next one that is deeper is below.
            let mut above: Vec<usize> = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                let mount = &entries[row.entry];
                above.truncate(row.depth);
                mounts.push(Mount::new(mount, row.depth, above.last().copied(), hidden[row.entry]));
                above.push(index);
                let place = Place { area, mount: index };
                if let Some(group) = mount.peer_group() {
                    groups.entry(group).or_default().0.push(place);
                }
                if let Some(group) = mount.master() {
                    groups.entry(group).or_default().1.push(place);
                }
            }
            picture.areas.push(Area { title: printable(seen.name.as_bytes()), mounts });
        }
        let to_be_seen = groups.into_iter().filter(|(_, (peers, slaves))| peers.len() > 1 || !slaves.is_empty());
        picture.groups = to_be_seen.map(|(number, (peers, slaves))| Group { number, peers, slaves }).collect();
        picture
    }

    /// What it shows, in a sentence.
    fn summary(&self) -> String {
        let mounts: usize = self.areas.iter().map(|area| area.mounts.len()).sum();
        let count = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            number => format!("{number} {what}s"),
        };
        format!(
            "{} in {}, {} with more than one mount",
            count(mounts, "mount"),
            count(self.areas.len(), "namespace"),
            count(self.groups.len(), "peer group")
        )
    }
}

impl Mount {
    fn new(mount: &Entry<'_>, depth: usize, parent: Option<usize>, is_hidden: bool) -> Self {
        let kind = printable(&mount.filesystem_type());
        let source = printable(&source(mount));
        let propagation = propagation(mount);
        Self {
            id: mount.id(),
            parent,
            depth,
            mountpoint: printable(mount.mountpoint().as_bytes()),
            filesystem: if kind == source { kind } else { format!("{kind} {source}") },
            is_read_only: mount.has_mount_option(b"ro") || mount.has_super_option(b"ro"),
            is_hidden,
            propagation: if propagation == "private" { String::new() } else { propagation },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use cofferdam::mountinfo::Table;
    use proptest::prelude::*;
    use roxmltree::{Document, Node};

    use super::*;
    use crate::host::Namespace;

    const HOST: &str = "\
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /a rw shared:2 - tmpfs <\"A&B\"> rw
22 20 0:5 / /b ro shared:2 - tmpfs <\"A&B\"> rw
23 20 0:5 / /c rw master:2 - tmpfs <\"A&B\"> rw
24 23 0:6 / /c rw - tmpfs tmpfs rw
";
    const CONTAINER: &str = "\
30 2 8:1 / / rw master:1 - ext4 /dev/sda1 rw
31 30 0:7 / /far rw master:9 - tmpfs none rw
";

    fn namespace<'t>(&(name, text): &(&str, &'t str)) -> Namespace<'t> {
        Namespace { name: name.into(), table: Table::parse(text.as_bytes()).unwrap() }
    }

    fn picture(tables: &[(&str, &str)]) -> Picture {
        Picture::of(&Host::new(tables.iter().map(namespace).collect()), |_, _| true)
    }

    fn example() -> Picture {
        picture(&[("host", HOST), ("web[71]", CONTAINER)])
    }

    fn number(node: Node<'_, '_>, name: &str) -> usize {
        node.attribute(name).unwrap().parse().unwrap()
    }

    fn of_class<'d>(document: &'d Document<'_>, class: &str) -> Vec<Node<'d, 'd>> {
        let is_of =
            |node: &Node<'_, '_>| node.attribute("class").is_some_and(|list| list.split(' ').any(|one| one == class));
        document.descendants().filter(is_of).collect()
    }

    #[test]
    fn all_that_there_is_to_see_is_in_the_picture() {
        let svg = svg(&example());
        let document = Document::parse(&svg).unwrap();
        assert_eq!(
            document.root_element().attribute("aria-label"),
            Some("7 mounts in 2 namespaces, 3 peer groups with more than one mount")
        );
        let texts: Vec<_> =
            document.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text()).collect();
        for text in [
            "host",
            "web[71]",
            "/a",
            "tmpfs <\"A&B\"> · shared 2",
            "tmpfs <\"A&B\"> ro · shared 2",
            "tmpfs <\"A&B\"> · slave of 2 · hidden",
        ] {
            assert!(texts.contains(&text), "{text}: {texts:?}");
        }
        assert_eq!((of_class(&document, "area").len(), of_class(&document, "mount").len()), (2, 7));
        assert_eq!((of_class(&document, "hidden").len(), of_class(&document, "tree").len()), (1, 5));
        let ends = |group: &Node<'_, '_>| {
            let count = |name| group.children().filter(|node| node.has_tag_name(name)).count();
            let arrows = group.children().filter(|node| node.attribute("stroke-dasharray").is_some()).count();
            (count("circle"), arrows)
        };
        // A peer and a slave; two peers and a slave; a slave of somebody out of sight.
        assert_eq!(of_class(&document, "group").iter().map(ends).collect::<Vec<_>>(), [(1, 1), (2, 1), (0, 1)]);
    }

    #[test]
    fn for_other_programs() {
        let dot = dot(&example());
        for line in [
            r#"    label="web[71]";"#,
            r#"    m0_1 [label="/a\ntmpfs <\"A&B\">\nshared 2"];"#,
            r#"    m0_3 [label="/c\ntmpfs <\"A&B\">\nslave of 2", style="rounded,dashed"];"#,
            "    m0_3 -> m0_4 [arrowhead=none];",
            "  m0_1 -> group_2 [dir=both, style=bold, constraint=false];",
            "  group_2 -> m0_3 [style=dashed, constraint=false];",
        ] {
            assert!(dot.lines().any(|found| found == line), "{line}\n{dot}");
        }
        let mermaid = mermaid(&example());
        for line in [
            r#"  subgraph n1["web[71]"]"#,
            r#"    m0_1["/a<br>tmpfs #60;#34;A#38;B#34;#62;<br>shared 2"]"#,
            "    m0_3 --- m0_4",
            "  m0_1 <==> g2",
            "  g2 -.-> m0_3",
        ] {
            assert!(mermaid.lines().any(|found| found == line), "{line}\n{mermaid}");
        }
    }

    proptest! {
        /// Whatever the table: nothing is outside of the picture, and no two lines of groups are on each other.
        #[test]
        fn everything_has_a_place(
            mounts in prop::collection::vec((0_usize..40, "[a-z日 <&]{1,12}", 0_u32..6, 0_u32..6), 0..40),
            in_two: bool,
        ) {
            let mut tables = [String::new(), String::new()];
            for (index, (parent, name, peers, master)) in mounts.iter().enumerate() {
                let own = if *peers > 0 { format!("shared:{peers} ") } else { String::new() };
                let from = if *master > 0 { format!("master:{} ", master + 10) } else { String::new() };
                let name = name.replace(' ', "\\040");
                let line = format!("{} {} 0:1 / /{name} rw {own}{from}- tmpfs none rw\n", index + 100, parent + 99);
                tables[usize::from(in_two && index % 3 == 0)].push_str(&line);
            }
            let svg = svg(&picture(&[("one", &tables[0]), ("two", &tables[1])]));
            let document = Document::parse(&svg).unwrap();
            let (width, height) = (number(document.root_element(), "width"), number(document.root_element(), "height"));
            let rectangles = document.descendants().filter(|node| node.has_tag_name("rect"));
            for node in rectangles {
                prop_assert!(number(node, "x") + number(node, "width") <= width, "{}", svg);
                prop_assert!(number(node, "y") + number(node, "height") <= height, "{}", svg);
            }
            // `M<lane> <top>V<bottom>` comes first.
            let mut lines: Vec<(usize, usize, usize)> = Vec::new();
            for group in of_class(&document, "group") {
                let path = group.children().find_map(|node| node.attribute("d")).unwrap();
                let numbers: Vec<usize> = path.split(['M', ' ', 'V']).filter_map(|part| part.parse().ok()).collect();
                let [lane, top, bottom] = numbers[..] else { panic!("{path}") };
                prop_assert!(lane < width && bottom < height, "{}", svg);
                prop_assert!(lines.iter().all(|(other, from, to)| *other != lane || *to < top || bottom < *from), "{}", svg);
                lines.push((lane, top, bottom));
            }
        }
    }
}
