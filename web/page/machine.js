"use strict";
// The machine, seen from the page: a worker that can be ended at any time, because what was typed is kept here.

/** The machine has failed, and is gone. */
class Failure extends Error {}

/** What was asked for is not possible; nothing has changed. */
class Refusal extends Error {}

/** The worker was ended while it was at work. */
class Ended extends Error {}

class SimulatedMachine {
    #worker;
    #waiting = new Map();
    #last = 0;

    /** Begins with a session, in a new worker. Gives its moments. */
    async begin(saved) {
        this.end();
        this.#worker = new Worker(SimulatedMachine.#script());
        this.#worker.onmessage = ({ data }) => this.#settle(data);
        this.#worker.onerror = (event) => this.#failAll(new Failure(event.message || "the worker cannot be started"));
        await this.ask("load", await SimulatedMachine.#wasm());
        return this.ask("restore", saved);
    }

    /** Calls a method of the worker. */
    ask(method, ...values) {
        return new Promise((resolve, reject) => {
            const id = ++this.#last;
            this.#waiting.set(id, { resolve, reject });
            this.#worker.postMessage({ id, method, values });
        });
    }

    /** Ends the worker, whatever it does. */
    end() {
        this.#worker?.terminate();
        this.#failAll(new Ended());
    }

    #settle({ id, value, error, panic }) {
        const { resolve, reject } = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (panic !== undefined) reject(new Failure(panic));
        else if (error !== undefined) reject(new Refusal(error));
        else resolve(value);
    }

    #failAll(error) {
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const { reject } of waiting) reject(error);
    }

    // A page that was opened from a file may load no other file: all is in it.
    static #script() {
        this.url ??= URL.createObjectURL(
            new Blob([document.getElementById("worker").textContent], { type: "text/javascript" }),
        );
        return this.url;
    }

    static #wasm() {
        this.bytes ??= (async () => {
            const packed = fromBase64(document.getElementById("wasm").textContent.trim());
            return new Uint8Array(await piped(packed, new DecompressionStream("gzip")));
        })();
        return this.bytes;
    }
}
