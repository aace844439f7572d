//! What a configuration may say.

use rstest::rstest;
use serde_json::{Value, json};
use typed_path::UnixPath;

use super::*;

fn defaults() -> AgentConfig {
    AgentConfig::new(Layout { work_dir: "/w".into(), runtime_dir: "/r".into() })
}

fn read(file: Value) -> Result<AgentConfig, InvalidConfig> {
    AgentConfigFile::from_table(file).unwrap().over(defaults())
}

#[test]
fn the_defaults_are_valid() {
    assert_eq!(defaults().check(), Ok(()));
    assert_eq!(read(json!({})), Ok(defaults()));
}

#[test]
fn what_the_file_says_replaces_the_default() {
    let config = read(json!({
        "work_dir": "/var/lib/mesos",
        "runtime_dir": "/run/mesos",
        "sandbox_directory": "/sandbox",
        "isolation": "filesystem/linux, namespaces/pid",
        "volume_gid_range": "10000-20000",
        "devices": ["null"],
        "masked_paths": [],
        "readonly_paths": ["/proc/driver", "/opt"],
        "special_mounts": [
            { "target": "/proc", "type": "proc", "source": "none", "flags": ["nosuid", "noexec"] },
            { "target": "/proc/sys", "flags": ["bind", "rec", "ro"] },
            { "target": "/etc/here", "source": "/etc/there", "flags": ["bind"] },
            { "target": "/tmp", "type": "tmpfs", "options": "mode=1777" },
        ],
        "tmpfs_sizes": { "/tmp/": "64m", "/dev/shm": "10%" },
        "host_path_creation": ["/srv/data"],
    }))
    .unwrap();
    let mount = |target: &str, source: Option<&str>, filesystem_type: Option<&str>, flags, options: Option<&str>| {
        let source = source.map(Bytes::from);
        let filesystem_type = filesystem_type.map(String::from);
        SpecialMount { target: target.into(), source, filesystem_type, flags, options: options.map(String::from) }
    };
    let read_only = MountFlags::MS_BIND | MountFlags::MS_REC | MountFlags::MS_RDONLY;
    let expected = AgentConfig {
        layout: Layout { work_dir: "/var/lib/mesos".into(), runtime_dir: "/run/mesos".into() },
        sandbox_directory: "/sandbox".into(),
        isolation: vec!["filesystem/linux".into(), "namespaces/pid".into()],
        devices: vec!["null".into()],
        masked_paths: vec![],
        readonly_paths: vec!["/proc/driver".into(), "/opt".into()],
        special_mounts: vec![
            mount("/proc", Some("none"), Some("proc"), MountFlags::MS_NOSUID | MountFlags::MS_NOEXEC, None),
            mount("/proc/sys", None, None, read_only, None),
            mount("/etc/here", Some("/etc/there"), None, MountFlags::MS_BIND, None),
            mount("/tmp", None, Some("tmpfs"), MountFlags::empty(), Some("mode=1777")),
        ],
        tmpfs_sizes: BTreeMap::from([("/tmp/".into(), "64m".into()), ("/dev/shm".into(), "10%".into())]),
        volume_gid_range: Some(GidRange::new(10000, 20000).unwrap()),
        host_path_creation: vec!["/srv/data".into()],
    };
    assert_eq!(config, expected);
}

#[rstest]
#[case(json!("a,b"), &["a", "b"])]
#[case(json!(" a , b "), &["a", "b"])]
#[case(json!(""), &[])]
#[case(json!(["a", "b"]), &["a", "b"])]
#[case(json!([]), &[])]
fn isolators_come_as_a_list_or_as_mesos_has_them(#[case] isolation: Value, #[case] expected: &[&str]) {
    assert_eq!(read(json!({ "isolation": isolation })).unwrap().isolation, expected);
}

/// The only problem of a file with this setting.
#[track_caller]
fn problem(key: &str, value: &Value) -> String {
    let InvalidConfig(problems) = read(json!({ key: value })).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[rstest]
#[case("work_dir", json!("w"), "work_dir: it must be an absolute path, but is \"w\"")]
#[case("work_dir", json!(""), "work_dir: it must be an absolute path, but is \"\"")]
#[case("runtime_dir", json!("/a/../b"), "runtime_dir: \"/a/../b\" must not contain \"..\"")]
#[case("sandbox_directory", json!("sandbox"), "sandbox_directory: it must be an absolute path")]
#[case("sandbox_directory", json!("/"), "sandbox_directory: it must not be the root directory")]
#[case("sandbox_directory", json!("//."), "sandbox_directory: it must not be the root directory")]
#[case("isolation", json!("a,,b"), "isolation[1]: the name of an isolator is empty")]
#[case("isolation", json!(["a b"]), "isolation[0]: \"a b\" is not the name of one isolator")]
#[case("devices", json!(["null", "a/b"]), "devices[1]: it must be the name of a device in /dev, but \"a/b\" contains a slash")]
#[case("devices", json!(["/dev/null"]), "devices[0]: it must be the name of a device")]
#[case("devices", json!([".."]), "devices[0]: it must be the name of a device in /dev, but \"..\" means another")]
#[case("devices", json!([""]), "devices[0]: it must be the name of a device in /dev, but it is empty")]
#[case("devices", json!(["ptmx"]), "devices[0]: every container has a \"/dev/ptmx\" of its own")]
#[case("devices", json!(["null", "null"]), "devices[1]: \"null\" is there twice")]
#[case("masked_paths", json!(["proc/kcore"]), "masked_paths[0]: it must be an absolute path, but is \"proc/kcore\"")]
#[case("masked_paths", json!(["/"]), "masked_paths[0]: it must not be the root directory")]
#[case("masked_paths", json!(["/a\0"]), "masked_paths[0]: \"/a\\000\" contains a NUL byte")]
#[case("readonly_paths", json!(["/opt", "/opt/.."]), "readonly_paths[1]: \"/opt/..\" must not contain \"..\"")]
#[case("readonly_paths", json!(["/"]), "readonly_paths[0]: it must not be the root directory")]
#[case("readonly_paths", json!(["/dev"]), "readonly_paths[0]: \"/dev\" can't be read-only")]
#[case("readonly_paths", json!(["/mnt/mesos/sandbox/a"]), "readonly_paths[0]: \"/mnt/mesos/sandbox/a\" would be hidden")]
#[case("host_path_creation", json!(["srv"]), "host_path_creation[0]: it must be an absolute path, but is \"srv\"")]
#[case("volume_gid_range", json!("10000"), "volume_gid_range: \"10000\" is no range of gids")]
#[case("volume_gid_range", json!("0-5"), "volume_gid_range: a range of gids cannot begin with 0")]
#[case("volume_gid_range", json!("+1-5"), "volume_gid_range: \"+1-5\" is no range of gids")]
#[case("volume_gid_range", json!("1-4294967295"), "volume_gid_range: a range of gids cannot end with 4294967295")]
#[case("volume_gid_range", json!("5-4"), "volume_gid_range: the range of gids 5-4 is empty")]
#[case("tmpfs_sizes", json!({ "/tmp": "1m" }), "tmpfs_sizes.\"/tmp\": no tmpfs is mounted on \"/tmp\": there is one")]
#[case("tmpfs_sizes", json!({ "/proc": "1m" }), "tmpfs_sizes.\"/proc\": no tmpfs is mounted on \"/proc\"")]
#[case("tmpfs_sizes", json!({ "dev": "1m" }), "tmpfs_sizes.dev: it must be an absolute path, but is \"dev\"")]
#[case(
    "tmpfs_sizes",
    json!({ "/dev/shm": "1m", "/dev//shm": "2m" }),
    "tmpfs_sizes.\"/dev/shm\": \"/dev/shm\" is there twice, written differently"
)]
fn mistakes_are_told_by_their_key(#[case] key: &str, #[case] value: Value, #[case] expected: &str) {
    let problem = problem(key, &value);
    assert!(problem.starts_with(expected), "{problem}");
}

#[rstest]
#[case("1")]
#[case("4096")]
#[case("64k")]
#[case("64K")]
#[case("1m")]
#[case("8589934591g")]
#[case("100%")]
#[case("9223372036854775807")]
fn sizes(#[case] size: &str) {
    let config = read(json!({ "tmpfs_sizes": { "/dev/shm": size } })).unwrap();
    assert_eq!(config.tmpfs_options(UnixPath::new("/dev/shm"), None), Some(format!("size={size}")));
}

#[rstest]
#[case("", "is no size")]
#[case("k", "is no size")]
#[case("-1", "is no size")]
#[case("+1", "is no size")]
#[case("1.5g", "is no size")]
#[case("1kk", "is no size")]
#[case("1 k", "is no size")]
#[case("1t", "is no size")]
#[case("1m,mode=777", "is no size")]
#[case("0x10", "is no size")]
#[case("010k", "is no size")]
#[case("٣", "is no size")]
#[case("0", "would be no limit at all")]
#[case("0%", "would be no limit at all")]
#[case("101%", "is too much")]
#[case("9223372036854775808", "is too much")]
#[case("8589934592g", "is too much")]
#[case("99999999999999999999999", "is too much")]
fn sizes_that_are_none(#[case] size: &str, #[case] expected: &str) {
    let problem = problem("tmpfs_sizes", &json!({ "/dev/shm": size }));
    assert!(problem.starts_with("tmpfs_sizes.\"/dev/shm\": ") && problem.contains(expected), "{problem}");
}

#[rstest]
#[case(json!({ "target": "proc", "type": "proc" }), "target: it must be an absolute path, but is \"proc\"")]
#[case(json!({ "target": "/", "type": "tmpfs" }), "target: it must not be the root directory")]
#[case(json!({ "target": "/mnt/mesos/sandbox", "type": "tmpfs" }), "target: \"/mnt/mesos/sandbox\" would be hidden")]
#[case(json!({ "target": "/a" }), "type: there must be a type, or the flag bind")]
#[case(json!({ "target": "/a", "type": "" }), "type: it is empty")]
#[case(json!({ "target": "/a", "type": "tmpfs", "flags": ["bind"] }), "type: a bind has no type")]
#[case(json!({ "target": "/a", "flags": ["bind"], "source": "b" }), "source: it must be an absolute path, but is \"b\"")]
#[case(json!({ "target": "/a", "flags": ["bind"], "source": "/b/../c" }), "source: \"/b/../c\" must not contain")]
#[case(json!({ "target": "/a", "type": "ext4", "source": "/dev/sda1" }), "source: the source of a filesystem must be a name")]
#[case(json!({ "target": "/a", "type": "tmpfs", "source": "" }), "source: it is empty")]
#[case(json!({ "target": "/a", "type": "tmpfs", "flags": ["rec"] }), "flags: MS_REC has no effect on a new filesystem")]
#[case(json!({ "target": "/a", "flags": ["bind", "sync"] }), "flags: MS_SYNCHRONOUS has no effect on a bind")]
#[case(json!({ "target": "/a", "flags": ["bind"], "options": "x" }), "options: a bind has no options")]
#[case(json!({ "target": "/a", "type": "tmpfs", "options": "\0" }), "options: \"\\000\" contains a NUL byte")]
#[case(
    json!({ "target": "/a", "type": "tmpfs", "flags": ["ro", "nosiud"] }),
    "flags[1]: unknown flag \"nosiud\"; known are ro, nosuid, "
)]
fn mistaken_special_mounts(#[case] mount: Value, #[case] expected: &str) {
    let problem = problem("special_mounts", &json!([{ "target": "/proc", "type": "proc" }, mount]));
    assert!(problem.starts_with(&format!("special_mounts[1].{expected}")), "{problem}");
}

#[test]
fn flags_of_mount_2_that_the_launcher_does_not_take_are_refused() {
    let mut config = defaults();
    config.special_mounts[0].flags |= MountFlags::MS_SHARED;
    let expected = "special_mounts[0].flags: MS_SHARED is not supported";
    assert_eq!(config.check().unwrap_err().to_string(), expected);
}

#[test]
fn every_mistake_is_told() {
    let InvalidConfig(problems) = read(json!({
        "work_dir": "w",
        "volume_gid_range": "x",
        "devices": ["a/b", "c/d"],
        "special_mounts": [{ "target": "a", "flags": ["x", "y"] }],
        "tmpfs_sizes": { "/dev": "x" },
    }))
    .unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.to_string()).collect();
    let expected = [
        "work_dir",
        "volume_gid_range",
        "special_mounts[0].flags[0]",
        "special_mounts[0].flags[1]",
        "devices[0]",
        "devices[1]",
        "special_mounts[0].target",
        "special_mounts[0].type",
        // No tmpfs, and no size.
        "tmpfs_sizes.\"/dev\"",
        "tmpfs_sizes.\"/dev\"",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn dev_shm_is_ours_unless_another_isolator_is_in_charge_of_it() {
    let sizes = json!({ "/dev/shm": "1m" });
    assert!(read(json!({ "tmpfs_sizes": sizes })).is_ok());
    let error = read(json!({ "tmpfs_sizes": sizes, "isolation": "namespaces/ipc" })).unwrap_err();
    assert!(error.to_string().starts_with("tmpfs_sizes.\"/dev/shm\": with namespaces/ipc in isolation,"), "{error}");
}

#[rstest]
#[case(None, "size=1m")]
#[case(Some(""), "size=1m")]
#[case(Some("mode=755"), "mode=755,size=1m")]
#[case(Some("size=50%,mode=755"), "mode=755,size=1m")]
#[case(Some("mode=755,size=2m,nr_blocks=7,nr_inodes=8"), "mode=755,nr_inodes=8,size=1m")]
fn a_size_replaces_the_one_that_is_there(#[case] options: Option<&str>, #[case] expected: &str) {
    let config = AgentConfig { tmpfs_sizes: BTreeMap::from([("/tmp".into(), "1m".into())]), ..defaults() };
    assert_eq!(config.tmpfs_options(UnixPath::new("/tmp/"), options).as_deref(), Some(expected));
    assert_eq!(config.tmpfs_options(UnixPath::new("/tmp/a"), options).as_deref(), options);
}

#[rstest]
#[case(json!({ "no_such_key": 1 }))]
#[case(json!({ "special_mounts": [{ "target": "/a", "typ": "tmpfs" }] }))]
#[case(json!({ "special_mounts": [{ "type": "tmpfs" }] }))]
#[case(json!({ "special_mounts": [["/a", "tmpfs"]] }))]
#[case(json!({ "devices": "null" }))]
#[case(json!(["/w"]))]
#[case(json!([]))]
fn what_is_no_configuration_is_refused(#[case] file: Value) {
    assert!(AgentConfigFile::from_table(file).is_err());
}
