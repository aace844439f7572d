"use strict";
// Sessions as text, for links: JSON, compressed, in the Base64 of URLs.

function fromBase64(text) {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(bytes) {
    let text = "";
    for (let start = 0; start < bytes.length; start += 8192) {
        text += String.fromCharCode(...bytes.subarray(start, start + 8192));
    }
    return btoa(text);
}

/** What comes out of a stream that bytes are put into. */
function piped(bytes, stream) {
    return new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer();
}

const LINK = "#session=";

/** The fragment of a link to a session; empty for one in which nothing was done. */
async function fragmentOf(saved) {
    if (saved.commands.length === 0 && saved.mountinfo === undefined) return "";
    const json = new TextEncoder().encode(JSON.stringify(saved));
    const packed = new Uint8Array(await piped(json, new CompressionStream("deflate-raw")));
    return LINK + toBase64(packed).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The session of a fragment; `undefined` if it has none. */
async function sessionOf(fragment) {
    if (!fragment.startsWith(LINK)) return undefined;
    const packed = fromBase64(fragment.slice(LINK.length).replaceAll("-", "+").replaceAll("_", "/"));
    const json = await piped(packed, new DecompressionStream("deflate-raw"));
    return JSON.parse(new TextDecoder().decode(json));
}
