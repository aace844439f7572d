//! Writes the JavaScript that goes between the page and its WebAssembly: `cofferdam-web-bindgen INPUT.wasm DIRECTORY`.
//!
//! What `wasm-bindgen --target no-modules` does, whose library this is: scripts of the old kind are the only ones that
//! browsers take from a file.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, directory] = &arguments[..] else {
        eprintln!("usage: cofferdam-web-bindgen INPUT.wasm DIRECTORY");
        return ExitCode::from(2);
    };
    match write(input, directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot make the bindings of {input} in {directory}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(input: &str, directory: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).no_modules(true)?.typescript(false).remove_producers_section(true);
    Ok(bindgen.generate(directory)?)
}
