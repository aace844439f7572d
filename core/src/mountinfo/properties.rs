//! Properties of any table, and of tables that a model of the kernel's mount tree gives.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use typed_path::{UnixPath, UnixPathBuf};

use super::{Entry, OwnedEntry, Table, entries, escape};

/// Text that is often close to a line, and sometimes one.
fn line_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => Just(&b" "[..]),
        4 => prop::sample::select(vec![&b"1"[..], b"42", b"0:31", b"/", b"/a\\040b", b"rw", b"ext4"]),
        2 => prop::sample::select(vec![&b"-"[..], b" - ", b"shared:1", b"foo:", b"unbindable"]),
        1 => prop::sample::select(vec![&b"\n"[..], b"\\", b",", b"\xff", b":", b"4294967296"]),
        2 => Just(&b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n"[..]),
        2 => Just(&b"37 35 98:0 / /mnt2 rw - ext3 "[..]),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn not_torn(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("would tear the line", |byte| !b" \n".contains(byte));
    vec(byte, 1..longest)
}

fn owned_entry() -> impl Strategy<Value = OwnedEntry> {
    let numbers = any::<(u32, u32, u32, u32)>();
    let names = (vec(any::<u8>(), 1..20), vec(any::<u8>(), 1..20), not_torn(12));
    let propagation = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>()), any::<bool>());
    let filesystem =
        (vec(any::<u8>(), 1..9), vec(any::<u8>(), 0..9), vec(any::<u8>(), 1..9), option::of(vec(any::<u8>(), 0..9)));
    (numbers, names, propagation, filesystem).prop_map(
        |(
            (id, parent_id, major, minor),
            (root, mountpoint, mount_options),
            (peer_group, master, propagate_from, unbindable),
            (filesystem_type, source, name, value),
        )| {
            let mut entry = OwnedEntry {
                id,
                parent_id,
                major,
                minor,
                root: UnixPathBuf::from(root),
                mountpoint: UnixPathBuf::from(mountpoint),
                mount_options,
                peer_group,
                master,
                propagate_from,
                unbindable,
                filesystem_type,
                source,
                ..OwnedEntry::default()
            };
            entry.push_super_option(&name, value.as_deref());
            entry
        },
    )
}

/// Parses `text` and asks the table everything.
fn use_all(text: &[u8]) {
    let Ok(table) = Table::parse(text) else {
        return;
    };
    let mut written = Vec::new();
    table.write_to(&mut written);
    assert_eq!(written, text);

    let mut lines = Vec::new();
    for entry in table.entries() {
        entry.write_to(&mut lines);
        lines.push(b'\n');
        let mut again = Vec::new();
        OwnedEntry::from(entry).write_to(&mut again);
        let again = entries(&again).next().unwrap().unwrap();
        assert_eq!(again.mountpoint().as_bytes(), entry.mountpoint().as_bytes());
        assert_eq!(again.source(), entry.source());
        assert_eq!(again.super_options_raw(), entry.super_options_raw());

        let _ = (table.is_visible(entry), table.containing(&entry.root()));
        let _ = (table.at(&entry.mountpoint()).count(), table.children(entry.id()).count());
        let _ = (table.at_or_below(&entry.mountpoint()).count(), entry.super_option(b"x"));
        let _ = format!("{entry} {entry:?} {:?}", entry.optional_fields().collect::<Vec<_>>());
    }
    let lines = if text.ends_with(b"\n") { &lines[..] } else { lines.strip_suffix(b"\n").unwrap_or_default() };
    assert_eq!(lines, text);
}

fn check_messages(text: &[u8]) {
    for (index, error) in entries(text).enumerate().filter_map(|(i, entry)| Some((i, entry.err()?))) {
        assert_eq!(error.line, index + 1);
        assert!(error.to_string().starts_with("line "));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(text in vec(any::<u8>(), 0..200)) {
        use_all(&text);
        check_messages(&text);
    }

    #[test]
    fn text_like_a_table_is_written_as_it_was_read(text in line_like()) {
        use_all(&text);
        check_messages(&text);
    }

    #[test]
    fn escapes_are_undone(bytes in vec(any::<u8>(), 0..40)) {
        for set in [escape::PATH, escape::NAME, escape::OPTION_NAME, escape::OPTION_VALUE] {
            let encoded = escape::encode(&bytes, set);
            prop_assert!(!encoded.iter().any(|byte| *byte != b'\\' && set.contains(byte)));
            prop_assert_eq!(&*escape::decode(&encoded), &*bytes);
        }
    }

    #[test]
    fn what_is_common_is_that_of_the_decoded_bytes(
        raw in vec(prop::sample::select(vec![&b"/"[..], b"a", b"/long/name", b"\\040", b"\\", b"\\057", b"\\134"]), 0..9),
        length in any::<prop::sample::Index>(),
        more in vec(any::<u8>(), 0..3),
    ) {
        let raw = raw.concat();
        let decoded = escape::decode(&raw);
        let bytes = [&decoded[..length.index(decoded.len() + 1)], &more].concat();
        let common = decoded.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
        let (raw_rest, rest) = escape::skip_common(&raw, &bytes);
        prop_assert_eq!(&*escape::decode(raw_rest), &decoded[common..]);
        prop_assert_eq!(rest, &bytes[common..]);
    }

    #[test]
    fn what_is_written_is_read_back(owned in owned_entry()) {
        let mut line = Vec::new();
        owned.write_to(&mut line);
        let entry = entries(&line).next().unwrap().unwrap();
        let again = OwnedEntry::from(&entry);
        prop_assert_eq!(again.root.as_bytes(), owned.root.as_bytes());
        prop_assert_eq!(again.mountpoint.as_bytes(), owned.mountpoint.as_bytes());
        prop_assert_eq!(again, owned);
    }

    #[test]
    fn containing_agrees_with_the_kernels_walk(
        (kernel, seed) in (kernel(), any::<prop::sample::Index>()),
    ) {
        for root in [vec![], vec![0], vec![0, 1], vec![1]] {
            check_view(&kernel, &root, seed)?;
        }
    }
}

/// A path in the model: few names, so that mounts often meet.
type Names = Vec<u8>;

/// A mount tree as the kernel keeps it.
#[derive(Debug, Clone)]
struct Kernel {
    mounts: Vec<Mount>,
}

#[derive(Debug, Clone)]
struct Mount {
    id: u32,
    parent_id: u32,
    mountpoint: Names,
}

const ROOT: u32 = 10;

impl Kernel {
    /// The mount on `mount` at exactly this path.
    fn on(&self, mount: u32, path: &[u8]) -> Option<u32> {
        let mut mounts = self.mounts.iter();
        mounts.find(|m| m.parent_id == mount && m.mountpoint == path).map(|m| m.id)
    }

    /// The kernel's walk, one component at a time, from a directory and the mount it is in.
    fn lookup(&self, mut mount: u32, directory: &[u8], path: &[u8]) -> u32 {
        let mut position = directory.to_vec();
        for &name in path {
            position.push(name);
            while let Some(next) = self.on(mount, &position) {
                mount = next;
            }
        }
        mount
    }

    /// mount(2): on top of what is already mounted there.
    fn mount(&mut self, id: u32, mountpoint: Names) {
        let mut parent_id = self.lookup(ROOT, &[], &mountpoint);
        while let Some(next) = self.on(parent_id, &mountpoint) {
            parent_id = next;
        }
        self.mounts.push(Mount { id, parent_id, mountpoint });
    }

    /// umount2(2) without flags.
    fn unmount(&mut self, path: &[u8]) {
        let top = self.lookup(ROOT, &[], path);
        let busy = self.mounts.iter().any(|m| m.parent_id == top);
        self.mounts.retain(|m| busy || m.id == ROOT || m.id != top || m.mountpoint != path);
    }

    /// Whether a process with this root directory, in this mount, can reach the mount.
    fn reaches(&self, root_mount: u32, root: &[u8], mount: &Mount) -> bool {
        if mount.id == root_mount {
            return mount.mountpoint == root;
        }
        let mut below = mount;
        while let Some(parent) = self.mounts.iter().find(|m| m.id == below.parent_id) {
            if parent.id == root_mount {
                return below.mountpoint.starts_with(root);
            }
            below = parent;
        }
        false
    }
}

fn kernel() -> impl Strategy<Value = Kernel> {
    let path = || vec(0..2_u8, 0..4);
    let step = prop_oneof![
        5 => path().prop_map(|path| (true, path)),
        1 => path().prop_map(|path| (false, path)),
    ];
    vec(step, 0..20).prop_map(|steps| {
        let root = Mount { id: ROOT, parent_id: 1, mountpoint: vec![] };
        let mut kernel = Kernel { mounts: vec![root] };
        for (id, (mount, path)) in (ROOT + 1..).zip(steps) {
            if mount {
                kernel.mount(id, path);
            } else {
                kernel.unmount(&path);
            }
        }
        kernel
    })
}

/// Names with a byte that is escaped, and one that is not UTF-8.
fn to_path(names: &[u8]) -> UnixPathBuf {
    let mut path = Vec::new();
    for &name in names {
        path.extend_from_slice(if name == 0 { b"/a b" } else { b"/a\xff" });
    }
    UnixPathBuf::from(if path.is_empty() { b"/".to_vec() } else { path })
}

/// Compares every lookup of a process whose root directory is `root`.
fn check_view(kernel: &Kernel, root: &[u8], seed: prop::sample::Index) -> Result<(), TestCaseError> {
    let root_mount = kernel.lookup(ROOT, &[], root);
    let mut shown: Vec<_> = kernel.mounts.iter().filter(|mount| kernel.reaches(root_mount, root, mount)).collect();
    let has_root = shown.iter().any(|mount| mount.id == root_mount);
    let on_root_mount = || shown.iter().filter(|mount| mount.parent_id == root_mount);
    if !has_root && on_root_mount().count() == 1 && on_root_mount().all(|m| m.mountpoint == root) {
        // What is stacked on the root directory then looks like the root mount itself.
        return Ok(());
    }
    // No answer may depend on the order of the text.
    if !shown.is_empty() {
        let middle = seed.index(shown.len());
        shown.rotate_left(middle);
    }

    let mut text = Vec::new();
    for mount in &shown {
        OwnedEntry {
            id: mount.id,
            parent_id: mount.parent_id,
            mountpoint: to_path(&mount.mountpoint[root.len()..]),
            ..OwnedEntry::default()
        }
        .write_to(&mut text);
        text.push(b'\n');
    }
    let table = Table::parse(&text).unwrap();
    prop_assert_eq!(table.root().map(Entry::id), has_root.then_some(root_mount));

    let paths = (0..5).flat_map(|length| (0..1_u32 << length).map(move |bits| (length, bits)));
    for (length, bits) in paths {
        let names: Names = (0..length).map(|bit| u8::from(bits >> bit & 1 == 1)).collect();
        let walked = kernel.lookup(root_mount, root, &names);
        let expected = (walked != root_mount || has_root).then_some(walked);
        let path = to_path(&names);
        let found = table.containing(UnixPath::new(path.as_bytes())).map(Entry::id);
        prop_assert_eq!(found, expected, "{:?} in {}", path, table);

        let at: Vec<_> = table.at(&path).map(Entry::id).collect();
        let mut top = walked;
        if names.is_empty() {
            // What is stacked on the root directory is listed, though no lookup goes into it.
            prop_assert_eq!(at.first().copied(), has_root.then_some(root_mount).or(kernel.on(root_mount, root)));
            while let Some(next) = kernel.on(top, root) {
                top = next;
            }
        }
        let mountpoint = [root, &names].concat();
        let is_on_path = shown.iter().any(|mount| mount.id == top && mount.mountpoint == mountpoint);
        prop_assert_eq!(at.last().copied(), is_on_path.then_some(top));
        prop_assert!(at.windows(2).all(|pair| table.by_id(pair[1]).unwrap().parent_id() == pair[0]));
    }
    Ok(())
}
