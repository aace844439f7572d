//! Mount namespaces, and whose the namespaces are.

use rustc_hash::FxHashMap;

use super::mounts::check_membership;
use super::{Inconsistency, agree, ensure, find, name};
use crate::linux::Linux;
use crate::namespace::{Counted, Tally};

impl Linux {
    pub(super) fn check_mount_namespaces(&self) -> Result<(), Inconsistency> {
        let mut listed = 0;
        for (id, namespace) in self.mount_namespaces.iter() {
            let object = name("mount namespace", id);
            find(&self.user_namespaces, namespace.user_namespace, object, "the user namespace")?;
            let root = find(&self.mounts, namespace.root, object, "the root")?;
            ensure(root.parent == namespace.root, object, "its root is the root of a tree")?;
            for (unique_id, mount_id) in &namespace.mounts {
                let mount = find(&self.mounts, *mount_id, object, "a mount")?;
                let is_known = mount.is_listed && mount.namespace == Some(id) && mount.unique_id == *unique_id;
                ensure(is_known, name("mount", *mount_id), "it knows the namespace that lists it")?;
                listed += 1;
            }
            let tree = self.mount_tree(namespace.root);
            for mount in tree.iter().copied() {
                ensure(
                    self.mounts[mount].namespace == Some(id),
                    name("mount", mount),
                    "it is in its parent's namespace",
                )?;
            }
            let mounts = u64::try_from(namespace.mounts.len()).unwrap_or(u64::MAX);
            agree(namespace.count, mounts, object, "the number of mounts")?;
            agree(mounts, u64::try_from(tree.len()).unwrap_or(0), object, "the number of listed mounts")?;
            agree(namespace.pending, 0_u32, object, "the number of mounts to come")?;
            if namespace.is_anonymous {
                let mut owners =
                    self.files.iter().filter(|(_, file)| file.unmounts && file.path.mount == namespace.root);
                ensure(owners.next().is_some(), object, "an open file unmounts a detached tree in the end")?;
            }
        }
        for (id, mount) in self.mounts.iter() {
            check_membership(id, mount)?;
        }
        let members = self.mounts.iter().filter(|(_, mount)| mount.is_listed).count();
        ensure(members == listed, "the mount namespaces", "every mount is listed in the namespace that it is in")
    }

    /// That what is counted for users, to be compared with the limits of user namespaces, is there.
    pub(super) fn check_numbers_of_users(&self) -> Result<(), Inconsistency> {
        let mounts = self
            .mount_namespaces
            .iter()
            .map(|(_, object)| (object.user_namespace, object.creator, Counted::MountNamespaces));
        let pids = self
            .pid_namespaces
            .iter()
            .map(|(_, object)| (object.user_namespace, object.creator, Counted::PidNamespaces));
        let others = self
            .other_namespaces
            .iter()
            .map(|(_, object)| (object.user_namespace, object.creator, object.kind.counted()));
        let users = self.user_namespaces.iter().filter_map(|(_, object)| {
            object.parent.map(|parent| (parent, Some(object.owner), Counted::UserNamespaces))
        });
        let mut found: FxHashMap<_, Tally> = FxHashMap::default();
        for (namespace, creator, kind) in mounts.chain(pids).chain(others).chain(users) {
            let Some(creator) = creator else { continue };
            for user in self.counted_for(namespace, creator) {
                let tally = found.entry(user).or_insert(Tally::all(0));
                tally.set(kind, tally.get(kind).saturating_add(1));
            }
        }
        for (id, namespace) in self.user_namespaces.iter() {
            for (user, tally) in &namespace.counts {
                let is_right = found.remove(&(id, *user)) == Some(*tally);
                ensure(is_right, name("user namespace", id), "the namespaces of a user are counted")?;
            }
        }
        ensure(found.is_empty(), "the user namespaces", "every user with a namespace is known")
    }
}
