//! How much stack the shell has in a browser: what is nested takes stack, and what browsers have is too little by default.

/// In bytes. As much as `simulation::DEPTH` needs.
const STACK: usize = 8 << 20;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("ARCH") == "wasm32" && target("OS") == "unknown" {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK}");
    }
}
