"use strict";
// The worker in which the machine runs. Before this come the bindings of its WebAssembly.
//
// A request is {id, method, values}, the answer {id, value}, {id, error} for what was refused, or {id, panic} if the machine
// has failed: then it must not be used any more.

let machine;
let panic;

// Called by the machine.
function report_panic(message) {
    panic = message;
}

const methods = {
    async load(wasm) {
        await wasm_bindgen({ module_or_path: wasm });
        machine = new wasm_bindgen.Machine();
    },
    restore: (saved) => JSON.parse(machine.restore(JSON.stringify(saved))),
    execute: (command) => JSON.parse(machine.execute(JSON.stringify(command))),
    input: (input) => JSON.parse(machine.input(JSON.stringify(input))),
    go_back: (number) => machine.go_back(number),
    complete: (line) => JSON.parse(machine.complete(line)),
    is_incomplete: (text) => wasm_bindgen.Machine.is_incomplete(text),
};

self.onmessage = async ({ data: { id, method, values } }) => {
    try {
        self.postMessage({ id, value: await methods[method](...values) });
    } catch (error) {
        // What the machine refuses is an Error of the bindings; what else is thrown is the end of it.
        const isRefused = error instanceof Error && error.constructor === Error && panic === undefined;
        self.postMessage(isRefused ? { id, error: error.message } : { id, panic: panic ?? String(error) });
    }
};
