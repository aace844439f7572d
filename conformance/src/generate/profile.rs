//! What sequences are about: how often calls of each family are made.

use super::scene::Scene;
use super::{
    Maker, contexts, credentials, files, layers, limits, mounts, namespaces, overlays, paths, propagation, query,
    trees, unmount,
};

/// A choice of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// mount(2), umount2(2) and pivot_root(2)
    Classic,
    /// open_tree(2), move_mount(2), mount_setattr(2), fsopen(2) and their relatives
    NewApi,
    /// Peer groups, slaves, and mounts that spread over them
    Propagation,
    /// Unmounting, of what was mounted before
    Unmount,
    /// Mount and user namespaces, and processes
    Namespaces,
    /// Paths, files and permissions
    Paths,
    /// Overlays, and what is done in them and in their layers
    Overlays,
    /// Filesystems that are full, and whatever else comes to an end
    Limits,
    /// All of it
    #[default]
    Everything,
}

/// Calls that belong together, with how often each is made.
type Family = &'static [(u32, Maker)];

impl Profile {
    /// How often the calls of each family are made.
    fn families(self) -> [(u32, Family); 14] {
        let [
            mounts,
            trees,
            contexts,
            propagation,
            unmount,
            namespaces,
            paths,
            files,
            credentials,
            query,
            walking,
            overlays,
            layers,
            limits,
        ] = match self {
            Self::Classic => [40, 0, 0, 12, 25, 6, 6, 4, 1, 2, 8, 1, 0, 1],
            Self::NewApi => [10, 45, 25, 8, 10, 6, 3, 6, 1, 6, 4, 3, 1, 1],
            Self::Propagation => [35, 12, 0, 30, 20, 12, 2, 2, 0, 3, 3, 1, 0, 0],
            Self::Unmount => [35, 10, 2, 14, 40, 8, 6, 5, 0, 2, 8, 1, 0, 0],
            Self::Namespaces => [20, 8, 3, 10, 10, 45, 4, 8, 10, 3, 10, 2, 0, 1],
            Self::Paths => [10, 3, 0, 1, 5, 3, 60, 40, 8, 3, 15, 6, 6, 5],
            Self::Overlays => [4, 1, 6, 1, 3, 2, 60, 40, 4, 3, 15, 18, 25, 1],
            Self::Limits => [2, 3, 6, 1, 2, 6, 8, 24, 20, 2, 2, 1, 0, 90],
            Self::Everything => [20, 12, 6, 10, 12, 10, 20, 15, 4, 5, 8, 3, 5, 8],
        };
        [
            (mounts, mounts::FAMILY),
            (trees, trees::FAMILY),
            (contexts, contexts::FAMILY),
            (propagation, propagation::FAMILY),
            (unmount, unmount::FAMILY),
            (namespaces, namespaces::FAMILY),
            (paths, paths::FAMILY),
            (files, files::FAMILY),
            (credentials, credentials::FAMILY),
            (query, query::FAMILY),
            (walking, paths::WALKING),
            (overlays, overlays::FAMILY),
            (layers, layers::FAMILY),
            (limits, limits::FAMILY),
        ]
    }

    pub(super) fn choose(self, scene: &mut Scene<'_>) -> Maker {
        let family = scene.weighted(&self.families());
        scene.weighted(family)
    }
}
