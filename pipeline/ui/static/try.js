// The page Try.
import { ask, bars, byId, el, neighbours, picture, toast, upload, verdict } from "./page.js";
import { dropPlace, onPaste } from "./drop.js";
import { whereButton } from "./heat.js";

const AT_ONCE = 3;

// One image, or many.

let round = 0; // what an earlier drop still does is not shown any more
let again = null; // what the model could not be asked about

async function takeImages(files) {
  const mine = ++round;
  again = null;
  byId("answer").replaceChildren();
  byId("many").replaceChildren();
  byId("many").hidden = files.length < 2;
  byId("progress").hidden = files.length < 2;
  const tiles = files.map((file) => tile(file));
  if (files.length > 1) byId("many").append(...tiles.map((one) => one.element));
  else busy(files[0].name);
  let next = 0, done = 0;
  const worker = async () => {
    while (next < files.length && mine === round) {
      const one = tiles[next++];
      await one.run(() => mine === round);
      done += 1;
      progress(done, tiles);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function progress(done, tiles) {
  const count = (is) => tiles.filter(({ state }) => is(state)).length;
  const unknown = count(({ answer }) => answer && !answer.known);
  const failed = count(({ error }) => error && !error.later);
  const parts = [`${done} of ${tiles.length}`, unknown && `${unknown} unknown`, failed && `${failed} not usable`];
  byId("progress").replaceChildren(
    el("progress", { max: tiles.length, value: done, "aria-label": "Images asked about" }),
    ` ${parts.filter(Boolean).join(", ")}`);
}

function busy(name) {
  byId("answer").replaceChildren(el("p", { class: "busy" }, `Asking about ${name} …`));
}

/** One of the dropped images: uploads it, asks about it, shows the answer. */
function tile(file) {
  const label = el("span", { class: "quiet" }, "waits");
  const frame = el("span", { class: "frame" });
  const element = el("button", { type: "button", class: "tile", disabled: true }, frame, label);
  const state = { file };
  const show = () => {
    for (const other of byId("many").children) other.removeAttribute("aria-current");
    element.setAttribute("aria-current", "true");
    showAnswer(state);
  };
  element.addEventListener("click", show);
  const run = async (wanted) => {
    try {
      state.sent ??= await upload(file);
      frame.replaceChildren(el("img", { src: picture.upload(state.sent.id, 160), alt: "" }));
      state.answer = await ask(`/api/classify?id=${state.sent.id}`);
      label.textContent = state.answer.known ? state.answer.label : `unknown (${state.answer.label})`;
      label.className = state.answer.known ? "" : "unknown";
    } catch (error) {
      if (!wanted()) return;
      state.error = error;
      label.textContent = error.later ? "no answer yet" : "not usable";
      label.className = "bad";
      if (error.later) {
        const before = again;
        again = () => (before?.(), delete state.error, run(wanted));
      }
    }
    if (!wanted()) return;
    element.disabled = false;
    element.title = file.name;
    if (byId("many").hidden) showAnswer(state);
    else if (element.getAttribute("aria-current")) show();
  };
  return { element, run, state };
}

document.addEventListener("model-ready", () => {
  const waiting = again;
  again = null;
  waiting?.();
});

function showAnswer({ file, sent, answer, error }) {
  if (!answer) {
    const wait = error.later ? el("p", { class: "quiet" }, "It is asked again when the model answers.") : null;
    byId("answer").replaceChildren(el("div", { class: "card bad" }, el("p", {}, error.message), wait));
    return;
  }
  const image = el("img", { src: picture.upload(sent.id, 480), alt: `The image ${sent.name}` });
  const stage = el("div", { class: `stage${Math.max(sent.width, sent.height) <= 64 ? " tiny" : ""}` }, image);
  const version = answer.version ? `, version ${answer.version}` : "";
  byId("answer").replaceChildren(el("div", { class: "result" },
    el("figure", {}, stage, whereButton(stage, `/pictures/explained?id=${sent.id}&label=${encodeURIComponent(answer.label)}`, `Where ${sent.name} looks like ${answer.label}`),
      el("figcaption", {}, `${file.name}, ${sent.width} × ${sent.height}`)),
    el("div", { class: "card" },
      verdict(answer),
      bars(answer.classes),
      el("h2", {}, "Nearest support images"),
      neighbours(answer.nearest),
      el("p", { class: "foot" },
        el("span", { class: "quiet" }, `Answered by the served model${version}.`),
        keepButton(sent.id)))));
}

function keepButton(id) {
  const button = el("button", { type: "button", onclick: async () => {
    button.disabled = true;
    try {
      await ask("/api/keep", { values: { id } });
      button.textContent = "In the review queue";
    } catch (error) {
      button.disabled = false;
      toast(error.message, "bad");
    }
  } }, "Add to the review queue");
  return button;
}

// Two images.

const sides = { left: null, right: null };
const thresholds = new Map(); // by version

async function takeSide(side, file) {
  const place = byId(`drop-${side}`);
  try {
    sides[side] = await upload(file);
  } catch (error) {
    toast(error.message, "bad");
    return;
  }
  for (const old of place.querySelectorAll(".stage, .where")) old.remove();
  place.prepend(el("div", { class: "stage" },
    el("img", { src: picture.upload(sides[side].id, 480), alt: `The ${side} image, ${sides[side].name}` })));
  place.classList.add("filled");
  if (sides.left && sides.right) await compareBoth();
}

async function compareBoth() {
  const { left, right } = sides;
  byId("comparison").replaceChildren(el("p", { class: "busy" }, "Comparing …"));
  try {
    const found = await ask(`/api/compare?left=${left.id}&right=${right.id}`);
    showComparison(found);
    for (const [side, one, other] of [["left", left, right], ["right", right, left]]) {
      const place = byId(`drop-${side}`);
      place.querySelector(".where")?.remove();
      place.querySelector(".stage").after(whereButton(place.querySelector(".stage"),
        `/pictures/explained-pair?id=${one.id}&other=${other.id}`, `Where the ${side} image looks like the other one`));
    }
    if (found.version && !thresholds.has(found.version)) {
      thresholds.set(found.version, await ask(`/api/thresholds?version=${found.version}`).catch(() => ({})));
      showComparison(found);
    }
  } catch (error) {
    byId("comparison").replaceChildren(el("div", { class: "card bad" }, el("p", {}, error.message)));
    if (error.later) again = compareBoth;
  }
}

function showComparison({ similarity, same, version }) {
  const limit = thresholds.get(version)?.same;
  const words = limit === undefined ? "" : `, threshold ${limit.toFixed(3)}`;
  byId("comparison").replaceChildren(el("div", { class: "card" },
    el("p", { class: `verdict ${same ? "known" : "unknown"}` },
      el("strong", {}, same ? "Same class" : "Different classes"), " ",
      el("span", {}, `similarity ${similarity.toFixed(3)}${words}`)),
    el("div", { class: "scale", role: "img", "aria-label": `Similarity ${similarity.toFixed(3)} of 1${words}` },
      el("i", { style: { "--share": `${100 * similarity}%` } }),
      limit !== undefined && el("b", { style: { "--share": `${100 * limit}%` } })),
    el("p", { class: "ends quiet" }, el("span", {}, "0 different"), el("span", {}, "same 1"))));
}

// The page.

const one = dropPlace(byId("drop-one"), "An image, or many", takeImages);
const left = dropPlace(byId("drop-left"), "The left image", ([file]) => takeSide("left", file));
const right = dropPlace(byId("drop-right"), "The right image", ([file]) => takeSide("right", file));
const mode = () => document.querySelector("input[name=mode]:checked").value;
onPaste((files) => {
  if (mode() === "one") one(files);
  else (sides.left && !sides.right ? right : left)(files);
});

function showMode() {
  byId("one").hidden = mode() !== "one";
  byId("two").hidden = mode() !== "two";
}
for (const each of document.querySelectorAll("input[name=mode]")) each.addEventListener("change", showMode);
showMode();
