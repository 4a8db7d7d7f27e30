"use strict";
// Shows one pair after the other and sends what the judge says of it; the server keeps the marks.

const MASK_PARTS = new Set(["source_mask", "target_mask"]);
const PICTURES = ["source", "target", "source_mask", "target_mask"];
const WORDS = { right: "right", wrong: "wrong", unsure: "cannot tell" };
const element = (id) => document.getElementById(id);

let shown = null; // the pair on the page
let busy = false; // an answer is awaited: keys are not heard, so that no pair is marked unseen
let canUndo = false;

async function ask(address, content) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content ?? {}) };
  const answer = await fetch(address, content === undefined ? {} : post);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

async function go(address, content, done) {
  if (busy) return;
  busy = true;
  try {
    const found = await ask(address, content);
    element("trouble").hidden = true;
    await done(found);
  } catch (error) {
    const said = error instanceof TypeError ? "the server does not answer; marks given so far are kept" : error.message;
    element("trouble").textContent = `Not done: ${said}`;
    element("trouble").hidden = false;
  } finally {
    busy = false;
  }
}

function put(id, [before, marked, after]) {
  const place = element(id);
  place.replaceChildren(before);
  if (marked) {
    const word = document.createElement("mark");
    word.textContent = marked;
    place.append(word);
  }
  place.append(after);
}

async function load(image, address) {
  const frame = image.parentElement;
  frame.classList.toggle("missing", !address);
  if (!address) return image.removeAttribute("src");
  image.src = address;
  await image.decode().catch(() => frame.classList.add("missing"));
}

async function show(state) {
  canUndo = state.can_undo;
  element("marked").textContent = state.marked;
  element("asked").textContent = state.asked;
  const progress = document.querySelector(".progress");
  progress.setAttribute("aria-valuemax", state.asked);
  progress.setAttribute("aria-valuenow", state.marked);
  progress.firstElementChild.style.width = `${(100 * state.marked) / Math.max(1, state.asked)}%`;
  for (const id of ["undo", "done_undo"]) element(id).disabled = !canUndo;
  shown = state.pair;
  if (!shown) tellSummary(await ask("summary"), state);
  element("judging").hidden = element("controls").hidden = !shown;
  element("done").hidden = Boolean(shown);
  setParts(state.undone && shown && state.undone.key === shown.key ? state.undone.parts : []);
  if (!shown) return;
  put("caption", shown.caption);
  put("edit_prompt", shown.edit_prompt);
  element("instruction").textContent = shown.edit_instruction ?? "";
  for (const id of ["source_phrase", "target_phrase"]) element(id).textContent = shown[id];
  element("judging").classList.toggle("small", shown.small);
  await Promise.all(PICTURES.map((name) => load(element(name), shown.pictures[name])));
  document.body.dataset.key = shown.key;
  for (const pictures of state.coming) {
    for (const address of Object.values(pictures)) if (address) new Image().src = address;
  }
}

const partButtons = () => [...document.querySelectorAll("[data-part]")];
const chosenParts = () => partButtons().filter((each) => each.ariaPressed === "true").map((each) => each.dataset.part);
function setParts(parts) {
  for (const each of partButtons()) each.ariaPressed = String(parts.includes(each.dataset.part));
}
function toggle(button) {
  button.ariaPressed = String(button.ariaPressed !== "true");
}

function say(text, style) {
  element("last").textContent = text;
  element("last").className = style;
}

function give(verdict) {
  if (!shown || busy) return;
  const parts = chosenParts();
  if (verdict === "right" && parts.some((part) => !MASK_PARTS.has(part))) {
    return say("a part is marked as wrong: W, or unmark it", "wrong");
  }
  go("mark", { key: shown.key, verdict, parts }, async (state) => {
    say(`the last one: ${WORDS[verdict]}`, verdict);
    await show(state);
  });
}

function undo() {
  if (!canUndo || busy) return;
  go("undo", {}, async (state) => {
    say(state.undone ? `taken back: ${WORDS[state.undone.verdict]}` : "nothing to take back", "");
    await show(state);
  });
}

function help(open) {
  element("rules").hidden = !open;
  element("help").ariaExpanded = String(open);
  element("judging").hidden = element("controls").hidden = open || !shown;
  element("done").hidden = open || Boolean(shown);
}

function finish() {
  go("finish", {}, async () => {
    for (const id of ["judging", "controls", "done", "rules"]) element(id).hidden = true;
    element("ended").hidden = false;
    document.querySelector("header").hidden = true;
    shown = null;
  });
}

const percent = (share) => `${(100 * share).toFixed(1)}%`;
const range = (found) => `${percent(found.low)} to ${percent(found.high)}`;

function table(title, head, rows) {
  const made = document.createElement("table");
  made.createCaption().textContent = title;
  const line = made.createTHead().insertRow();
  for (const name of head) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    line.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const value of row) line.insertCell().textContent = value;
  }
  return made;
}

function tellSummary(summary, state) {
  const whole = summary.precision;
  element("done_title").textContent = whole ? `${percent(whole.value)} right` : "Nothing is marked yet";
  element("done_text").textContent = whole
    ? `With 95% confidence ${range(whole)} of all ${whole.pairs} pairs are right, by ${whole.marked} marks` +
      (summary.unsure ? `; ${summary.unsure} could not be told.` : ".") +
      (state.asked < state.all ? ` All ${state.asked} that were asked for are marked; --pairs asks for more.` : "")
    : "There is no pair to ask about.";
  const score = (value) => (value === null ? "—" : value.toFixed(3));
  const tables = [
    table(
      `By ${summary.score.replaceAll("_", " ")}`,
      ["from", "to", "pairs", "marked", "right", "95% interval"],
      summary.strata.map((each) => [
        score(each.low_score), score(each.high_score), each.pairs, each.estimate?.marked ?? 0,
        each.estimate ? percent(each.estimate.value) : "—", each.estimate ? range(each.estimate) : "—",
      ]),
    ),
  ];
  if (summary.agreements.length) {
    tables.push(
      table(
        "Judges", ["", "pairs of both", "agree", "Cohen’s kappa", "95% interval"],
        summary.agreements.map((each) => [
          each.judges.join(" and "), each.pairs, percent(each.agreed / each.pairs),
          each.kappa === null ? "—" : each.kappa.toFixed(2),
          each.kappa === null ? "—" : `${each.low.toFixed(2)} to ${each.high.toFixed(2)}`,
        ]),
      ),
    );
  }
  element("done_tables").replaceChildren(...tables);
}

const KEYS = {
  r: () => give("right"),
  w: () => give("wrong"),
  enter: () => give("wrong"),
  u: () => give("unsure"),
  z: undo,
  backspace: undo,
  m: () => element("judging").classList.toggle("masks-large"),
  "?": () => help(element("rules").hidden),
  escape: () => help(false),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  const helping = !element("rules").hidden;
  if (key === "enter" && event.target.tagName === "BUTTON") return; // a button's own
  if (helping && !["?", "escape"].includes(key)) return;
  const part = shown && /^[1-5]$/.test(key) ? partButtons()[Number(key) - 1] : null;
  if (part) toggle(part);
  else if (KEYS[key]) KEYS[key]();
  else return;
  event.preventDefault();
});
for (const each of partButtons()) each.addEventListener("click", () => (toggle(each), each.blur()));
for (const each of document.querySelectorAll("[data-verdict]")) {
  each.addEventListener("click", () => (give(each.dataset.verdict), each.blur()));
}
element("masks").addEventListener("click", (event) => (KEYS.m(), event.currentTarget.blur()));
for (const id of ["undo", "done_undo"]) element(id).addEventListener("click", (event) => (undo(), event.currentTarget.blur()));
for (const id of ["finish", "done_finish"]) element(id).addEventListener("click", finish);
element("help").addEventListener("click", (event) => (KEYS["?"](), event.currentTarget.blur()));
element("close").addEventListener("click", () => help(false));
go("state", undefined, show);
