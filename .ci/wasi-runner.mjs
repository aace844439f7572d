#!/usr/bin/env node
// Runs a program for wasm32-wasip1, as Cargo's runner of that target: `node wasi-runner.mjs PROGRAM [ARGUMENT...]`.
//
// It sees the working directory, and nothing else of the machine's files. Its exit status is that of this process; of a
// program that traps, which is how one panics, it is 101, as it is natively. A test that panics takes its program with
// it, with what it has said, unless that is not captured: `cargo test ... -- --nocapture`.
import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";

// V8's fast calls into Node's WASI corrupt memory, so that one run in two of the larger programs crashes as it ends
// (https://github.com/nodejs/node/issues/46777). Before any code is compiled:
setFlagsFromString("--no-turbo-fast-api-calls");

// Node says at each start that its WASI is experimental.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") console.error(`${warning.name}: ${warning.message}`);
});

const PANICKED = 101;

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node wasi-runner.mjs PROGRAM [ARGUMENT...]");
  process.exit(2);
}

const { WASI } = await import("node:wasi");
const wasi = new WASI({
  version: "preview1",
  args: [program, ...rest],
  env: process.env,
  preopens: { ".": process.cwd() },
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport });
try {
  process.exitCode = wasi.start(instance) ?? 0;
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) throw error;
  console.error(`${program}: ${error.stack}`);
  process.exitCode = PANICKED;
}
