"use strict";
// The page: puts a session, its terminal and its picture together.

(() => {
    const element = (id) => document.getElementById(id);
    const session = new Session();
    const mounts = new MountsView(showMounts);
    const terminal = new Terminal(session, {
        run,
        interrupt,
        end,
        during: (action) => during(action).catch(tell),
    });
    const guide = new Guide((command) =>
        during(async () => {
            session.show(session.last);
            await terminal.type(command);
            await run(terminal.take());
        }),
    );
    /** How much is going on. */
    let working = 0;
    /** The fragment of the session that is shown: what else the address has, somebody else has put there. */
    let fragment;

    function showMounts() {
        mounts.show(session.moment, session.moments[session.shown - 1]);
    }

    /** Does something that takes time. */
    async function during(action) {
        working += 1;
        document.body.classList.add("busy");
        try {
            return await action();
        } finally {
            working -= 1;
            document.body.classList.toggle("busy", working > 0);
        }
    }

    /** Does something with the machine, and says so if that goes wrong. */
    async function attempt(action) {
        element("failure").hidden = true;
        try {
            await action();
            return true;
        } catch (error) {
            tell(error);
            return false;
        }
    }

    /** What the page has said last. */
    let told;

    function tell(error) {
        // Somebody has ended the worker, and goes on with another one.
        if (error instanceof Ended) return;
        told = error;
        const hasFailed = !(error instanceof Refusal);
        const command = session.commands.at(-1)?.text;
        element("failure-text").textContent = hasFailed
            ? `The simulation has failed: ${error.message}. ` +
              (command === undefined ? "" : `Its state after “${command}” can be made again.`)
            : `That is not possible: ${error.message}`;
        element("recover").hidden = !hasFailed || session.moments.length === 0;
        element("restart").hidden = !hasFailed;
        element("failure").hidden = false;
    }

    async function run(text) {
        if (!session.moment) return;
        const isInput = session.moment.state === "waiting" && session.shown === session.last;
        if (session.moment.state === "exited" || (text.trim() === "" && !isInput)) return;
        await attempt(() => (isInput ? session.input({ line: text }) : session.execute(text)));
    }

    async function end() {
        if (session.pending) return;
        if (session.moment.state === "waiting") await attempt(() => session.input("end"));
        else await run("exit");
    }

    async function interrupt() {
        if (!session.pending) {
            await attempt(() => session.input("interrupt"));
            return;
        }
        await attempt(async () => {
            if (await session.interrupt()) element("candidates").textContent = "The command was given up: it does not end. The machine is as it was before.";
        });
    }

    /** Begins with another session, to which there is a way back: the browser's. */
    async function begin(saved, isNew = true) {
        const began = await attempt(() => during(() => session.begin(saved)));
        if (!began) return false;
        guide.leave();
        mounts.showAll(saved.mountinfo !== undefined);
        terminal.reset();
        await update(isNew);
        return true;
    }

    const anew = (mountinfo) => ({ version: 1, ...(mountinfo !== undefined && { mountinfo }), commands: [] });

    /** Which update of the address is the last one, and whether the browser's Back is to lead to the one before. */
    let turns = 0;
    let isNewEntry = false;

    async function update(isNew = false) {
        isNewEntry ||= isNew;
        terminal.update();
        showMounts();
        showTimeline();
        const { shown, last, pending, saved } = session;
        element("past").hidden = shown === last;
        element("past-text").textContent = `You look at the machine after command ${shown} of ${last}. What you type goes on from here, and the later commands are forgotten.`;
        if (pending) return;
        const turn = ++turns;
        const current = await fragmentOf(saved);
        // It may have gone on meanwhile.
        if (turn !== turns) return;
        fragment = current;
        // Without a fragment, nothing is to be left of the last one.
        const address = current || location.pathname + location.search;
        if (isNewEntry) history.pushState(null, "", address);
        else history.replaceState(null, "", address);
        isNewEntry = false;
    }

    function showTimeline() {
        const { moments, commands, shown, last } = session;
        const list = element("moments");
        const hadFocus = list.contains(document.activeElement);
        const items = moments.map((moment, number) => {
            const text = number === 0 ? "start" : commands[number - 1].text;
            const failed = number > 0 && moment.status !== 0 && moment.state === "ready";
            const button = document.createElement("button");
            button.type = "button";
            button.textContent = number === 0 ? text : `${number} ${failed ? "✗ " : ""}${text}`;
            button.title = failed ? `${text} (exit status ${moment.status})` : text;
            button.tabIndex = number === shown ? 0 : -1;
            if (failed) button.setAttribute("aria-label", `${number} ${text}, failed with exit status ${moment.status}`);
            if (number === shown) button.setAttribute("aria-current", "step");
            button.classList.toggle("forgotten", number > shown);
            button.addEventListener("click", () => session.show(number));
            const item = document.createElement("li");
            item.append(button);
            return item;
        });
        list.replaceChildren(...items);
        const current = items[shown].firstChild;
        if (hadFocus) current.focus();
        list.scrollLeft = Math.max(0, current.offsetLeft - list.offsetLeft - list.clientWidth / 2);
        element("earlier").disabled = shown === 0;
        element("later").disabled = shown === last;
    }

    element("moments").addEventListener("keydown", (event) => {
        const { shown, last } = session;
        const to = { ArrowLeft: shown - 1, ArrowRight: shown + 1, Home: 0, End: last }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        session.show(to);
    });
    element("earlier").addEventListener("click", () => session.show(session.shown - 1));
    element("later").addEventListener("click", () => session.show(session.shown + 1));
    element("present").addEventListener("click", () => {
        session.show(session.last);
        terminal.focus();
    });
    element("form").addEventListener("submit", (event) => event.preventDefault());

    element("example").addEventListener("change", async (event) => {
        const example = EXAMPLES[event.target.value];
        if (example && (await during(() => begin(anew())))) {
            event.target.value = EXAMPLES.indexOf(example);
            guide.begin(example);
        }
    });
    element("anew").addEventListener("click", async () => {
        if (await during(() => begin(anew()))) terminal.focus();
    });
    element("restart").addEventListener("click", () => begin(anew()));
    element("recover").addEventListener("click", async () => {
        if (await during(() => attempt(() => session.recover()))) terminal.focus();
    });
    element("upload").addEventListener("click", () => element("file").click());
    element("file").addEventListener("change", async (event) => {
        const [file] = event.target.files;
        if (!file) return;
        const take = async () => {
            let text;
            try {
                text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
            } catch {
                throw new Refusal(`${file.name} is no text in UTF-8`);
            }
            await begin(anew(text));
        };
        await during(() => attempt(take));
        event.target.value = "";
        terminal.focus();
    });
    element("copy").addEventListener("click", async () => {
        const button = element("copy");
        try {
            await navigator.clipboard.writeText(location.href);
            button.textContent = "Copied";
        } catch {
            button.textContent = "The address bar has it";
        }
        setTimeout(() => (button.textContent = "Copy link"), 2500);
    });

    /** Opens the session of the address, or else a new one. */
    async function open() {
        if (location.hash === fragment) return;
        let damage;
        const saved = await sessionOf(location.hash).catch(() => {
            damage = new Refusal("the link is damaged, or was cut off");
        });
        if (saved && (await begin(saved, false))) return;
        if (saved) damage = told;
        if ((await begin(anew(), false)) && damage) tell(damage);
    }

    session.addEventListener("change", () => during(() => update()));
    window.addEventListener("popstate", () => during(open));
    during(open).then(() => {
        document.body.dataset.ready = "";
        terminal.focus();
    });
})();
