//! A tree of mounts, drawn with lines.

use std::fmt;

use super::MountView;

/// Writes a mount and all on it, one a line.
pub(super) fn write_tree(f: &mut fmt::Formatter<'_>, root: MountView<'_>) -> fmt::Result {
    // Trees of mounts can be deeper than the stack.
    let mut rest = vec![(root, String::new(), String::new())];
    while let Some((mount, own, below)) = rest.pop() {
        writeln!(f, "{own}{mount}")?;
        let children: Vec<_> = mount.children().collect();
        let mut is_last = true;
        // The first to be pushed is the last to be drawn.
        for child in children.into_iter().rev() {
            let (branch, line) = if std::mem::take(&mut is_last) { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            rest.push((child, format!("{below}{branch}"), format!("{below}{line}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::linux::Linux;

    #[test]
    fn a_namespace_is_drawn_as_a_tree() {
        let linux = Linux::from_mountinfo(
            b"5 1 8:1 / / rw shared:1 - ext4 a rw\n\
              6 5 0:2 / /proc rw - proc proc rw\n\
              7 5 8:1 /home /srv rw master:1 - ext4 a rw\n\
              8 6 0:3 / /proc/sys/a rw unbindable - tmpfs t rw\n",
        )
        .unwrap();
        let init = linux.task(linux.init()).unwrap();
        let namespace = init.mount_namespace().unwrap();
        assert_eq!(
            namespace.to_string(),
            "mnt:[4026531832]\n\
             / rootfs private\n\
             └─ / ext4 shared:1\n\
             \u{20}  ├─ /proc proc private\n\
             \u{20}  │  └─ /proc/sys/a tmpfs unbindable\n\
             \u{20}  └─ /srv ext4[/home] master:1\n"
        );
        assert_eq!((init.root(), init.cwd()), (Some("/".into()), Some("/".into())));
        assert_eq!(namespace.tasks().count(), 1);
        let groups = linux.peer_groups();
        assert_eq!(groups.keys().copied().collect::<Vec<_>>(), [1]);
        assert_eq!(groups[&1][0].slaves().map(|slave| slave.id()).collect::<Vec<_>>(), [7]);
        assert_eq!(groups[&1][0].peers().count(), 0);
    }

    #[test]
    fn a_process_that_has_ended_is_nowhere() {
        let mut linux = Linux::new();
        let child = linux.fork(linux.init(), cofferdam::kernel::CloneFlags::empty()).unwrap();
        linux.exit(child, 3);
        let ended = linux.task(child).unwrap();
        assert!(!ended.is_running() && ended.status().is_some());
        assert!(ended.mount_namespace().is_none() && ended.root_mount().is_none());
        assert_eq!((ended.root(), ended.cwd(), ended.mountinfo()), (None, None, None));
    }
}
