//! Links what unwinds the stack into the program, so that it starts without a shared library for that.
//!
//! Every container starts this program at least twice, and waits each time. libgcc_s.so takes a good part of that: it is to be
//! found and mapped, and when it is loaded it asks the processor what it can do, which a virtual machine answers slowly.
#![forbid(unsafe_code)]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    let is_shared = target("OS") == "linux"
        && target("ENV") == "gnu"
        && !target("FEATURE").split(',').any(|feature| feature == "crt-static");
    // It comes with gcc. Without it, the program is linked as any other.
    if is_shared && linker_finds("libgcc_eh.a") {
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
}

/// Whether it is where the linker looks for libraries: then the linker, which is a C compiler, tells the path of it.
fn linker_finds(library: &str) -> bool {
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let Ok(output) = Command::new(linker).arg(format!("-print-file-name={library}")).output() else { return false };
    let Ok(path) = String::from_utf8(output.stdout) else { return false };
    let path = Path::new(path.trim_end());
    path.is_absolute() && path.exists()
}
