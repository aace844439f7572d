"use strict";
// Examples, a command at a time.

class Guide {
    #panel = document.getElementById("guide");
    #type = document.getElementById("type");
    #example;
    #step = 0;

    /** `run`: types a command and does it. */
    constructor(run) {
        const select = document.getElementById("example");
        EXAMPLES.forEach((example, index) => select.append(new Option(example.name, index)));
        this.#type.addEventListener("click", async () => {
            const step = this.#example.steps[this.#step];
            this.#type.disabled = true;
            await run(step.command);
            this.#type.disabled = false;
            if (this.#example?.steps[this.#step] !== step) return;
            this.#step += 1;
            this.#show();
            this.#type.focus();
        });
        document.getElementById("leave").addEventListener("click", () => {
            this.leave();
            document.getElementById("line").focus();
        });
    }

    begin(example) {
        this.#example = example;
        this.#step = 0;
        this.#show();
        this.#type.focus();
    }

    leave() {
        this.#example = undefined;
        this.#panel.hidden = true;
        document.getElementById("example").value = "";
    }

    #show() {
        const { name, about, steps } = this.#example;
        const step = steps[this.#step];
        const done = steps[this.#step - 1];
        const write = (id, text) => {
            document.getElementById(id).textContent = text;
        };
        this.#panel.hidden = false;
        write("guide-title", name);
        write("guide-progress", `${this.#step} of ${steps.length} commands`);
        write("guide-says", (done?.says ?? about) + (step ? "" : " That was all. The machine is yours: type what you like."));
        write("guide-command", step ? `next: ${step.command}` : "");
        document.getElementById("guide-command").hidden = !step;
        this.#type.hidden = !step;
        if (!step) document.getElementById("leave").focus();
    }
}
