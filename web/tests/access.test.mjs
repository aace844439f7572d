// The page for those who have no mouse, do not see it, or see it on a small screen.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, it } from "node:test";

import { FILE, Visit, launch } from "./browser.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe("everybody", { timeout: 110_000 }, () => {
    let browser;
    let visit;

    before(async () => {
        browser = await launch();
    });
    after(() => browser.close());
    afterEach(async () => {
        const { errors } = visit;
        await visit.close();
        assert.deepEqual(errors, []);
    });

    it("can use the keyboard alone", async () => {
        visit = await Visit.to(browser);
        assert.equal(await visit.focused(), "line");
        await visit.page.keyboard.type("findmn");
        await visit.press("Tab");
        assert.equal(await visit.page.$eval("#line", (node) => node.value), "findmnt ");
        await visit.page.keyboard.type("-n /");
        await visit.press("Enter");
        await visit.page.keyboard.type("for x in 1 2; do");
        await visit.press("Enter");
        await visit.page.keyboard.type("echo $x$x; done");
        await visit.press("Enter");
        assert.match(await visit.log(), /\n11\n22\n/);
        await visit.press("ArrowUp", "ArrowUp", "ArrowUp");
        assert.equal(await visit.page.$eval("#line", (node) => node.value), "findmnt -n /");
        await visit.press("Control-c");
        assert.equal(await visit.page.$eval("#line", (node) => node.value), "");
        await visit.page.keyboard.type("mount -t tmpfs one /mnt");
        await visit.press("Enter");

        // Out of the line: forwards to the tabs, back to the timeline.
        await visit.press("Tab");
        assert.equal(await visit.focused(), "tab-picture");
        await visit.press("ArrowRight");
        assert.equal(await visit.focused(), "tab-text");
        assert.match(await visit.text("#panel-text:not([hidden])"), /\/mnt/);
        await visit.press("Shift-Tab", "Shift-Tab", "Shift-Tab");
        await visit.press("ArrowLeft");
        assert.match(await visit.text("[aria-current]"), /^2 /);
        assert.doesNotMatch(await visit.text("#panel-text"), /\/mnt/);
        await visit.press("Home");
        assert.equal(await visit.text("[aria-current]"), "start");
        await visit.press("End", "Tab", "Tab");
        assert.equal(await visit.focused(), "line");
        await visit.page.keyboard.type("ls");
        await visit.press("Escape", "Tab");
        assert.equal(await visit.focused(), "tab-text");
    });

    it("sees where the focus is", async () => {
        visit = await Visit.to(browser);
        await visit.type("ls", "cat");
        await visit.press("Control-d");
        const seen = new Set();
        for (let step = 0; step < 30; step++) {
            await visit.press("Tab");
            const [name, outline] = await visit.page.evaluate(() => {
                const active = document.activeElement;
                const shown = active.closest(".line") && active.id === "line" ? active.closest(".line") : active;
                return [active.id || active.textContent, getComputedStyle(shown).outlineStyle];
            });
            if (name !== "" && !name.startsWith("\n")) assert.notEqual(outline, "none", name);
            seen.add(name);
        }
        for (const name of ["example", "upload", "copy", "anew", "earlier", "log", "line", "tab-picture", "all", "panel-picture"]) {
            assert.ok(seen.has(name), `${name}: ${[...seen].join(", ")}`);
        }
    });

    it("can do an example without a mouse", async () => {
        visit = await Visit.to(browser);
        await visit.page.focus("#example");
        await visit.press("ArrowDown");
        await visit.page.waitForSelector("#guide:not([hidden])");
        await visit.page.waitForFunction(() => document.activeElement.id === "type");
        await visit.press("Enter");
        await visit.page.waitForFunction(() => document.getElementById("guide-progress").textContent.startsWith("1 of"));
        await visit.page.waitForFunction(() => document.activeElement.id === "type");
        await visit.press("Space");
        await visit.page.waitForFunction(() => document.getElementById("guide-progress").textContent.startsWith("2 of"));
        assert.ok((await visit.picture()).includes("/data"));
    });

    it("has a picture with a name", async () => {
        visit = await Visit.to(browser);
        await visit.type("mount -t tmpfs one /mnt");
        const image = await visit.page.$eval("#picture", (node) => {
            const svg = node.shadowRoot.querySelector("svg");
            return [svg.getAttribute("role"), svg.getAttribute("aria-label")];
        });
        assert.equal(image[0], "img");
        assert.match(image[1], /^2 mounts in 1 namespace/);
        for (const [selector, name, value] of [["#log", "role", "log"], ["#summary", "role", "status"], ["#failure", "role", "alert"]]) {
            assert.equal(await visit.page.$eval(selector, (node, name) => node.getAttribute(name), name), value);
        }
    });

    for (const scheme of ["light", "dark"]) {
        for (const [width, height] of [[1400, 900], [400, 800]]) {
            it(`finds nothing in the way: ${scheme}, ${width} pixels wide`, async () => {
                visit = await Visit.to(browser, FILE, { width, height });
                await visit.page.emulateMediaFeatures([
                    { name: "prefers-color-scheme", value: scheme },
                    { name: "prefers-reduced-motion", value: "reduce" },
                ]);
                await visit.page.addScriptTag({ content: AXE });
                const check = async (state) => {
                    const { violations } = await visit.page.evaluate(() => axe.run());
                    const found = violations.map(({ id, nodes }) => `${state}: ${id}: ${nodes.map((node) => node.html).join("\n")}`);
                    assert.deepEqual(found, []);
                    const overflow = await visit.page.evaluate(
                        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
                    );
                    assert.ok(overflow <= 0, `${state}: the page is ${overflow} pixels too wide`);
                };
                await check("at the beginning");
                await visit.page.select("#example", "0");
                await visit.page.waitForSelector("#guide:not([hidden])");
                for (let step = 1; step <= 4; step++) {
                    await visit.page.click("#type");
                    await visit.page.waitForFunction(
                        (step) => document.getElementById("guide-progress").textContent.startsWith(`${step} of`),
                        {},
                        step,
                    );
                }
                await check("in an example");
                await visit.type("ls /nowhere", "cat");
                await check("with an error, while something waits");
                await visit.press("Control-c");
                await visit.click("#tab-text");
                await visit.click("#earlier");
                await check("in the past, as text");
            });
        }
    }
});
