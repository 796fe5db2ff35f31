"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
for (const row of rows) row.simulated ??= data.simulated;
const by = (id) => document.getElementById(id);
const grid = by("grid"), view = by("view"), tools = document.querySelector(".tools");
const STATUSES = ["done", "under way", "failed", "in doubt", "released"];
const chosen = new Set();   // indexes of rows
let shown = [];             // indexes of rows, as filtered and ordered
let here = 0;               // which of those shown the keys are at
let anchor = 0;             // where a choice with Shift begins
let only = "";              // a status, or "chosen"
let given = [];             // what was chosen before all of it was given up
let columns = 1, width = 0, height = 0;
const cards = new Map();    // place in `shown` → element; only what is near the screen

// What things are called

const many = (number, one, more = one + "s") => `${number.toLocaleString("en")} ${number === 1 ? one : more}`;
function usd(sum) {
  if (sum === 0 || sum >= 1) return "$" + sum.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return "$" + (sum >= 0.1 ? sum.toFixed(2) : sum.toPrecision(2));
}
const exact = (sum) => "$" + Number(sum.toFixed(6));
const span = (s) => s < 60 ? s.toFixed(1) + " s" : s < 3600 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : `${Math.floor(s / 3600)} h ${Math.round(s % 3600 / 60)} min`;
const day = (time) => new Date(time * 1000).toLocaleString();
const title = (row) => row.prompt || row.name || row.error || "no prompt";
const place = (row) => [row.record === undefined ? "" : "record " + row.record, row.iteration ? "iteration " + row.iteration : ""].filter(Boolean).join(", ");
const varies = (key) => new Set(rows.map((row) => row[key]).filter(Boolean)).size > 1;
const differ = { model: varies("model"), size: varies("size") };
const brief = (row) => [row.status === "done" ? "" : row.status, row.cost_usd === undefined ? "" : usd(row.cost_usd), row.seconds === undefined ? "" : span(row.seconds), place(row), differ.model && row.model, differ.size && row.size].filter(Boolean).join(" · ");

const why = (row) => row.error || (row.status === "in doubt" ? "It was sent, and nobody knows what became of it." : row.status === "released" ? "It was sent, and may be sent again." : "");

function make(tag, facts, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(facts || {})) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...inside);
  return made;
}

// Totals

function median(numbers) {
  const sorted = numbers.sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
function total() {
  const pictures = rows.filter((row) => row.name !== undefined);
  const failed = rows.filter((row) => row.status === "failed").length, doubt = rows.filter((row) => row.status === "in doubt");
  const risk = doubt.reduce((all, row) => all + (row.most_usd || 0), 0), times = rows.map((row) => row.seconds).filter((each) => each !== undefined);
  const gone = pictures.filter((row) => row.gone).length;
  const put = (name, value, look = "") => by("totals").append(make("div", { className: look }, make("dt", {}, name), make("dd", {}, value)));
  put(pictures.length === 1 ? "picture" : "pictures", pictures.length.toLocaleString("en"));
  for (const [name, simulated] of [["cost", false], ["would cost, simulated", true], ["cost, unless simulated", null]]) {
    const some = rows.filter((row) => row.simulated === simulated), priced = some.filter((row) => row.cost_usd !== undefined);
    const unknown = some.filter((row) => row.name !== undefined && row.cost_usd === undefined).length;
    if (priced.length) put(name + (unknown ? `, ${unknown.toLocaleString("en")} not known` : ""), usd(priced.reduce((all, row) => all + row.cost_usd, 0)));
  }
  if (times.length) put("median of a request", span(median(times)));
  if (failed) put("failed", failed.toLocaleString("en"), "failed");
  if (doubt.length) put("in doubt" + (risk ? `, up to ${usd(risk)}` : ""), doubt.length.toLocaleString("en"), "doubt");
  if (gone) put("not where they were", gone.toLocaleString("en"), "doubt");
}

// Which are shown

const texts = rows.map((row) => [row.prompt, row.revised_prompt, row.model, row.service, row.step, row.place, row.name, row.error, row.request_id, row.run, place(row)].filter(Boolean).join("\n").toLowerCase());
function filter() {
  const words = by("find").value.toLowerCase().split(/\s+/).filter(Boolean), model = by("model").value, step = by("step").value;
  const least = parseFloat(by("least").value), most = parseFloat(by("most").value), [key, way] = by("sort").value.split(":");
  const counts = new Map();
  shown = [];
  rows.forEach((row, i) => {
    if ((model && row.model !== model) || (step && row.step !== step)) return;
    if (least >= 0 && !(row.cost_usd >= least)) return;
    if (most >= 0 && !(row.cost_usd <= most)) return;
    if (!words.every((word) => texts[i].includes(word))) return;
    for (const each of ["", row.status, ...(chosen.has(i) ? ["chosen"] : [])]) counts.set(each, (counts.get(each) || 0) + 1);
    if (!only || row.status === only || (only === "chosen" && chosen.has(i))) shown.push(i);
  });
  if (key) {
    const sign = Number(way), value = (i) => rows[i][key];
    shown.sort((a, b) => {
      const one = value(a), other = value(b);
      if (one === undefined || other === undefined) return (one === undefined) - (other === undefined) || a - b;
      return sign * (typeof one === "string" ? one.localeCompare(other) : one - other) || a - b;
    });
  }
  chips(counts);
  here = anchor = 0;
  by("empty").hidden = shown.length > 0;
  grid.hidden = shown.length === 0;
  count();
  lay();
  const top = by("count").getBoundingClientRect().top + scrollY - tools.offsetHeight - 8;
  if (scrollY > top) scrollTo(0, top);
}
function chips(counts) {
  const names = ["", ...STATUSES.filter((each) => rows.some((row) => row.status === each)), "chosen"];
  if (!by("chips").children.length) {
    for (const name of names) by("chips").append(make("button", { type: "button", onclick: () => { only = name; filter(); } }));
  }
  names.forEach((name, at) => {
    const chip = by("chips").children[at];
    chip.textContent = `${name || "all"} ${(counts.get(name) || 0).toLocaleString("en")}`;
    chip.setAttribute("aria-pressed", String(only === name));
  });
}
function count() {
  const sum = shown.reduce((all, i) => all + (rows[i].cost_usd || 0), 0);
  by("count").textContent = shown.length === rows.length ? many(rows.length, "entry", "entries") : `${shown.length.toLocaleString("en")} of ${many(rows.length, "entry", "entries")}, ${usd(sum)}`;
}

// The grid: only what is near the screen is in the page

const GAP = 16, TEXT = 83;
function lay() {
  const room = grid.clientWidth || by("count").clientWidth, wish = Math.min(Number(by("size").value), room);
  columns = Math.max(1, Math.floor((room + GAP) / (wish + GAP)));
  width = (room - GAP * (columns - 1)) / columns;
  height = Math.round(width + TEXT);
  grid.style.height = Math.ceil(shown.length / columns) * (height + GAP) + "px";
  for (const card of cards.values()) card.remove();
  cards.clear();
  draw();
}
function draw() {
  const from = -grid.getBoundingClientRect().top, step = height + GAP;
  const first = Math.max(0, Math.floor((from - innerHeight / 2) / step)) * columns;
  const end = Math.min(shown.length, (Math.floor((from + innerHeight * 1.5) / step) + 1) * columns);
  for (const [at, card] of cards) if (at < first || at >= end) { card.remove(); cards.delete(at); }
  const fresh = document.createDocumentFragment();
  for (let at = first; at < end; at++) if (!cards.has(at)) { const made = card(at); cards.set(at, made); fresh.append(made); }
  grid.append(fresh);
  mark();
}
function card(at) {
  const i = shown[at], row = rows[i], look = row.status === "failed" ? " failed" : row.status === "in doubt" ? " doubt" : row.gone ? " gone" : "";
  const pic = make("div", { className: "pic" }), prompt = make("p", { className: "prompt" }, title(row));
  const lost = (said, more) => {
    pic.replaceChildren(make("p", {}, make("strong", {}, said), " ", more || ""));
    prompt.removeAttribute("aria-hidden");
  };
  if (row.thumb) prompt.setAttribute("aria-hidden", "true"); // the picture says it
  if (row.thumb) pic.append(make("img", { src: row.thumb, alt: title(row), decoding: "async", draggable: false, onerror: () => lost("cannot be shown", row.name) }));
  else if (row.name) lost(row.gone ? "not where it was" : "cannot be shown", row.name);
  else lost(row.status, why(row));
  const made = make("div", { className: "card" + look, id: "card" + at, role: "option" }, pic, make("span", { className: "tick" }),
    make("div", { className: "say" }, prompt, make("p", { className: "small" }, brief(row))));
  made.setAttribute("aria-posinset", at + 1);
  made.setAttribute("aria-setsize", shown.length);
  made.setAttribute("aria-selected", String(chosen.has(i)));
  made.style.width = width + "px";
  made.style.height = height + "px";
  made.style.transform = `translate(${(at % columns) * (width + GAP)}px, ${Math.floor(at / columns) * (height + GAP)}px)`;
  return made;
}
function mark() {
  for (const [at, each] of cards) each.classList.toggle("here", at === here);
  if (cards.has(here)) grid.setAttribute("aria-activedescendant", "card" + here); else grid.removeAttribute("aria-activedescendant");
}
function go(at, choosing) {
  const to = Math.max(0, Math.min(shown.length - 1, at));
  if (choosing) pick(range(here, to), true); else anchor = to;
  here = to;
  const bar = tools.offsetHeight + 8, tray = by("tray").hidden ? 8 : by("tray").offsetHeight + 24;
  const top = grid.getBoundingClientRect().top + Math.floor(to / columns) * (height + GAP);
  if (to < columns) scrollTo(0, 0); // with all that stands above the pictures
  else if (top < bar) scrollBy(0, top - bar); else if (top + height > innerHeight - tray) scrollBy(0, Math.min(top - bar, top + height - innerHeight + tray));
  draw();
}

// Choosing

const range = (one, other) => shown.slice(Math.min(one, other), Math.max(one, other) + 1);
const toggle = (at) => { pick([shown[at]], !chosen.has(shown[at])); anchor = at; };
function pick(indexes, on) {
  for (const i of indexes) if (on) chosen.add(i); else chosen.delete(i);
  given = [];
  for (const [at, each] of cards) each.setAttribute("aria-selected", String(chosen.has(shown[at])));
  tray();
  keep();
}
function tray() {
  const sum = [...chosen].reduce((all, i) => all + (rows[i].cost_usd || 0), 0), one = chosen.size > 0;
  by("tray").hidden = !one && !given.length;
  by("chosen").textContent = one ? `${chosen.size.toLocaleString("en")} chosen, ${usd(sum)}` : given.length ? `${given.length.toLocaleString("en")} given up` : "";
  for (const id of ["paths", "csv", "json"]) by(id).hidden = !one;
  by("clear").textContent = one ? "Clear" : "Choose them again";
  if (only !== "chosen") by("chips").lastElementChild.textContent = `chosen ${chosen.size.toLocaleString("en")}`;
}
const KEPT = "flowdsl report " + data.key;
function keep() { try { sessionStorage.setItem(KEPT, JSON.stringify([...chosen])); } catch { /* a browser that keeps nothing */ } }
function kept() { try { for (const i of JSON.parse(sessionStorage.getItem(KEPT) || "[]")) if (rows[i]) chosen.add(i); } catch { /* nothing is kept */ } }

// Taking them along

const COLUMNS = ["path", "prompt", "revised_prompt", "model", "service", "size", "cost_usd", "seconds", "step", "place", "record", "iteration", "status", "error", "request_id", "run", "made", "simulated"];
const taken = () => [...chosen].sort((a, b) => a - b).map((i) => Object.fromEntries(COLUMNS.map((name) => [name, rows[i][name] ?? null])));
function cell(value) {
  const text = value === null ? "" : String(value), safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? "'" + text : text; // else a spreadsheet computes it
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
function save(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
async function copy(text, button) {
  const before = button.textContent;
  try { await navigator.clipboard.writeText(text); } catch {
    const field = make("textarea", { value: text });
    (view.open ? view : document.body).append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1200);
}
by("json").onclick = () => save("chosen.json", "application/json", JSON.stringify(taken(), null, 2) + "\n");
by("csv").onclick = () => save("chosen.csv", "text/csv", "\ufeff" + [COLUMNS, ...taken().map((row) => COLUMNS.map((name) => row[name]))].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n");
by("paths").onclick = (event) => copy(taken().map((row) => row.path).filter(Boolean).join("\n"), event.currentTarget);
by("clear").onclick = () => {
  const before = [...chosen];
  if (before.length) { pick(before, false); given = before; } else pick(given, true);
  tray();
  if (only === "chosen") filter();
};

// One picture, large

function look(at) {
  const row = rows[shown[at]], img = view.querySelector("img"), link = view.querySelector("a");
  go(at);
  img.hidden = !row.src;
  img.alt = title(row);
  const lost = (text) => { view.querySelector(".lost").textContent = text; };
  lost(row.gone ? `not where it was: ${row.path}` : row.src ? "" : [row.status, why(row)].filter(Boolean).join(": "));
  img.onerror = () => { img.hidden = true; lost(`cannot be shown: ${row.path}`); };
  if (row.src) img.src = row.src; else img.removeAttribute("src");
  link.hidden = !row.src || row.src.startsWith("data:");
  if (!link.hidden) link.href = row.src;
  view.querySelector(".prompt").textContent = row.prompt || "no prompt is known";
  const facts = { "revised prompt": row.revised_prompt, error: row.error, status: row.status, cost: row.cost_usd === undefined ? undefined : exact(row.cost_usd), "at risk": row.most_usd === undefined ? undefined : `up to ${exact(row.most_usd)}`, time: row.seconds === undefined ? undefined : span(row.seconds), model: row.model, service: row.service, size: row.size, step: row.step, place: row.place, in: place(row), made: row.made === undefined ? undefined : day(row.made), request: row.request_id, run: row.run, file: row.path };
  view.querySelector("dl").replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  view.querySelector('[data-go="copy"]').disabled = !row.prompt;
  view.querySelector('[data-go="-1"]').disabled = at === 0;
  view.querySelector('[data-go="1"]').disabled = at === shown.length - 1;
  says();
  if (!view.open) view.showModal();
  for (const near of [at + 1, at - 1]) if (rows[shown[near]]?.src) new Image().src = rows[shown[near]].src;
}
function says() {
  const on = chosen.has(shown[here]), button = view.querySelector('[data-go="choose"]');
  button.textContent = on ? "✓ Chosen" : "Choose";
  button.setAttribute("aria-pressed", String(on));
}
function act(name, button) {
  if (name === "close") button.closest("dialog").close();
  else if (name === "choose") { toggle(here); says(); }
  else if (name === "copy") copy(rows[shown[here]].prompt, button);
  else if (shown[here + Number(name)] !== undefined) look(here + Number(name));
}
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.onclick = (event) => {
    const button = event.target.closest("[data-go]");
    if (button) act(button.dataset.go, button); else if (event.target === dialog) dialog.close();
  };
}
view.onclose = () => grid.focus({ preventScroll: true });

// Mouse and keys

grid.onclick = (event) => {
  const found = event.target.closest(".card"), at = [...cards.keys()].find((each) => cards.get(each) === found);
  if (at === undefined) return;
  if (event.shiftKey) { pick(range(anchor, at), true); here = at; mark(); }
  else if (event.target.closest(".tick") || event.ctrlKey || event.metaKey) { toggle(at); here = at; mark(); }
  else look(at);
};
const page = () => Math.max(1, Math.floor((innerHeight - tools.offsetHeight) / (height + GAP))) * columns;
const MOVES = { ArrowRight: () => here + 1, ArrowLeft: () => here - 1, ArrowDown: () => here + columns, ArrowUp: () => here - columns, PageDown: () => here + page(), PageUp: () => here - page(), Home: () => 0, End: () => shown.length - 1 };
function keyInGrid(event) {
  const { key } = event;
  if (key in MOVES) go(MOVES[key](), event.shiftKey);
  else if (key === " ") toggle(here);
  else if (key === "Enter") look(here);
  else if (key === "a" && (event.ctrlKey || event.metaKey)) pick(shown, !shown.every((i) => chosen.has(i)));
  else return false;
  return true;
}
function keyInView(event) {
  const { key } = event;
  if (key === "ArrowLeft" || key === "ArrowUp") act("-1");
  else if (key === "ArrowRight" || key === "ArrowDown") act("1");
  else if (key === " " && !event.target.closest("button, a")) act("choose");
  else return false;
  return true;
}
function keyAnywhere(event) {
  const { key } = event;
  if (key === "/") { by("find").focus(); by("find").select(); }
  else if (key === "?") by("keys").showModal();
  else if (key === "t") theme();
  else if (key.startsWith("Arrow") && event.target === document.body && shown.length) { grid.focus({ preventScroll: true }); go(here); }
  else return false;
  return true;
}
document.onkeydown = (event) => {
  const modified = event.ctrlKey || event.metaKey || event.altKey, field = event.target.closest("input, select, textarea");
  if (field) {
    if (event.key !== "Escape" || view.open) return;
    if (field.id === "find" && field.value) { field.value = ""; filter(); } else field.blur();
    event.preventDefault();
    return;
  }
  const done = view.open ? !modified && keyInView(event)
    : by("keys").open ? false
    : (event.target === grid && shown.length && !event.altKey && keyInGrid(event)) || (!modified && keyAnywhere(event));
  if (done) event.preventDefault();
};

// The rest

const night = matchMedia("(prefers-color-scheme: dark)");
function paint(name) { document.documentElement.dataset.theme = name; }
function theme() {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  paint(name);
  try { localStorage.setItem("flowdsl theme", name); } catch { /* it holds for this page */ }
}
let liked = null;
try { liked = localStorage.getItem("flowdsl theme"); } catch { /* nothing is kept */ }
paint(liked === "dark" || liked === "light" ? liked : night.matches ? "dark" : "light");
night.onchange = () => paint(night.matches ? "dark" : "light");
by("theme").onclick = theme;
by("help").onclick = () => by("keys").showModal();
by("more").onclick = () => by("more").setAttribute("aria-expanded", String(by("filters").classList.toggle("open")));
by("reset").onclick = () => { for (const id of ["find", "model", "step", "least", "most"]) by(id).value = ""; only = ""; filter(); by("find").focus(); };
let wait = 0;
for (const id of ["find", "least", "most"]) by(id).oninput = () => { clearTimeout(wait); wait = setTimeout(filter, 90); };
for (const id of ["model", "step", "sort"]) by(id).onchange = filter;
by("size").oninput = lay;
if (innerWidth < 500) by("size").value = "160"; // two of them side by side on a phone
let asked = false;
onscroll = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
let wide = 0;
new ResizeObserver(() => { if (by("count").clientWidth !== wide) { wide = by("count").clientWidth; const at = here; lay(); here = at; mark(); } else draw(); }).observe(document.body);
for (const key of ["model", "step"]) {
  const values = [...new Set(rows.map((row) => row[key]).filter(Boolean))].sort();
  by(key).append(...values.map((value) => make("option", { value }, value)));
  by(key).closest("label").hidden = values.length < 2;
}
document.querySelector(".range").hidden = !rows.some((row) => row.cost_usd !== undefined);
document.title = by("title").textContent = data.title;
by("facts").textContent = data.facts.join(" · ");
total();
kept();
filter();
tray();
