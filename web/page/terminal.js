"use strict";
// The log of what was typed and printed, and the line that is being typed.

class Terminal {
    #session;
    #log = document.getElementById("log");
    #line = document.getElementById("line");
    #candidates = document.getElementById("candidates");
    #entries = [];
    /** So many entries are cleared away: Ctrl-L. */
    #cleared = 0;
    /** Lines that were typed, and where in them the arrow keys are. */
    #lines = [];
    #position = 0;
    #draft = "";
    /** After Escape, Tab moves on. */
    #isEscaped = false;
    #actions;

    /** `actions`: what to do with a line (`run`), a Ctrl-C (`interrupt`) and a Ctrl-D (`end`); `during`: all that takes time. */
    constructor(session, actions) {
        this.#session = session;
        this.#actions = actions;
        this.#line.addEventListener("keydown", (event) => this.#key(event));
        this.#line.addEventListener("input", () => this.#resize());
        document.getElementById("interrupt").addEventListener("click", () => {
            this.#actions.during(() => this.#actions.interrupt());
            this.focus();
        });
    }

    focus() {
        this.#line.focus();
    }

    /** What the log is of another session than before. */
    reset() {
        this.#entries = [];
        this.#cleared = 0;
        this.#log.replaceChildren();
        this.#lines = this.#session.commands.map((command) => command.text);
        this.#position = this.#lines.length;
    }

    update() {
        const { moments, commands, shown, last, pending } = this.#session;
        this.#cleared = Math.min(this.#cleared, last);
        moments.slice(1).forEach((moment, index) => {
            if (this.#entries[index]?.moment !== moment) {
                const node = this.#entry(moments[index].prompt, commands[index].text, moment);
                if (this.#entries[index]) this.#entries[index].node.replaceWith(node);
                else this.#log.append(node);
                this.#entries[index] = { moment, node };
            }
        });
        for (const { node } of this.#entries.splice(moments.length - 1)) node.remove();
        this.#entries.forEach(({ node }, index) => {
            node.hidden = index < this.#cleared;
            node.classList.toggle("forgotten", index + 1 > shown);
        });
        this.#log.querySelector(".pending")?.remove();
        if (pending && pending.replaced === 0) {
            const node = this.#entry(this.#session.moment.prompt, pending.command.text);
            node.classList.add("pending");
            this.#log.append(node);
        }
        this.#scroll(shown);
        this.#showPrompt();
    }

    #entry(prompt, text, moment) {
        const entry = document.createElement("div");
        entry.className = "entry";
        const add = (className, content) => {
            if (content === "") return;
            entry.append(Object.assign(document.createElement("span"), { className, textContent: content }));
        };
        add("prompt", prompt);
        add("typed", `${text}\n`);
        for (const piece of moment?.pieces ?? []) add(piece.voice, piece.text);
        if (!moment) return entry;
        const printed = moment.pieces.at(-1)?.text ?? "\n";
        if (moment.state === "exited") add("notice", "The shell has ended. Go back in the timeline, or start with a new machine.\n");
        else if (moment.state !== "waiting" && !printed.endsWith("\n")) add("output", "\n");
        if (moment.status !== 0 && moment.state === "ready") add("status", `exit status ${moment.status}\n`);
        return entry;
    }

    #scroll(shown) {
        const entry = this.#entries[shown - 1]?.node;
        if (entry && shown < this.#session.last) entry.scrollIntoView({ block: "nearest" });
        else this.#log.scrollTop = this.#log.scrollHeight;
    }

    #showPrompt() {
        const { moment, pending } = this.#session;
        const label = document.getElementById("prompt");
        const isWaiting = moment.state === "waiting";
        const text = pending?.command.interrupt_after ? "at work, interrupted…" : pending ? "at work…" : isWaiting ? "input> " : moment.state === "exited" ? "ended" : moment.prompt;
        label.textContent = text;
        this.#line.setAttribute("aria-label", isWaiting ? "Input of the command that waits" : `Command, at ${text}`);
        document.getElementById("interrupt").hidden = !pending && !isWaiting;
    }

    /** Writes a text into the line, letter by letter where people like that. */
    async type(text) {
        const isAtOnce = matchMedia("(prefers-reduced-motion: reduce)").matches;
        for (let end = isAtOnce ? text.length : 1; end <= text.length; end++) {
            this.#set(text.slice(0, end));
            if (!isAtOnce) await new Promise((resolve) => setTimeout(resolve, Math.min(14, 700 / text.length)));
        }
    }

    #set(text) {
        this.#line.value = text;
        this.#resize();
        this.#line.setSelectionRange(text.length, text.length);
    }

    #resize() {
        this.#line.rows = Math.min(12, this.#line.value.split("\n").length);
        this.#candidates.textContent = "";
    }

    /** Takes the line away. */
    take() {
        const text = this.#line.value;
        this.#set("");
        if (text.trim() !== "" && this.#lines.at(-1) !== text) this.#lines.push(text);
        this.#position = this.#lines.length;
        return text;
    }

    async #key(event) {
        const isEscaped = this.#isEscaped;
        this.#isEscaped = event.key === "Escape";
        const key = event.ctrlKey && !event.altKey && !event.metaKey ? `Ctrl-${event.key.toLowerCase()}` : event.key;
        const hasSelection = this.#line.selectionStart !== this.#line.selectionEnd;
        const actions = {
            Enter: () => this.#enter(),
            Tab: () => this.#complete(),
            ArrowUp: () => this.#recall(-1),
            ArrowDown: () => this.#recall(1),
            "Ctrl-c": () => this.#interrupt(),
            "Ctrl-d": () => this.#actions.end(),
            "Ctrl-l": () => this.#clear(),
        };
        const isOfTheText =
            (event.shiftKey && key !== "Ctrl-l") ||
            (key === "Tab" && (isEscaped || this.#line.value === "")) ||
            (key === "ArrowUp" && this.#line.value.slice(0, this.#line.selectionStart).includes("\n")) ||
            (key === "ArrowDown" && this.#line.value.slice(this.#line.selectionEnd).includes("\n")) ||
            (key === "Ctrl-c" && hasSelection) ||
            (key === "Ctrl-d" && this.#line.value !== "") ||
            event.isComposing;
        if (actions[key] === undefined || isOfTheText) return;
        event.preventDefault();
        await this.#actions.during(actions[key]);
    }

    async #enter() {
        const { pending, moment } = this.#session;
        if (pending || !moment) return;
        const text = this.#line.value;
        if (moment.state === "ready" && (await this.#session.machine.ask("is_incomplete", text))) {
            this.#set(`${text}\n`);
            this.#candidates.textContent = "The command goes on in the next line.";
            return;
        }
        await this.#actions.run(this.take());
    }

    async #complete() {
        const end = this.#line.selectionStart;
        const text = this.#line.value;
        if (this.#session.pending || this.#session.shown < this.#session.last) {
            this.#candidates.textContent = "Words are completed at the present only.";
            return;
        }
        const { line, candidates } = await this.#session.machine.ask("complete", text.slice(0, end));
        if (this.#line.value !== text) return;
        this.#line.value = line + text.slice(end);
        this.#resize();
        this.#line.setSelectionRange(line.length, line.length);
        if (candidates.length !== 1) {
            this.#candidates.textContent = candidates.length === 0 ? "Nothing begins so." : candidates.join("  ");
        }
    }

    #recall(step) {
        const position = this.#position + step;
        if (position < 0 || position > this.#lines.length) return;
        if (this.#position === this.#lines.length) this.#draft = this.#line.value;
        this.#position = position;
        this.#set(this.#lines[position] ?? this.#draft);
    }

    #interrupt() {
        if (this.#session.pending || this.#session.moment.state === "waiting") return this.#actions.interrupt();
        this.#set("");
    }

    #clear() {
        this.#cleared = this.#session.last;
        this.update();
    }
}
