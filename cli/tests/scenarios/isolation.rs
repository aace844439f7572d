//! What a container sees, and what it leaves behind.

mod agent_config;
mod capabilities;
mod descriptors;
mod devices;
mod environment;
mod escape;
mod footprint;
mod host_filesystem;
mod masks;
mod mount_table;
mod options;
mod sandbox;
