// The page Review: one image at a time, by keys.
import { ask, bars, byId, className, el, neighbours, picture, toast, verdict } from "./page.js";

const AHEAD = 5;
const KEYS = [..."1234567890abcdefghijklmopqrtvwxyz"]; // without n, s and u
const KEPT = {
  unknown: "the model did not know it",
  "low margin": "two classes were close",
  disagreement: "two versions disagreed",
  random: "drawn at random",
  suspect: "its label may be wrong",
  added: "added by a person",
};

let items = [];
let place = 0;
let pending = 0;
let reviewed = 0;
let classes = [];
const keyOf = new Map(); // by class
const inOrder = new Intl.Collator(undefined, { numeric: true }).compare;
let sending = Promise.resolve();
let unsent = 0;
const decided = []; // what can be undone, the last one at the end
const answers = new Map();

const current = () => items[place];

async function load() {
  try {
    await sending;
    const found = await ask("/api/queue");
    const open = new Set(decided.map((one) => one.digest));
    items = found.items.filter((item) => !open.has(item.digest));
    place = 0;
    ({ pending, reviewed } = found);
    know(found.classes);
  } catch (error) {
    nothing(error.message);
    return;
  }
  show();
}

/** Add classes; those that are there keep their keys, and their places once a decision was made. Only the class `7` has the key 7, which another one gives up. */
function know(names) {
  const fresh = names.filter((name) => !classes.includes(name));
  if (!fresh.length) return;
  classes.push(...fresh);
  if (!decided.length) classes.sort(inOrder);
  for (const name of fresh.filter((one) => KEYS.includes(one))) {
    for (const [other, key] of keyOf) if (key === name) keyOf.delete(other);
    keyOf.set(name, name);
  }
  const free = () => KEYS.find((key) => ![...keyOf.values()].includes(key));
  for (const name of classes) if (!keyOf.has(name)) keyOf.set(name, free());
  byId("classes").replaceChildren(...classes.map((name) =>
    el("button", { type: "button", onclick: () => decide("label", name), "data-name": name },
      keyOf.get(name) && el("kbd", {}, keyOf.get(name)), ` ${name}`)));
}

function nothing(text) {
  byId("desk").hidden = true;
  byId("empty").hidden = false;
  byId("empty").replaceChildren(el("p", {}, text),
    el("p", { class: "buttons" }, el("button", { type: "button", onclick: load }, "Look again")));
}

function show() {
  const item = current();
  byId("undo").disabled = !decided.length;
  const left = Math.max(0, pending);
  byId("count").textContent = `${left} to review, ${reviewed} reviewed`;
  byId("meter").style.setProperty("--share", `${(100 * reviewed) / Math.max(1, reviewed + left)}%`);
  if (!item) {
    if (left > 0 && items.length) load();
    else nothing(reviewed ? "Everything is reviewed. Well done." : "Nothing to review: no image has been kept yet.");
    return;
  }
  byId("empty").hidden = true;
  byId("desk").hidden = false;
  byId("image").src = picture.kept(item.digest, 1280);
  byId("image").alt = `Image ${item.digest.slice(0, 8)}`;
  byId("about").textContent = [
    `Kept because ${KEPT[item.kept] || item.kept}`,
    item.source,
    new Date(1000 * item.time).toLocaleString(),
  ].filter(Boolean).join(" · ");
  showAnswer(item);
  for (const next of items.slice(place, place + AHEAD)) prefetch(next);
}

function prefetch(item) {
  if (answers.has(item.digest)) return;
  answers.set(item.digest, null);
  new Image().src = picture.kept(item.digest, 1280);
  ask(`/api/review/${item.digest}`)
    .then((answer) => {
      answers.set(item.digest, answer);
      know(answer.names);
      for (const name of answer.nearest.slice(0, 3)) new Image().src = picture.support(name);
    })
    .catch((error) => answers.set(item.digest, { error }))
    .finally(() => current() === item && showAnswer(item));
}

document.addEventListener("model-ready", () => {
  for (const [digest, answer] of answers) if (answer?.error) answers.delete(digest);
  if (current()) show();
});

/** The class that Enter confirms: the label that an image has, else the model's. */
function proposed(item) {
  const answer = answers.get(item.digest);
  if (item.given) return item.given;
  if (answer?.label) return answer.known ? answer.label : "";
  return item.recorded?.known ? item.recorded.label : "";
}

function showAnswer(item) {
  const answer = answers.get(item.digest);
  const parts = [];
  if (answer?.label) parts.push(verdict(answer), bars(answer.classes.slice(0, 3)), neighbours(answer.nearest, 3));
  else {
    if (item.recorded) parts.push(verdict(item.recorded), el("p", { class: "quiet" }, "As it answered then."));
    parts.push(el("p", { class: "quiet" }, answer?.error ? answer.error.message : "Asking the model …"));
  }
  if (item.given) parts.push(el("p", { class: "given" }, "In the data set it is labelled ", el("strong", {}, item.given), "."));
  if (item.recorded?.other) parts.push(el("p", { class: "quiet" }, `Another version said ${item.recorded.other}.`));
  byId("said").replaceChildren(...parts);
  const name = proposed(item);
  byId("confirm").disabled = !name;
  byId("confirm").lastElementChild.textContent = name ? `Confirm ${name}` : "Nothing to confirm";
  for (const button of byId("classes").children) button.toggleAttribute("data-proposed", button.dataset.name === name);
}

function decide(decision, label = "") {
  const item = current();
  if (!item || byId("conflict").open) return;
  place += 1;
  pending -= 1;
  reviewed += 1;
  const said = { digest: item.digest, decision, label, reviewer: byId("reviewer").value.trim() };
  decided.push(said);
  say(label ? `${label}.` : decision === "none" ? "None of these." : "Skipped.");
  show();
  send(said);
}

/** Decisions are sent in their order, while the next image is looked at already. */
function send(said) {
  const index = () => decided.indexOf(said);
  unsent += 1;
  sending = sending.then(async () => {
    if (index() < 0) return; // undone meanwhile
    for (;;) {
      try {
        await ask("/api/review", { values: said });
        return;
      } catch (error) {
        if (error.status === 409) return conflict(said, error);
        if (!error.later) {
          toast(error.message, "bad");
          return back(said);
        }
        await new Promise((wake) => setTimeout(wake, 2000));
      }
    }
  }).finally(() => { unsent -= 1; });
}

function conflict(said, error) {
  const { review } = error.values;
  const word = review.label || { none: "none of the classes", skip: "skipped" }[review.decision] || review.decision;
  const by = review.reviewer ? `${review.reviewer} says` : "Somebody says";
  const mine = said.label || { none: "none of the classes", skip: "skip" }[said.decision];
  const next = review.trained_on ? " It has been trained on; yours would count from the next span on." : "";
  byId("conflict-text").textContent = `${by}: ${word}. You say: ${mine}.${next}`;
  return new Promise((done) => {
    const end = (replace) => {
      byId("conflict").close();
      if (!replace) decided.splice(decided.indexOf(said), 1);
      else {
        said.replace = true;
        send(said);
      }
      show();
      done();
    };
    byId("theirs").onclick = () => end(false);
    byId("mine").onclick = () => end(true);
    byId("conflict").oncancel = (event) => { event.preventDefault(); end(false); };
    byId("conflict").showModal();
  });
}

/** Return to an image whose decision is not kept. */
function back(said) {
  const index = decided.indexOf(said);
  if (index >= 0) decided.splice(index, 1);
  pending += 1;
  reviewed -= 1;
  const where = items.findIndex((item) => item.digest === said.digest);
  if (where >= 0) place = where;
  show();
}

function undo() {
  const said = decided.at(-1);
  if (!said) return;
  back(said);
  say("Undone.");
  sending = sending.then(() => ask("/api/undo", { values: { digest: said.digest } }))
    .catch((error) => toast(error.message, "bad"));
}

let told = 0;
function say(text) {
  clearTimeout(told);
  byId("toasts").replaceChildren(el("p", {}, text));
  told = setTimeout(() => byId("toasts").replaceChildren(), 1500);
}

const confirmProposed = () => current() && proposed(current()) && decide("label", proposed(current()));

byId("confirm").addEventListener("click", confirmProposed);
byId("none").addEventListener("click", () => decide("none"));
byId("skip").addEventListener("click", () => decide("skip"));
byId("undo").addEventListener("click", undo);
byId("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = className(byId("label").value);
  if (!name) return;
  byId("label").value = "";
  byId("label").blur();
  know([name]);
  decide("label", name);
});

// After a click Enter confirms, and does not press the same button again.
byId("desk").addEventListener("click", (event) => {
  if (event.detail && document.activeElement.matches("button")) document.activeElement.blur();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("conflict").open) return;
  if (event.target.matches("input")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.repeat && event.key !== "u") return; // a key that is held down decides once
  const actions = { n: () => decide("none"), s: () => decide("skip"), u: undo, "/": () => byId("label").focus() };
  if (event.key === "Enter" && !event.target.matches("button, a")) actions.Enter = confirmProposed;
  const name = classes.find((one) => keyOf.get(one) === event.key);
  const action = actions[event.key] || (name && (() => decide("label", name)));
  if (!action) return;
  event.preventDefault();
  action();
});

byId("suspects").addEventListener("click", async () => {
  byId("suspects").disabled = true;
  try {
    const { added, known, reviewed, run } = await ask("/api/suspects", { values: {} });
    toast(added + known ? `Run ${run}: ${added} images added, ${known} were there already${reviewed ? `, ${reviewed} of them reviewed` : ""}.`
      : `Run ${run}: no image is a suspect, and none was classified wrongly.`);
    load();
  } catch (error) {
    toast(error.message, "bad");
  }
  byId("suspects").disabled = false;
});

const NAME = "siamese-reviewer";
try {
  byId("reviewer").value = localStorage.getItem(NAME) || "";
  byId("reviewer").addEventListener("change", (event) => localStorage.setItem(NAME, event.target.value));
} catch {
  // Without a place to keep it, the name is typed again.
}
addEventListener("beforeunload", (event) => {
  if (unsent) event.preventDefault();
});

load();
