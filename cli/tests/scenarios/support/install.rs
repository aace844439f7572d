//! The program that tries what a shell can't, compiled once.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Puts `probe.rs` into a root filesystem, as `/probe`.
pub(crate) fn install_probe(rootfs: &Path) {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    // Not by this process: a child of another scenario could hold the file open for writing when it is executed.
    let status = Command::new("cp").arg(PROBE.get_or_init(compile)).arg(rootfs.join("probe")).status().unwrap();
    assert!(status.success());
}

/// Compiles it for this machine, without shared libraries.
fn compile() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/support/probe.rs");
    let probe = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probe-{}", std::process::id()));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| {
        let next_to_cargo = Path::new(env!("CARGO")).with_file_name("rustc");
        if next_to_cargo.exists() { next_to_cargo.into() } else { OsString::from("rustc") }
    });
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-name=probe", "-Ctarget-feature=+crt-static", "-Cpanic=abort", "-o"])
        .args([&probe, &source])
        .status()
        .unwrap();
    assert!(status.success(), "rustc cannot make a static program: is there a static C library (libc6-dev)?");
    // One name, whatever process was the last to compile it.
    let kept = probe.with_file_name("probe");
    fs::rename(&probe, &kept).unwrap();
    kept
}
