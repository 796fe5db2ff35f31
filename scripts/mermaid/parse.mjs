// Reads Mermaid texts, a JSON list on standard input, and prints what its parser says of each: null, or its complaint.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const page = new JSDOM("<!doctype html><body></body>");
globalThis.window = page.window;
globalThis.document = page.window.document;
const { default: mermaid } = await import("mermaid");
const said = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const found = await mermaid.parse(text);
    said.push(found.diagramType === "flowchart-v2" ? null : `it is a ${found.diagramType}`);
  } catch (error) {
    said.push(String(error.message));
  }
}
console.log(JSON.stringify(said));
