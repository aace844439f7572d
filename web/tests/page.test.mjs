// What the page does.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { FILE, Visit, launch, serve } from "./browser.mjs";

const SHARED = [
    "mkdir -p /data /copy",
    "mount -t tmpfs -o mode=755 data /data",
    "mount --bind /data /copy",
    "mkdir /data/logs && mount -t tmpfs logs /data/logs",
];

describe("the page", { timeout: 110_000 }, () => {
    let browser;
    let visit;

    before(async () => {
        browser = await launch();
    });
    after(() => browser.close());

    beforeEach(async () => {
        visit = await Visit.to(browser);
    });
    afterEach(async () => {
        const { errors } = visit;
        await visit.close();
        assert.deepEqual(errors, []);
    });

    it("runs commands, and shows the mounts", async () => {
        assert.deepEqual(await visit.picture(), ["this shell", "/", "ext4 /dev/sda2 · shared 1"]);
        await visit.type(...SHARED);
        const picture = await visit.picture();
        for (const text of ["/data", "/copy", "/data/logs", "/copy/logs", "tmpfs data · shared 161", "161"]) {
            assert.ok(picture.includes(text), `${text}: ${picture}`);
        }
        assert.deepEqual(await visit.marked(), ["/copy/logs", "/data/logs"]);
        assert.equal(await visit.text("#summary"), "Mounted: /data/logs, /copy/logs.");
        await visit.type("ls /data /nowhere");
        const log = await visit.log();
        assert.match(log, /simulated:\/# ls \/data \/nowhere\n/);
        assert.match(log, /cannot access '\/nowhere'[^]*\/data:\nlogs\n[^]*exit status 2/);
        assert.equal(await visit.text("#summary"), "This command changed no mounts.");
    });

    it("works from a web server as well", async () => {
        const server = await serve();
        const other = await Visit.to(browser, server.url);
        await other.type(...SHARED);
        assert.ok((await other.picture()).includes("/copy/logs"));
        assert.deepEqual(other.errors, []);
        await other.close();
        server.close();
    });

    it("says in words what the picture shows", async () => {
        await visit.type(...SHARED, "unshare -m --propagation slave sleep 1000 &");
        await visit.click("#tab-text");
        const text = await visit.text("#panel-text");
        assert.match(text, /In this shell[^]*├─\/copy +data +tmpfs +rw,relatime +shared 161 with \/data; sends to 2 in sleep\[\d+\]/);
        assert.match(text, /In sleep\[\d+\][^]*└─\/data +data +tmpfs +rw,relatime +slave of 161/);
        assert.doesNotMatch(text, /\/proc/);
        await visit.click("#all");
        assert.match(await visit.text("#panel-text"), /\/proc/);
        assert.ok((await visit.picture()).includes("/proc"));
        await visit.click("#tab-changes");
        assert.match(await visit.text("#panel-changes"), /New mount namespace sleep/);
        await visit.type("umount /copy/logs");
        assert.match(await visit.text("#panel-changes"), /- +\/copy\/logs/);
    });

    it("goes back in time, and on from there", async () => {
        await visit.type("cd /tmp; x=old", "mount -t tmpfs one /mnt", "cd /; x=new; mkdir /later", "umount /mnt");
        assert.equal(await visit.text("#prompt"), "simulated:/# ");
        await visit.click("#moments li:nth-child(3) button");
        assert.equal(await visit.text("#prompt"), "simulated:/tmp# ");
        assert.ok((await visit.picture()).includes("/mnt"));
        assert.match(await visit.text("#past-text"), /after command 2 of 4/);
        await visit.click("#present");
        assert.equal(await visit.text("#prompt"), "simulated:/# ");
        assert.ok(!(await visit.picture()).includes("/mnt"));
        await visit.click("#earlier");
        await visit.click("#earlier");
        await visit.type("echo $x; pwd; ls -d /later");
        assert.match(await visit.log(), /\nold\n\/tmp\n/);
        assert.match(await visit.log(), /cannot access '\/later'/);
        assert.equal((await visit.moments()).length, 4);
        assert.doesNotMatch(await visit.log(), /umount/);
    });

    it("has a link to the whole session", async () => {
        await visit.type(...SHARED, "cat", "typed into cat", "unshare -m --propagation slave sleep 1000 &");
        await visit.press("Control-d");
        assert.match(await visit.log(), /simulated:\/# cat\ntyped into cat\ntyped into cat\n/);
        await visit.type("unshare -m --propagation slave sleep 1000 &");
        const link = visit.page.url();
        assert.ok(link.startsWith(`${FILE}#session=`), link);
        const other = await Visit.to(browser, link);
        assert.equal(await other.log(), await visit.log());
        assert.deepEqual(await other.picture(), await visit.picture());
        assert.deepEqual(await other.moments(), await visit.moments());
        assert.equal(other.page.url(), link);
        await other.type("jobs; ls /data");
        assert.match(await other.log(), /sleep 1000/);
        await other.close();
    });

    it("says that a link is damaged, and works nevertheless", async () => {
        for (const fragment of ["#session=AAAA", "#session=~", "#session=q1bKTq0sz0hMUbJSMlSqBQA"]) {
            const other = await Visit.to(browser, FILE + fragment);
            assert.match(await other.text("#failure:not([hidden]) #failure-text"), /That is not possible: /);
            await other.type("echo works");
            assert.match(await other.log(), /works\n/);
            assert.equal(await other.page.$eval("#failure", (node) => node.hidden), true);
            await other.close();
        }
    });

    it("goes back to the session before with the browser's button", async () => {
        await visit.type("mount -t tmpfs one /mnt");
        await visit.click("#anew");
        assert.deepEqual(await visit.moments(), ["start"]);
        await visit.page.evaluate(() => history.back());
        await visit.page.waitForFunction(() => document.querySelectorAll("#moments li").length === 2);
        assert.ok((await visit.picture()).includes("/mnt"));
    });

    it("takes a mountinfo", async () => {
        const directory = await mkdtemp(join(tmpdir(), "cofferdam-"));
        const upload = async (name, text) => {
            const file = join(directory, name);
            await writeFile(file, text);
            await (await visit.page.$("#file")).uploadFile(file);
            await visit.page.waitForFunction(() => document.getElementById("file").value === "");
            await visit.settled();
        };
        const root = "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n";
        await upload("mountinfo", `${root}2 1 0:7 / /export rw shared:7 - tmpfs mine rw\n`);
        assert.ok((await visit.picture()).includes("/export"));
        await visit.type("mkdir /copy; mount --bind /export /copy");
        assert.ok((await visit.picture()).includes("tmpfs mine · shared 7"));
        const other = await Visit.to(browser, visit.page.url());
        assert.deepEqual(await other.picture(), await visit.picture());
        await other.close();
        for (const [name, content] of [["wrong", "hello\n"], ["binary", Buffer.from([0xff, 0xfe])]]) {
            await upload(name, content);
            assert.match(await visit.text("#failure:not([hidden])"), /no mount table|no text in UTF-8/);
        }
        await visit.type("ls -d /copy");
        assert.match(await visit.log(), /\n\/copy\n/);
        await rm(directory, { recursive: true });
    });

    it("types the commands of every example, one at a time", async () => {
        const examples = await visit.page.evaluate(() => EXAMPLES);
        assert.ok(examples.length >= 4);
        for (const [number, { steps }] of examples.entries()) {
            await visit.page.select("#example", String(number));
            await visit.page.waitForFunction(() => document.querySelectorAll("#moments li").length === 1);
            await visit.page.waitForSelector("#guide:not([hidden])");
            const pictures = new Set();
            for (const [index, step] of steps.entries()) {
                assert.equal(await visit.text("#guide-command"), `next: ${step.command}`);
                await visit.page.click("#type");
                await visit.page.waitForFunction(
                    (done) => document.getElementById("guide-progress").textContent.startsWith(`${done} of `),
                    {},
                    index + 1,
                );
                const text = await visit.text("#guide-says");
                assert.ok(text.startsWith(step.says), text);
                const moment = (await visit.moments()).at(-1);
                assert.equal(moment.includes("✗"), step.fails ?? false, `${moment}\n${await visit.log()}`);
                pictures.add((await visit.picture()).join());
            }
            assert.ok(pictures.size > 2, `example ${number} shows ${pictures.size} pictures`);
            assert.equal(await visit.page.$eval("#type", (node) => node.hidden), true);
        }
    });

    it("is not stopped by what never ends", async () => {
        await visit.type("x=kept; mount -t tmpfs one /mnt");
        const start = async (line) => {
            await visit.page.focus("#line");
            await visit.page.keyboard.type(line);
            await visit.page.keyboard.press("Enter");
            await visit.page.waitForFunction(() => document.getElementById("prompt").textContent === "at work…");
        };
        await start("while :; do :; done");
        await visit.press("Control-c");
        assert.match(await visit.log(), /while :; do :; done\n\^C\nexit status 130/);
        await visit.type("echo $x $?");
        assert.match(await visit.log(), /\nkept 130\n/);
        const other = await Visit.to(browser, visit.page.url());
        assert.equal(await other.log(), await visit.log());
        await other.close();

        await start("trap '' INT; while :; do :; done");
        const pressCtrlC = async () => {
            await visit.page.keyboard.down("Control");
            await visit.page.keyboard.press("c");
            await visit.page.keyboard.up("Control");
        };
        await pressCtrlC();
        // It is done again, up to the Ctrl-C, and goes on.
        await visit.page.waitForFunction(() => document.getElementById("prompt").textContent === "at work, interrupted…");
        await pressCtrlC();
        await visit.page.waitForSelector("#candidates:not(:empty)");
        await visit.settled();
        assert.match(await visit.text("#candidates"), /was given up/);
        await visit.type("echo $x again");
        assert.match(await visit.log(), /\nkept again\n/);
        assert.doesNotMatch(await visit.log(), /trap/);
    });

    it("types into a shell in the shell", async () => {
        await visit.type("unshare -m", "mount -t tmpfs inside /mnt");
        assert.equal(await visit.text("#prompt"), "input> ");
        assert.ok((await visit.picture()).includes("/mnt"));
        assert.equal((await visit.moments()).length, 2);
        await visit.type("exit 3");
        assert.equal(await visit.text("#prompt"), "simulated:/# ");
        assert.match(await visit.log(), /# exit 3\nexit status 3/);
        await visit.type("cat");
        await visit.press("Control-c");
        assert.match(await visit.log(), /\^C\nexit status 130/);
        await visit.type("exit");
        assert.match(await visit.log(), /The shell has ended/);
        await visit.click("#earlier");
        await visit.type("echo goes on");
        assert.match(await visit.log(), /\ngoes on\n/);
    });

    it("goes on after the simulation has failed", async () => {
        await visit.type("mount -t tmpfs one /mnt");
        const [worker] = visit.page.workers();
        await worker.evaluate(() => {
            wasm_bindgen.Machine.prototype.execute = () => {
                report_panic("panicked at nowhere");
                throw new WebAssembly.RuntimeError("unreachable");
            };
        });
        await visit.type("ls");
        assert.match(await visit.text("#failure-text"), /has failed: panicked at nowhere[^]*mount -t tmpfs one \/mnt/);
        await visit.click("#recover");
        await visit.page.waitForSelector("#failure[hidden]");
        await visit.type("findmnt -n -o SOURCE /mnt");
        assert.match(await visit.log(), /\none\n/);
    });

    it("nests as deep as the shell allows", async () => {
        await visit.type("f() { f; }; f", "echo $?");
        assert.match(await visit.log(), /recursion depth reached\nexit status 2[^]*\n2\n/);
    });
});
