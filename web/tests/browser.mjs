// A browser with the page in it, and what people do with a page.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const PAGE = fileURLToPath(new URL("../../target/web/index.html", import.meta.url));
export const FILE = pathToFileURL(PAGE).href;

export const launch = () =>
    puppeteer.launch({
        executablePath: process.env.CHROMIUM,
        // Its own isolation needs more rights than a continuous integration gives.
        args: ["--no-sandbox"],
    });

/** The page on a web server. */
export async function serve() {
    const page = await readFile(PAGE);
    const server = createServer((request, response) => {
        // Browsers ask for an icon, too.
        const isPage = new URL(request.url, "http://localhost").pathname === "/";
        response.writeHead(isPage ? 200 : 204, { "content-type": "text/html" }).end(isPage ? page : undefined);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.closeAllConnections() ?? server.close() };
}

/** An open page. */
export class Visit {
    errors = [];

    static async to(browser, url = FILE, { width = 1400, height = 900 } = {}) {
        const visit = new Visit();
        visit.page = await browser.newPage();
        visit.page.setDefaultTimeout(20_000);
        visit.page.on("pageerror", (error) => visit.errors.push(error.message));
        visit.page.on("console", (message) => message.type() === "error" && visit.errors.push(message.text()));
        await visit.page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
        await visit.page.setViewport({ width, height });
        await visit.page.goto(url);
        await visit.page.waitForSelector("body[data-ready]");
        return visit;
    }

    close() {
        return this.page.close();
    }

    text(selector) {
        return this.page.$eval(selector, (node) => node.textContent);
    }

    /** Nothing is at work, and the address is that of the session. */
    async settled() {
        await this.page.waitForSelector("body:not(.busy)");
    }

    /** Types a line, and waits until it has done what it does. */
    async type(...lines) {
        for (const line of lines) {
            await this.page.focus("#line");
            await this.page.keyboard.type(line);
            await this.page.keyboard.press("Enter");
            await this.settled();
        }
    }

    async press(...keys) {
        for (const key of keys) {
            const [name, ...modifiers] = key.split("-").reverse();
            for (const modifier of modifiers) await this.page.keyboard.down(modifier);
            await this.page.keyboard.press(name);
            for (const modifier of modifiers) await this.page.keyboard.up(modifier);
        }
        await this.settled();
    }

    async click(selector) {
        await this.page.click(selector);
        await this.settled();
    }

    /** What is to be read in the picture: a line for each text of it. */
    picture() {
        return this.page.$eval("#picture", (node) =>
            [...node.shadowRoot.querySelectorAll("svg text")].map((text) => text.textContent),
        );
    }

    /** The boxes of the picture that are marked as new. */
    marked() {
        return this.page.$eval("#picture", (node) =>
            [...node.shadowRoot.querySelectorAll(".new + text")].map((text) => text.textContent),
        );
    }

    /** What is in the log, without what is hidden. */
    log() {
        return this.page.$eval("#log", (node) => node.innerText);
    }

    moments() {
        return this.page.$$eval("#moments button", (buttons) => buttons.map((button) => button.textContent));
    }

    focused() {
        return this.page.evaluate(() => document.activeElement.id);
    }
}
