//! Routines: several steps of one process that lead to what single ones hardly ever meet.

mod descriptors;
mod files;
mod message_queues;
mod owners;
mod privileges;
mod processes;
mod programs;

use cofferdam::kernel::{Bytes, Call, Fd, Mode, OpenFlags, OpenHow};

use super::scene::Scene;
use super::{Action, Maker};

/// The routines, with how often each is gone through.
const ROUTINES: &[(u32, &[Maker])] = &[
    // Where a process was that is gone.
    (
        6,
        &[
            processes::fork,
            processes::open_child,
            processes::kill_child,
            processes::wait_child,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::gone,
            processes::fchdir_gone,
        ],
    ),
    // What nobody without privileges enters.
    (
        4,
        &[
            privileges::without_override,
            privileges::mkdir_closed,
            privileges::open_closed,
            privileges::closed,
            privileges::closed,
            privileges::closed,
            privileges::closed,
            privileges::closed,
            privileges::closed,
            privileges::closed,
            privileges::closed,
            privileges::fchdir_closed,
            privileges::with_all,
        ],
    ),
    // Deeper than a path may be long.
    (
        1,
        &[
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::deeper,
            files::enter,
            files::getcwd,
            files::readlink_cwd,
            files::leave,
        ],
    ),
    // Owners without a number.
    (
        4,
        &[
            owners::fork_with_user_namespace,
            owners::open_uid_map,
            owners::write_map,
            owners::open_gid_map,
            owners::write_map,
            owners::open_user_namespace,
            owners::open_tree,
            owners::map_ids,
            owners::nobodys,
            owners::nobodys,
            owners::nobodys,
            owners::nobodys,
            owners::nobodys,
            owners::nobodys,
            owners::open_nobodys,
            owners::fchmod_last,
            owners::open_unmapped,
            processes::kill_child,
        ],
    ),
    // No descriptor is left.
    (
        3,
        &[
            descriptors::fsopen,
            descriptors::create,
            descriptors::few_descriptors,
            descriptors::open,
            descriptors::open,
            descriptors::open,
            descriptors::open,
            descriptors::open,
            descriptors::fsmount,
            descriptors::many_descriptors,
        ],
    ),
    // No further mount namespace may be made, such as one for a tree that is detached.
    (
        5,
        &[
            descriptors::unshare_user,
            descriptors::open_limit,
            descriptors::limit_namespaces,
            descriptors::fsopen,
            descriptors::create,
            descriptors::fsmount,
            descriptors::open,
            descriptors::open,
            descriptors::open,
            descriptors::open,
        ],
    ),
    // A lock that somebody else has, or that there is not.
    (1, &[files::open_file, files::open_file, files::lock, files::lock_first, files::lock_nothing]),
    // A mount that is to be read-only while a file in it is open to be written.
    (1, &[files::open_file, files::open_tree_read_only, files::open_tree_read_only]),
    // A capability that programs are to have.
    (1, &[privileges::inherit_all, privileges::raise, privileges::raise]),
    // Of a directory that is gone, nothing is listed.
    (1, &[files::make, files::open_made, files::unmake, files::list]),
    // A process that may not be told anything.
    (1, &[processes::fork, privileges::become_user, processes::signal, processes::signal, privileges::become_root]),
    // A signal that is awaited.
    (2, &[processes::block, processes::send_to_self, processes::wait_for_signal]),
    // More than there is room for.
    (1, &[files::pipe, files::write_much, files::write_much, files::write_much]),
    (1, &[files::open_file, files::seek_far, files::write_little]),
    // A namespace that a process cannot see from its root.
    (
        3,
        &[
            privileges::list_mounts,
            privileges::enter_directory,
            privileges::chroot_here,
            privileges::become_user,
            privileges::stat_told,
            privileges::stat_told,
            privileges::list_told,
            privileges::list_told,
            privileges::become_root,
        ],
    ),
    // A pid namespace whose first process has ended.
    (2, &[processes::unshare_pids, processes::fork, processes::kill_child, processes::fork, processes::wait_child]),
    // A filesystem whose namespace has gone, unless another process is in it.
    (
        4,
        &[
            message_queues::mount,
            message_queues::use_root,
            message_queues::use_root,
            message_queues::use_root,
            message_queues::leave,
            message_queues::use_root,
            message_queues::use_root,
            message_queues::use_root,
            message_queues::mount,
            message_queues::use_root,
        ],
    ),
    // Programs, and what is none.
    (
        12,
        &[
            programs::open_interpreter,
            programs::write_interpreter,
            programs::close,
            programs::open,
            programs::write,
            programs::execute,
            programs::close,
            programs::execute,
        ],
    ),
];

/// A routine.
pub(super) fn choose(scene: &mut Scene<'_>) -> std::slice::Iter<'static, Maker> {
    scene.weighted(ROUTINES).iter()
}

fn open_at(path: Bytes, flags: OpenFlags) -> Action {
    let how =
        OpenHow { flags, mode: Mode(if flags.contains(OpenFlags::O_CREAT) { 0o755 } else { 0 }), ..OpenHow::default() };
    Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how })
}
