//! The calls that exhaustive runs put together.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, Fd, MountAttr, MountFlags, MoveMountFlags, OpenTreeFlags, UmountFlags,
};
use serde::{Deserialize, Serialize};

use crate::sequence::{Action, Step, TaskIndex};

/// A choice of calls over the directories `/a`, `/a/c`, `/b` and `/b/c`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Alphabet {
    /// mount(2), umount2(2) and pivot_root(2) by one process
    #[default]
    Classic,
    /// The few that matter most for propagation, to go deeper
    Propagation,
    /// open_tree(2), move_mount(2) and mount_setattr(2) by one process
    NewApi,
    /// Two processes, the second in a copy of the namespace of the first
    Namespaces,
}

/// The letters of an alphabet.
#[derive(Clone, Debug)]
pub(crate) struct Letters {
    /// What every sequence begins with.
    pub(crate) beginning: Vec<Step>,
    /// The steps.
    pub(crate) steps: Vec<Step>,
    /// For each step the one that it becomes if `/a` and `/b` change their names, which are the same otherwise.
    pub(crate) mirrored: Vec<usize>,
}

const DIRECTORIES: [&str; 4] = ["/a", "/b", "/a/c", "/b/c"];

impl Alphabet {
    pub(crate) fn letters(self) -> Letters {
        let (beginning, steps) = match self {
            Self::Classic => (Vec::new(), classic()),
            Self::Propagation => (Vec::new(), propagation(0)),
            Self::NewApi => (Vec::new(), new_api()),
            Self::Namespaces => {
                let share = mount(0, None, "/", MountFlags::MS_SHARED | MountFlags::MS_REC);
                let fork = Action::Fork { child: 1, flags: CloneFlags::CLONE_NEWNS };
                let steps = (0..2).flat_map(propagation).collect();
                (vec![share, Step { task: 0, action: fork }], steps)
            }
        };
        let mirrored = steps.iter().enumerate().map(|(index, step)| {
            let other = mirror(step);
            steps.iter().position(|step| Some(step) == other.as_ref()).unwrap_or(index)
        });
        let mirrored = mirrored.collect();
        Letters { beginning, steps, mirrored }
    }
}

/// The step with `/a` for `/b` and the other way around.
fn mirror(step: &Step) -> Option<Step> {
    let text = serde_json::to_string(step).ok()?;
    let text = text.replace("\"/a", "\"/?").replace("\"/b", "\"/a").replace("\"/?", "\"/b");
    serde_json::from_str(&text).ok()
}

fn call(task: TaskIndex, call: Call) -> Step {
    Step { task, action: Action::Call(call) }
}

fn mount(task: TaskIndex, source: Option<&str>, target: &str, flags: MountFlags) -> Step {
    let (source, target) = (source.map(Into::into), target.into());
    call(task, Call::Mount { source, target, filesystemtype: None, mountflags: flags, data: None })
}

fn tmpfs(task: TaskIndex, target: &str) -> Step {
    let (source, kind) = (Some("tmpfs".into()), Some("tmpfs".into()));
    let mountflags = MountFlags::empty();
    call(task, Call::Mount { source, target: target.into(), filesystemtype: kind, mountflags, data: None })
}

fn umount(task: TaskIndex, target: &str, flags: UmountFlags) -> Step {
    call(task, Call::Umount2 { target: target.into(), flags })
}

const TYPES: [MountFlags; 4] =
    [MountFlags::MS_SHARED, MountFlags::MS_SLAVE, MountFlags::MS_PRIVATE, MountFlags::MS_UNBINDABLE];

fn classic() -> Vec<Step> {
    let mut steps = Vec::new();
    for source in ["/", "/a", "/b"] {
        for target in DIRECTORIES {
            for recursive in [MountFlags::empty(), MountFlags::MS_REC] {
                steps.push(mount(0, Some(source), target, MountFlags::MS_BIND | recursive));
            }
        }
    }
    for source in DIRECTORIES {
        steps.push(tmpfs(0, source));
        steps.push(umount(0, source, UmountFlags::empty()));
        steps.push(umount(0, source, UmountFlags::MNT_DETACH));
        let targets = DIRECTORIES.iter().filter(|target| **target != source);
        steps.extend(targets.map(|target| mount(0, Some(source), target, MountFlags::MS_MOVE)));
    }
    for target in ["/", "/a", "/b"] {
        steps.extend(TYPES.iter().map(|kind| mount(0, None, target, *kind)));
    }
    steps.extend(TYPES.iter().map(|kind| mount(0, None, "/", *kind | MountFlags::MS_REC)));
    for (new_root, put_old) in [("/a", "/a/c"), ("/b", "/b/c"), ("/a", "/a"), ("/b", "/b")] {
        steps.push(call(0, Call::PivotRoot { new_root: new_root.into(), put_old: put_old.into() }));
    }
    steps
}

fn propagation(task: TaskIndex) -> Vec<Step> {
    let bind = MountFlags::MS_BIND | MountFlags::MS_REC;
    let mut steps = vec![
        mount(task, Some("/a"), "/b", bind),
        mount(task, Some("/b"), "/a", bind),
        mount(task, Some("/"), "/a", bind),
        mount(task, Some("/"), "/b", bind),
        mount(task, None, "/", MountFlags::MS_SLAVE | MountFlags::MS_REC),
    ];
    for target in ["/a", "/b"] {
        steps.push(mount(task, None, target, MountFlags::MS_SHARED));
        steps.push(mount(task, None, target, MountFlags::MS_SLAVE));
        steps.push(mount(task, None, target, MountFlags::MS_PRIVATE));
        steps.push(umount(task, target, UmountFlags::empty()));
        steps.push(umount(task, target, UmountFlags::MNT_DETACH));
    }
    steps.extend(DIRECTORIES.map(|target| tmpfs(task, target)));
    steps
}

fn new_api() -> Vec<Step> {
    let mut steps = Vec::new();
    for path in ["/a", "/b", "/"] {
        for recursive in [OpenTreeFlags::empty(), OpenTreeFlags::AT_RECURSIVE] {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | recursive;
            steps.push(call(0, Call::OpenTree { dirfd: Fd::CWD, path: path.into(), flags }));
        }
        for propagation in TYPES {
            let attr = MountAttr { propagation, ..MountAttr::default() };
            let flags = AtFlags::AT_RECURSIVE;
            steps.push(call(0, Call::MountSetattr { dirfd: Fd::CWD, path: path.into(), flags, attr }));
        }
    }
    for fd in [Fd(0), Fd(1)] {
        for target in DIRECTORIES {
            steps.push(attach(fd, target, MoveMountFlags::empty()));
        }
        for target in ["/a", "/b"] {
            steps.push(attach(fd, target, MoveMountFlags::MOVE_MOUNT_BENEATH));
        }
        steps.push(call(0, Call::Close { fd }));
        for propagation in [MountFlags::MS_SHARED, MountFlags::MS_PRIVATE] {
            let attr = MountAttr { propagation, ..MountAttr::default() };
            let flags = AtFlags::AT_EMPTY_PATH;
            steps.push(call(0, Call::MountSetattr { dirfd: fd, path: Bytes::default(), flags, attr }));
        }
    }
    for target in DIRECTORIES {
        steps.push(tmpfs(0, target));
        steps.push(umount(0, target, UmountFlags::empty()));
        steps.push(umount(0, target, UmountFlags::MNT_DETACH));
    }
    for (from, to) in [("/a", "/b"), ("/b", "/a")] {
        for flags in [MoveMountFlags::MOVE_MOUNT_SET_GROUP, MoveMountFlags::MOVE_MOUNT_BENEATH] {
            steps.push(call(
                0,
                Call::MoveMount {
                    from_dirfd: Fd::CWD,
                    from_path: from.into(),
                    to_dirfd: Fd::CWD,
                    to_path: to.into(),
                    flags,
                },
            ));
        }
    }
    steps
}

fn attach(fd: Fd, target: &str, flags: MoveMountFlags) -> Step {
    let flags = flags | MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    call(
        0,
        Call::MoveMount {
            from_dirfd: fd,
            from_path: Bytes::default(),
            to_dirfd: Fd::CWD,
            to_path: target.into(),
            flags,
        },
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Else what is left out as a mirror image would not be one.
    #[rstest]
    fn every_alphabet_is_its_own_mirror_image(
        #[values(Alphabet::Classic, Alphabet::Propagation, Alphabet::NewApi, Alphabet::Namespaces)] alphabet: Alphabet,
    ) {
        let letters = alphabet.letters();
        for (index, step) in letters.steps.iter().enumerate() {
            assert!(mirror(step).is_some_and(|mirrored| letters.steps.contains(&mirrored)), "{step:?}");
            assert_eq!(letters.mirrored[letters.mirrored[index]], index);
            assert_eq!(letters.steps.iter().filter(|other| *other == step).count(), 1, "{step:?} is there twice");
        }
        assert!(letters.beginning.iter().all(|step| mirror(step).as_ref() == Some(step)));
    }
}
