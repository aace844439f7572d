//! A kernel that is made older.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use cofferdam::UnixPath;
use cofferdam::agent::AgentConfig;
use cofferdam::isolator::check_host;
use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, Errno, Fd, FsmountFlags, Intercepted, Interceptor, Kernel, Mode, MountAttr,
    MountAttrFlags, MountFlags, MoveMountFlags, OlderKernel, OpenHow, OpenTreeFlags, Release, StatMount, StatMountMask,
    Support, UniqueMountId, UnsupportedKernel, Utsname, Value, WaitOptions, WaitStatus,
};
use cofferdam::layout::Layout;
use cofferdam_vfs_sim::{Linux, Process, sample};
use rstest::rstest;

fn kernel() -> Process {
    Process::init(sample::host())
}

/// Calls that fail for another reason where they exist.
fn calls() -> [Call; 6] {
    let (dirfd, path) = (Fd(-1), Bytes::from(""));
    [
        Call::OpenTree { dirfd, path: path.clone(), flags: OpenTreeFlags::empty() },
        Call::Openat2 { dirfd, path: path.clone(), how: OpenHow::default() },
        Call::MountSetattr {
            dirfd,
            path: path.clone(),
            flags: AtFlags::from_bits_retain(1),
            attr: MountAttr::default(),
        },
        Call::Statmount { mount: UniqueMountId(1), mask: StatMountMask::empty() },
        Call::Listmount { mount: UniqueMountId(1), last: 0 },
        Call::OpenTreeAttr { dirfd, path, flags: OpenTreeFlags::empty(), attr: MountAttr::default() },
    ]
}

#[rstest]
#[case::before_all(Release(5, 1), &["open_tree", "openat2", "mount_setattr", "statmount", "listmount", "open_tree_attr"])]
#[case::unsupported(Release(5, 11), &["mount_setattr", "statmount", "listmount", "open_tree_attr"])]
#[case::oldest(Release(5, 12), &["statmount", "listmount", "open_tree_attr"])]
#[case(Release(6, 7), &["statmount", "listmount", "open_tree_attr"])]
#[case(Release(6, 8), &["open_tree_attr"])]
#[case(Release(6, 15), &[])]
#[case::newer_than_any(Release(99, 0), &[])]
fn a_release_lacks_what_came_later(#[case] release: Release, #[case] missing: &[&str]) {
    let (kernel, older) = (kernel(), OlderKernel::of(release));
    let lacks = |call: &Call| call.apply(&Intercepted::new(&kernel, &older)) == Err(Errno::ENOSYS);
    let lacking: Vec<_> = calls().iter().filter(|call| lacks(call)).map(Call::name).collect();
    assert_eq!(lacking, missing);
    assert!(calls().iter().all(|call| call.apply(&kernel) != Err(Errno::ENOSYS)), "the newest has them all");
}

#[test]
fn the_presets_are_the_releases_that_made_a_difference() {
    assert_eq!(OlderKernel::LINUX_5_12, OlderKernel::of(Release(5, 12)));
    assert_eq!(OlderKernel::LINUX_6_8, OlderKernel::of(Release(6, 8)));
    assert_eq!(OlderKernel::LINUX_6_15, OlderKernel::of(Release(6, 15)));
}

#[test]
fn a_single_call_can_be_taken_away() {
    let (kernel, older) = (kernel(), OlderKernel::of(Release(99, 0)).without("getpid"));
    let kernel = Intercepted::new(&kernel, &older);
    assert_eq!((kernel.getpid(), kernel.geteuid()), (Err(Errno::ENOSYS), Ok(0)));
}

#[test]
fn a_child_is_on_the_older_kernel_as_well() {
    let (kernel, older) = (kernel(), OlderKernel::LINUX_5_12);
    let kernel = Intercepted::new(&kernel, &older);
    let lists = |kernel: &dyn Kernel| kernel.listmount(UniqueMountId::ROOT, 0) == Err(Errno::ENOSYS);
    let child = kernel.clone3(CloneFlags::empty(), &mut |kernel| i32::from(lists(kernel))).unwrap();
    assert_eq!(kernel.wait4(child, WaitOptions::empty()), Ok(Some((child, WaitStatus::Exited(1)))));
}

#[rstest]
#[case(Release(5, 12), "5.12.0")]
#[case(Release(6, 8), "6.8.0")]
#[case::what_is_older_stays(Release(99, 0), "6.18.0")]
fn uname_says_the_release(#[case] release: Release, #[case] expected: &str) {
    let (kernel, older) = (kernel(), OlderKernel::of(release));
    let name = Intercepted::new(&kernel, &older).uname().unwrap();
    assert_eq!(name, Utsname { release: expected.into(), ..kernel.uname().unwrap() });
}

const NEW: StatMountMask = StatMountMask::STATMOUNT_MNT_NS_ID
    .union(StatMountMask::STATMOUNT_MNT_OPTS)
    .union(StatMountMask::STATMOUNT_SB_SOURCE)
    .union(StatMountMask::STATMOUNT_OPT_ARRAY)
    .union(StatMountMask::STATMOUNT_SUPPORTED_MASK);

#[test]
fn statmount_tells_what_the_release_knew() {
    let kernel = kernel();
    kernel.mkdirat(Fd::CWD, UnixPath::new("/m"), Mode(0o755)).unwrap();
    let options = Some(&b"size=64k"[..]);
    let tmpfs = UnixPath::new("tmpfs");
    kernel.mount(Some(tmpfs), UnixPath::new("/m"), Some(b"tmpfs"), MountFlags::empty(), options).unwrap();
    let mount = *kernel.listmount(UniqueMountId::ROOT, 0).unwrap().last().unwrap();
    let mask = StatMountMask::STATMOUNT_MNT_POINT | NEW;
    let now = kernel.statmount(mount, mask).unwrap();
    assert!(now.mask.contains(mask) && now.source == "tmpfs".into() && now.supported_mask.contains(NEW), "{now:?}");
    let as_of = |older: OlderKernel| Intercepted::new(&kernel, &older).statmount(mount, mask).unwrap();

    let then = as_of(OlderKernel::LINUX_6_8);
    let mountpoint_alone = StatMount { mask: StatMountMask::STATMOUNT_MNT_POINT, mountpoint: "/m".into(), ..empty() };
    assert_eq!(then, mountpoint_alone);
    let with_namespace = as_of(OlderKernel::of(Release(6, 12)));
    assert_eq!((with_namespace.namespace_id, with_namespace.options), (now.namespace_id, now.options.clone()));
    assert_eq!((with_namespace.source, with_namespace.option_array), ("".into(), vec![]));
    assert_eq!(as_of(OlderKernel::LINUX_6_15), now);
}

fn empty() -> StatMount {
    StatMount::default()
}

#[test]
fn flags_that_came_later_are_unknown_ones() {
    let kernel = kernel();
    let refused = |call: &Call, release| {
        let older = OlderKernel::of(release);
        let answer = call.apply(&Intercepted::new(&kernel, &older));
        // Where they are known, it is the descriptor that is wrong.
        assert!([Err(Errno::EINVAL), Err(Errno::EBADF)].contains(&answer), "{call}: {answer:?}");
        answer == Err(Errno::EINVAL)
    };
    let (fd, path) = (Fd(-1), Bytes::from(""));
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW;
    let attr = MountAttr { attr_set: attributes, ..MountAttr::default() };
    let flags = AtFlags::AT_EMPTY_PATH;
    let set = Call::MountSetattr { dirfd: fd, path: path.clone(), flags, attr };
    let mount = Call::Fsmount { fd, flags: FsmountFlags::empty(), attr_flags: attributes };
    for call in [set, mount] {
        assert!(refused(&call, Release(5, 13)) && !refused(&call, Release(5, 14)), "{call}");
    }
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    let beneath = Call::MoveMount {
        from_dirfd: fd,
        from_path: path.clone(),
        to_dirfd: fd,
        to_path: path,
        flags: both | MoveMountFlags::MOVE_MOUNT_BENEATH,
    };
    assert!(refused(&beneath, Release(6, 4)) && !refused(&beneath, Release(6, 5)));
}

#[rstest]
#[case(
    Release(4, 19),
    "this is Linux 4.19, which lacks open_tree(2); Linux 5.12 or newer is needed: upgrade the kernel"
)]
#[case(Release(5, 4), "this is Linux 5.4, which lacks openat2(2); Linux 5.12 or newer is needed: upgrade the kernel")]
#[case(
    Release(5, 11),
    "this is Linux 5.11, which lacks mount_setattr(2); Linux 5.12 or newer is needed: upgrade the kernel"
)]
fn a_kernel_before_5_12_is_told_what_is_needed(#[case] release: Release, #[case] expected: &str) {
    let (kernel, older) = (kernel(), OlderKernel::of(release));
    let kernel = Intercepted::new(&kernel, &older);
    assert_eq!(Support::of(&kernel).sufficient().unwrap_err().to_string(), expected);
    let layout = Layout { work_dir: "/var/lib".into(), runtime_dir: "/run".into() };
    // Whoever may not mount can't be told apart from a kernel that can't, so that privileges are checked first.
    let checked = check_host(&kernel, &AgentConfig::new(layout), false).unwrap_err().to_string();
    assert!(checked == expected || release < Release(5, 6), "{checked}");
}

#[test]
fn a_call_that_is_filtered_is_not_called_old() {
    let (kernel, filter) = (kernel(), OlderKernel::of(Release(99, 0)).without("mount_setattr"));
    let support = Support::of(&Intercepted::new(&kernel, &filter));
    let error = support.sufficient().unwrap_err();
    assert_eq!(error, UnsupportedKernel::Forbidden { release: Release(6, 18), call: "mount_setattr" });
    assert!(error.to_string().contains("seccomp"), "{error}");
    let filter = OlderKernel::of(Release(99, 0)).without("open_tree_attr");
    let support = Support::of(&Intercepted::new(&kernel, &filter)).sufficient().unwrap();
    let missing: Vec<_> = support.missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["open_tree_attr(2) of Linux 6.15"]);
}

/// Answers with a value of another kind.
struct Wrong;

impl Interceptor for Wrong {
    fn instead(&self, call: &Call, _: &Result<Value, Errno>) -> Option<Result<Value, Errno>> {
        matches!(call, Call::Getpid {} | Call::Geteuid {}).then(|| Ok(Value::User(7)))
    }
}

#[test]
fn an_answer_is_the_callers_result_if_it_is_of_the_calls_kind() {
    let kernel = Process::init(Linux::new());
    let kernel = Intercepted::new(&kernel, &Wrong);
    assert_eq!((kernel.getpid(), kernel.geteuid()), (Err(Errno::EPROTO), Ok(7)));
}
