//! Walks, namespaces, processes.
