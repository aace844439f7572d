"use strict";
// The picture of the mounts, and what else tells of them.

const NEW_MOUNTS = `
    .new { stroke-width: 3; stroke: #1b1b1b; }
    @media (prefers-color-scheme: dark) { .new { stroke: #ffffff; } }
    svg { display: block; }
`;

class MountsView {
    // The styles of the picture are for it alone.
    #root = document.getElementById("picture").attachShadow({ mode: "open" });
    #tabs = [...document.querySelectorAll("[role=tab]")];
    #all = document.getElementById("all");

    /** Calls `update` when something else is to be shown. */
    constructor(update) {
        this.#all.addEventListener("change", update);
        for (const tab of this.#tabs) {
            tab.addEventListener("click", () => this.#select(tab));
            tab.addEventListener("keydown", (event) => {
                const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
                if (step === undefined) return;
                event.preventDefault();
                const count = this.#tabs.length;
                this.#select(this.#tabs[(this.#tabs.indexOf(tab) + step + count) % count]).focus();
            });
        }
    }

    #select(chosen) {
        for (const tab of this.#tabs) {
            const isChosen = tab === chosen;
            tab.setAttribute("aria-selected", isChosen);
            tab.tabIndex = isChosen ? 0 : -1;
            document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
        }
        return chosen;
    }

    showAll(isAll) {
        this.#all.checked = isAll;
    }

    /** Shows a moment; `before` is the one before it, if there is one. */
    show(moment, before) {
        const which = this.#all.checked ? "all" : "session";
        const picture = moment.pictures[which];
        this.#root.innerHTML = picture.svg;
        this.#root.append(Object.assign(document.createElement("style"), { textContent: NEW_MOUNTS }));
        this.#fit(this.#root.querySelector("svg"));
        if (before) this.#markNew(before.pictures.all.svg);
        document.getElementById("summary").textContent =
            moment.changes.summary ||
            (before ? "This command changed no mounts." : "The mounts at the beginning. Type a command, or choose an example.");
        const count = picture.left_out;
        document.getElementById("left-out").textContent =
            count === 0 ? "" : `${count} mounts are not shown: those of the beginning that nothing has changed. “All mounts” shows them.`;
        this.#texts("panel-text", picture.trees);
        this.#texts("panel-changes", moment.changes.details, moment.changes.summary || "No mounts were changed.");
    }

    /** As large as there is room for, as long as it can be read: else it is scrolled. */
    #fit(svg) {
        const width = Number(svg.getAttribute("width"));
        svg.style.cssText = `width: clamp(${0.8 * width}px, 100%, ${1.4 * width}px); height: auto`;
    }

    /** Makes the boxes thick that were not in an earlier picture. */
    #markNew(earlier) {
        const parsed = new DOMParser().parseFromString(earlier, "image/svg+xml");
        const known = new Map();
        for (const [key] of MountsView.#boxes(parsed.documentElement)) known.set(key, (known.get(key) ?? 0) + 1);
        for (const [key, box] of MountsView.#boxes(this.#root.querySelector("svg"))) {
            const left = known.get(key) ?? 0;
            if (left > 0) known.set(key, left - 1);
            else box.classList.add("new");
        }
    }

    /** The boxes of a picture, each with what it is called: area, mountpoint, filesystem, propagation. */
    static *#boxes(svg) {
        let area = "";
        for (const node of svg.children) {
            if (node.matches("text.title")) area = node.textContent;
            if (node.matches("g:not(.group)")) yield [`${area}: ${node.querySelector("title").textContent}`, node.querySelector("rect")];
        }
    }

    #texts(panel, parts, otherwise = "") {
        const nodes = parts.flatMap(({ name, text }) => [
            Object.assign(document.createElement("h3"), { textContent: `In ${name}` }),
            Object.assign(document.createElement("pre"), { textContent: text }),
        ]);
        const lead = otherwise && Object.assign(document.createElement("p"), { textContent: otherwise });
        document.getElementById(panel).replaceChildren(...(lead ? [lead] : []), ...nodes);
    }
}
