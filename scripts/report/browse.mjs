// Does in headless Chromium what a list of steps on standard input says, and prints what came of each as JSON.
// A step is a list: ["open", path], ["press", key], ["type", text], ["click", selector], ["fill", selector, text],
// ["select", selector, value], ["size", width, height], ["scheme", "dark"], ["value", expression], ["saved", selector],
// ["axe"], ["picture", path], ["memory"]. The last value that is printed is what the page asked a network for, and its errors.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--enable-precise-memory-info"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: process.argv[2], args: FLAGS });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => {});
const page = await context.newPage();
page.setDefaultTimeout(60_000);
const odd = [];
page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) odd.push(`asked for ${request.url()}`); });
page.on("pageerror", (error) => odd.push(String(error)));
page.on("console", (message) => { if (message.type() === "error") odd.push(message.text()); });
// A frame later, what a step has changed is drawn.
const drawn = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))));

const DEEDS = {
  async open(path) {
    const began = performance.now();
    await page.goto(pathToFileURL(path).href, { waitUntil: "load" });
    await page.locator(".card").first().waitFor();
    return performance.now() - began;
  },
  press: (key) => page.keyboard.press(key),
  type: (text) => page.keyboard.type(text),
  click: (selector) => page.locator(selector).first().click(),
  fill: (selector, text) => page.locator(selector).fill(text),
  select: (selector, value) => page.locator(selector).selectOption(value).then(() => null),
  size: (width, height) => page.setViewportSize({ width, height }),
  scheme: (colorScheme) => page.emulateMedia({ colorScheme }),
  value: (expression) => page.evaluate(expression),
  // The page lets nobody evaluate a text inside it, so it is asked again and again from outside.
  async until(expression) { for (let tries = 0; !(await page.evaluate(expression)); tries++) { if (tries > 1000) throw new Error(`never: ${expression}`); await drawn(); } },
  async saved(selector) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(selector).click()]);
    return [download.suggestedFilename(), readFileSync(await download.path(), "utf8")];
  },
  async axe() {
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((node) => `${node.target} ${node.failureSummary}`) }));
  },
  async picture(path) {
    await DEEDS.until("[...document.images].every((image) => image.complete)");
    await page.screenshot({ path, ...(path.endsWith(".jpg") ? { type: "jpeg", quality: 82 } : {}) });
  },
  async memory() {
    const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
    return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  },
};
const said = [];
for (const [name, ...rest] of JSON.parse(readFileSync(0, "utf8"))) {
  const value = await DEEDS[name](...rest);
  if (name === "memory") {
    const rss = value.map((id) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) * 1024);
    said.push(Math.max(...rss));
  } else said.push(value ?? null);
  if (!["open", "value", "memory"].includes(name)) await drawn();
}
await browser.close();
console.log(JSON.stringify([...said, odd]));
