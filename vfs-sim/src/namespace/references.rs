//! Who keeps namespaces.

use super::UserNamespace;
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// Lets go of a user namespace, which goes with its last user, and its parents with it (`put_user_ns()`).
    pub(crate) fn user_namespace_put(&mut self, namespace: Id<UserNamespace>) {
        let mut namespace = Some(namespace);
        while let Some(id) = namespace {
            let object = &mut self.user_namespaces[id];
            object.references -= 1;
            if object.references > 0 {
                return;
            }
            namespace = object.parent;
            self.user_namespaces.remove(id);
        }
    }
}
