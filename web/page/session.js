"use strict";
// A session: what was typed, and the moments after each command. It knows nothing of the page.

/** So often are those at work asked whether they may go on before Ctrl-C is pressed, when a command is repeated with it. */
const INTERRUPT_AFTER = 10000;

class Session extends EventTarget {
    machine = new SimulatedMachine();
    mountinfo = undefined;
    commands = [];
    moments = [];
    /** Which moment is looked at. */
    shown = 0;
    /** The command at work, if one is. */
    pending = undefined;

    get last() {
        return this.moments.length - 1;
    }

    get moment() {
        return this.moments[this.shown];
    }

    get saved() {
        return this.#savedWith(this.commands);
    }

    #savedWith(commands) {
        return { version: 1, ...(this.mountinfo !== undefined && { mountinfo: this.mountinfo }), commands };
    }

    #changed() {
        this.dispatchEvent(new Event("change"));
    }

    /** Begins with a saved session; the caller shows it. If that is none, nothing changes, and a Refusal says why. */
    async begin(saved) {
        let moments;
        try {
            moments = await this.machine.begin(saved);
        } catch (error) {
            if (error instanceof Refusal && this.moments.length > 0) await this.machine.begin(this.saved);
            throw error;
        }
        this.mountinfo = saved.mountinfo;
        this.commands = saved.commands;
        this.moments = moments;
        this.shown = this.last;
        this.pending = undefined;
    }

    /** Looks at another moment. */
    show(number) {
        this.shown = Math.max(0, Math.min(number, this.last));
        this.#changed();
    }

    /** Does a command at the moment that is looked at: later ones are forgotten. */
    async execute(text) {
        if (this.shown < this.last) {
            await this.machine.ask("go_back", this.shown);
            this.commands.length = this.shown;
            this.moments.length = this.shown + 1;
        }
        await this.#work({ text }, () => this.machine.ask("execute", { text }));
    }

    /** Types something that the last command waits for: `{line: "..."}`, `"end"` or `"interrupt"`. */
    async input(input) {
        const command = this.commands.at(-1);
        const longer = { ...command, input: [...(command.input ?? []), input] };
        await this.#work(longer, () => this.machine.ask("input", input), 1);
    }

    /** Works at a command, which comes in the place of the last `replaced` ones. */
    async #work(command, work, replaced = 0) {
        const pending = { command, replaced };
        this.pending = pending;
        this.#changed();
        try {
            const moment = await work();
            this.commands.splice(this.commands.length - replaced, replaced, command);
            this.moments.splice(this.moments.length - replaced, replaced, moment);
            this.shown = this.last;
        } finally {
            // Unless somebody has interrupted it, and goes on with another worker.
            if (this.pending === pending) this.#rest();
        }
    }

    #rest() {
        this.pending = undefined;
        this.#changed();
    }

    /**
     * Ctrl-C while a command is at work. It is done again, with Ctrl-C early on; if it does not end then either, it is given
     * up. True if it was.
     */
    async interrupt() {
        const { command, replaced, isEnding } = this.pending;
        if (isEnding) return false;
        const isGivenUp = command.interrupt_after !== undefined;
        this.pending = { command, replaced: 0, isEnding: true };
        this.commands.length -= replaced;
        this.moments.length -= replaced;
        this.shown = this.last;
        this.#changed();
        try {
            await this.machine.begin(this.saved);
            if (isGivenUp) return true;
            const interrupted = { ...command, interrupt_after: INTERRUPT_AFTER };
            await this.#work(interrupted, () => this.machine.ask("execute", interrupted));
            return false;
        } finally {
            if (this.pending?.isEnding) this.#rest();
        }
    }

    /** A new machine, as it was after the last command: the old one has failed. */
    async recover() {
        await this.begin(this.saved);
        this.#changed();
    }
}
