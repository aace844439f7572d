//! Lines as real systems print them.

use std::borrow::Cow;

use rstest::rstest;
use typed_path::UnixPath;

use super::{Entry, OptionalField, OwnedEntry, entries};

fn only(line: &[u8]) -> Entry<'_> {
    let mut found = entries(line);
    let entry = found.next().unwrap().unwrap();
    assert_eq!(found.next(), None);
    assert_eq!(entry.as_bytes(), line);
    entry
}

#[test]
fn reads_every_field() {
    // The example of proc_pid_mountinfo(5), with escapes.
    let line = b"36 35 98:4 /mnt1\\0111 /mnt2\\0402 rw,noatime master:1 - ext3 /dev/root\\043 \
                 rw,errors=continue,x=a\\054b";
    let entry = only(line);
    assert_eq!((entry.id(), entry.parent_id()), (36, 35));
    assert_eq!((entry.major(), entry.minor()), (98, 4));
    assert_eq!(entry.root(), UnixPath::new("/mnt1\t1"));
    assert_eq!(entry.root_raw(), b"/mnt1\\0111");
    assert_eq!(entry.mountpoint(), UnixPath::new("/mnt2 2"));
    assert_eq!(entry.mountpoint_raw(), b"/mnt2\\0402");
    assert_eq!(entry.mount_options().collect::<Vec<_>>(), [&b"rw"[..], b"noatime"]);
    assert!(entry.has_mount_option(b"noatime") && !entry.has_mount_option(b"no"));
    assert_eq!(entry.optional_fields().collect::<Vec<_>>(), [OptionalField::Master(1)]);
    assert_eq!(&*entry.filesystem_type(), b"ext3");
    assert_eq!(&*entry.source(), b"/dev/root#");
    assert_eq!(entry.source_raw(), b"/dev/root\\043");
    assert_eq!(entry.super_options().collect::<Vec<_>>(), [&b"rw"[..], b"errors=continue", b"x=a\\054b"]);
    assert!(entry.has_super_option(b"errors=continue") && !entry.has_super_option(b"errors"));
    assert_eq!(entry.super_option(b"x").as_deref(), Some(&b"a,b"[..]));
    assert_eq!(entry.super_option(b"rw"), None);
}

#[test]
fn borrows_what_has_no_escape() {
    let entry = only(b"36 35 98:4 / /mnt rw - ext4 /dev/sda rw");
    assert!(matches!(entry.mountpoint(), Cow::Borrowed(_)));
    assert!(matches!(entry.source(), Cow::Borrowed(_)));
}

#[rstest]
#[case::private(b"rw", None, None, None, false)]
#[case::shared(b"rw shared:7", Some(7), None, None, false)]
#[case::slave_and_shared(b"rw shared:8 master:7", Some(8), Some(7), None, false)]
#[case::dominated(b"rw master:7 propagate_from:2", None, Some(7), Some(2), false)]
#[case::unbindable(b"rw unbindable", None, None, None, true)]
#[case::among_unknown(b"rw foo bar:x shared:7 -- :", Some(7), None, None, false)]
fn reads_propagation(
    #[case] fields: &[u8],
    #[case] peer_group: Option<u32>,
    #[case] master: Option<u32>,
    #[case] propagate_from: Option<u32>,
    #[case] unbindable: bool,
) {
    let line = [b"36 35 98:4 / /mnt ", fields, b" - tmpfs tmpfs rw"].concat();
    let entry = only(&line);
    assert_eq!(entry.mount_options_raw(), b"rw");
    assert_eq!(entry.optional_fields_raw(), fields.strip_prefix(b"rw").unwrap().trim_ascii());
    assert_eq!(entry.peer_group(), peer_group);
    assert_eq!(entry.master(), master);
    assert_eq!(entry.propagate_from(), propagate_from);
    assert_eq!(entry.is_unbindable(), unbindable);
}

#[test]
fn keeps_unknown_optional_fields() {
    let entry = only(b"36 35 98:4 / /mnt rw foo bar:x:y unbindable:1 - tmpfs tmpfs rw");
    assert_eq!(
        entry.optional_fields().collect::<Vec<_>>(),
        [
            OptionalField::Unknown { tag: b"foo", value: None },
            OptionalField::Unknown { tag: b"bar", value: Some(b"x:y") },
            OptionalField::Unknown { tag: b"unbindable", value: Some(b"1") },
        ]
    );
    assert!(!entry.is_unbindable());
}

// Lines that Linux 6.18 printed, but for the 9p one, which is from microsoft/WSL issue 10056.
#[rstest]
#[case::hash(b"68 63 0:44 / /m/ha#sh rw - tmpfs \\043src rw", b"/m/ha#sh", b"#src")]
#[case::hash_before_5_19(b"68 63 0:44 / /m/ha#sh rw - tmpfs #src rw", b"/m/ha#sh", b"#src")]
#[case::not_utf8(b"69 63 0:45 / /m/\xff\xfe rw - tmpfs \xff\x01 rw", b"/m/\xff\xfe", b"\xff\x01")]
#[case::newline(b"66 63 0:42 / /m/nl\\012x rw - tmpfs n\\012l rw", b"/m/nl\nx", b"n\nl")]
#[case::control(b"72 63 0:48 / /m/c\x01\x7f rw - tmpfs c\r\x0b rw", b"/m/c\x01\x7f", b"c\r\x0b")]
#[case::escape(b"70 63 0:46 / /m/\\134040x rw - tmpfs \\134040 rw", b"/m/\\040x", b"\\040")]
#[case::empty_source(b"71 63 0:47 / /m/empty rw shared:1 - tmpfs  rw", b"/m/empty", b"")]
#[case::hyphen(b"73 63 0:49 / /m/dash rw - tmpfs - rw", b"/m/dash", b"-")]
#[case::space_in_option(
    b"90 1 0:60 / /Docker/host rw,noatime - 9p drvfs rw,aname=drvfs;path=C:\\Program Files\\Docker;symlinkroot=/mnt/,trans=virtio",
    b"/Docker/host",
    b"drvfs"
)]
fn reads_odd_names(#[case] line: &[u8], #[case] mountpoint: &[u8], #[case] source: &[u8]) {
    let entry = only(line);
    assert_eq!(entry.mountpoint().as_bytes(), mountpoint);
    assert_eq!(&*entry.source(), source);
}

#[test]
fn reads_options_the_filesystem_left_unescaped() {
    let entry = only(b"90 1 0:60 / /h rw - 9p drvfs rw,path=C:\\Program Files\\Docker,trans=fd");
    assert_eq!(entry.super_option(b"path").as_deref(), Some(&b"C:\\Program Files\\Docker"[..]));
    assert!(entry.has_super_option(b"trans=fd"));
    let empty = only(b"90 1 0:60 / /h rw - 9p drvfs ");
    assert_eq!(empty.super_options().count(), 0);
}

#[test]
fn reads_odd_roots() {
    let deleted = only(b"75 63 0:47 /ro\\040ot#//deleted /m/bind rw - tmpfs none rw");
    assert_eq!(deleted.root().as_bytes(), b"/ro ot#//deleted");
    assert!(deleted.root_is_deleted());
    let namespace = only(b"79 63 0:4 net:[4026531833] /m/ns rw - nsfs nsfs rw");
    assert_eq!(namespace.root().as_bytes(), b"net:[4026531833]");
    assert!(!namespace.root_is_deleted());
}

#[test]
fn prints_a_line_lossily() {
    let entry = only(b"69 63 0:45 / /m/\xff rw - tmpfs \xc3\xa4 rw");
    assert_eq!(entry.to_string(), "69 63 0:45 / /m/\u{fffd} rw - tmpfs \u{e4} rw");
    assert_eq!(format!("{entry:?}"), "Entry(69 63 0:45 / /m/\\xff rw - tmpfs \\xc3\\xa4 rw)");
    let mut bytes = Vec::new();
    entry.write_to(&mut bytes);
    assert_eq!(bytes, entry.as_bytes());
}

#[test]
fn writes_as_the_kernel() {
    let line = b"36 35 98:4 /a#\\134 /m\\0122 ro,nosuid shared:4 master:3 propagate_from:2 unbindable \
                 - fuse.a\\043b \\043s rw,lowerdir=/a\\054b";
    let owned = OwnedEntry::from(&only(line));
    assert_eq!(owned.source, b"#s");
    let mut written = Vec::new();
    owned.write_to(&mut written);
    assert_eq!(written.escape_ascii().to_string(), line.escape_ascii().to_string());
}

#[test]
fn writes_no_line_that_tears() {
    let mut owned = OwnedEntry {
        mount_options: b"rw,a b\nc".to_vec(),
        super_options: b"rw,a b\nc".to_vec(),
        ..OwnedEntry::default()
    };
    owned.push_super_option(b"n,=", None);
    assert_eq!(owned.to_string(), r"0 0 0:0 / / rw,a\040b\012c - none none rw,a b\012c,n\054\075");
}
