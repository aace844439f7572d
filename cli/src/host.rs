//! The kernel of the host, chosen when cofferdam is built.

cfg_if::cfg_if! {
    if #[cfg(target_os = "linux")] {
        mod linux;
        pub(crate) use linux::{HostUsers, kernel};
    } else {
        compile_error!("cofferdam's command line runs on Linux only so far");
    }
}
