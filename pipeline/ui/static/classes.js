// The page Classes.
import { ask, byId, className, el, facts, picture, toast, upload } from "./page.js";

const AT_ONCE = 3;
const OPEN_CLASSES = 8;

let listing = null;
let target = ""; // the class that chosen files go to
const selected = new Set(); // names of support images
const empty = () => ({ add: new Map(), reviewed: new Set(), remove: new Set(), remove_images: new Set(), move: new Map() });
let pending = empty();

async function load() {
  try {
    listing = await ask("/api/classes");
  } catch (error) {
    byId("count").textContent = "";
    byId("classes").replaceChildren(el("div", { class: "card" }, el("p", {}, error.message),
      el("p", { class: "buttons" }, el("button", { type: "button", onclick: load }, "Try again"))));
    return;
  }
  show();
}

const countOf = (number, word) => `${number} ${word}${number === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;

function show() {
  const images = listing.classes.reduce((sum, one) => sum + one.images.length, 0);
  byId("count").textContent = `Version ${listing.version}: ${countOf(images, "image")} in ${countOf(listing.classes.length, "class")}`;
  byId("classes").replaceChildren(...listing.classes.map(section));
  byId("tests").replaceChildren(...(listing.labelled ? [el("option", { value: listing.labelled })] : []));
  showReviewed();
  showPending();
}

function section(one, index) {
  const right = one.right ? `, ${one.right[0]} of ${one.right[1]} classified correctly by the others` : "";
  const gone = pending.remove.has(one.name);
  const head = el("summary", {}, el("strong", {}, one.name), " ", el("span", { class: "quiet" }, `${countOf(one.images.length, "image")}${right}`));
  const tools = el("p", { class: "buttons" },
    el("button", { type: "button", onclick: () => choose(one.name) }, "Add images"),
    el("button", { type: "button", class: "danger", onclick: () => toggle(pending.remove, one.name) }, gone ? "Keep the class" : "Remove the class"));
  const gallery = el("ul", { class: "gallery" }, one.images.map((name) => el("li", {}, thumb(name, one.name))));
  const made = el("details", { class: `class${gone ? " leaving" : ""}`, open: index < OPEN_CLASSES }, head, tools, gallery);
  made.addEventListener("dragover", (event) => { event.preventDefault(); made.classList.add("over"); });
  made.addEventListener("dragleave", () => made.classList.remove("over"));
  made.addEventListener("drop", (event) => {
    event.preventDefault();
    made.classList.remove("over");
    addFiles(one.name, [...event.dataTransfer.files]);
  });
  return made;
}

function thumb(name, label) {
  const leaving = pending.remove_images.has(name) || pending.move.has(name);
  const image = el("img", { src: picture.support(name), alt: `${name}, of ${label}`, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "gone" }, name)));
  const button = el("button", { type: "button", class: `thumb${leaving ? " leaving" : ""}`, "aria-pressed": String(selected.has(name)), title: name }, image);
  button.addEventListener("click", () => {
    if (leaving) {
      pending.remove_images.delete(name);
      pending.move.delete(name);
      show();
      return;
    }
    if (!selected.delete(name)) selected.add(name);
    button.setAttribute("aria-pressed", String(selected.has(name)));
    showPending();
  });
  return button;
}

function toggle(set, one) {
  if (!set.delete(one)) set.add(one);
  show();
}

function showReviewed() {
  const names = new Set(listing.classes.map((one) => one.name));
  const found = Object.entries(listing.reviewed).filter(([name]) => !pending.reviewed.has(name));
  found.sort(([a], [b]) => names.has(a) - names.has(b));
  byId("reviewed").replaceChildren(...(found.length ? [el("div", { class: "card" },
    el("p", {}, "Reviewed images that the model has not been trained on:"),
    el("p", { class: "buttons" }, found.map(([name, count]) => el("button", { type: "button", onclick: () => toggle(pending.reviewed, name) },
      names.has(name) ? `Add ${count} to ${name}` : `Enrol ${name} with ${countOf(count, "image")}`))))] : []));
}

// Files become uploads at once, a few at a time.

function choose(label) {
  target = label;
  byId("files").click();
}

byId("files").addEventListener("change", () => {
  if (target) addFiles(target, [...byId("files").files]);
  byId("files").value = "";
});

async function addFiles(label, files) {
  let done = 0, next = 0;
  const refused = [];
  const added = pending.add.get(label) || [];
  pending.add.set(label, added);
  const worker = async () => {
    while (next < files.length) {
      const file = files[next++];
      try {
        added.push((await upload(file)).id);
      } catch (error) {
        refused.push(error.message);
      }
      done += 1;
      showPending(`Sending ${done} of ${files.length} …`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  pending.add.set(label, [...new Set(added)]);
  if (!added.length) pending.add.delete(label);
  if (refused.length) toast(refused.length === 1 ? refused[0] : `${refused.length} files were left out: ${refused[0]}`, "bad");
  showPending();
}

byId("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = className(byId("label").value);
  if (name) choose(name);
});

// What will change.

function words() {
  const names = new Set(listing?.classes.map((one) => one.name));
  return [
    ...[...pending.add].map(([label, ids]) => [names.has(label) ? `Add ${countOf(ids.length, "image")} to ${label}` : `New class ${label} with ${countOf(ids.length, "image")}`, () => pending.add.delete(label)]),
    ...[...pending.reviewed].map((label) => [`${names.has(label) ? "Add" : "Enrol"} ${countOf(listing.reviewed[label], "reviewed image")} of ${label}`, () => pending.reviewed.delete(label)]),
    ...[...pending.remove].map((label) => [`Remove the class ${label}`, () => pending.remove.delete(label)]),
    ...[...pending.move].map(([name, label]) => [`Move ${name} to ${label}`, () => pending.move.delete(name)]),
    ...[...pending.remove_images].map((name) => [`Remove ${name}`, () => pending.remove_images.delete(name)]),
  ];
}

function showPending(title = "") {
  const lines = words();
  byId("pending").hidden = !lines.length && !selected.size && !title;
  byId("pending-title").textContent = title || (selected.size ? `${countOf(selected.size, "image")} selected` : "Changes of the next version");
  const shown = lines.map(([text, drop]) => el("li", {}, text, " ",
    el("button", { type: "button", class: "small", "aria-label": `Do not: ${text}`, onclick: () => { drop(); show(); } }, "✕")));
  byId("changes").replaceChildren(...(selected.size ? [selection()] : []), ...shown);
  byId("prepare").disabled = !lines.length || Boolean(title);
}

function selection() {
  const to = el("select", { "aria-label": "Move to the class" }, listing.classes.map((one) => el("option", {}, one.name)));
  const done = () => { selected.clear(); show(); };
  return el("li", { class: "buttons" },
    el("button", { type: "button", onclick: () => {
      for (const name of selected) if (!listing.classes.find((one) => one.name === to.value).images.includes(name)) pending.move.set(name, to.value);
      done();
    } }, "Move to"), to,
    el("button", { type: "button", class: "danger", onclick: () => { for (const name of selected) pending.remove_images.add(name); done(); } }, "Remove"));
}

byId("clear").addEventListener("click", () => {
  pending = empty();
  selected.clear();
  show();
});

byId("prepare").addEventListener("click", async () => {
  const values = {
    add: Object.fromEntries(pending.add),
    reviewed: [...pending.reviewed],
    remove: [...pending.remove],
    remove_images: [...pending.remove_images],
    move: Object.fromEntries(pending.move),
    test: byId("test").value,
  };
  try {
    follow(await ask("/api/change/prepare", { values }));
  } catch (error) {
    toast(error.message, "bad");
  }
});

// The change, as it is prepared.

async function follow(change) {
  if (change.state === "none") return;
  if (!byId("result").open) byId("result").showModal();
  const shown = { preparing: showPreparing, prepared: showPrepared, failed: showFailed }[change.state];
  shown(change);
  if (change.state !== "preparing") return;
  await new Promise((wake) => setTimeout(wake, 1000));
  if (!byId("result").open) return;
  try {
    follow(await ask("/api/change"));
  } catch (error) {
    toast(error.message, "bad");
    follow(change);
  }
}

function dialog(title, body, ...buttons) {
  byId("result-title").textContent = title;
  byId("result-body").replaceChildren(...body);
  // Not anew each second, which would take the focus away.
  const names = buttons.map((one) => one.textContent).join();
  if (byId("result-buttons").dataset.names !== names) {
    byId("result-buttons").dataset.names = names;
    byId("result-buttons").replaceChildren(...buttons);
  }
}

const button = (text, action, kind = "") => el("button", { type: "button", class: kind, onclick: async (event) => {
  event.target.disabled = true;
  try {
    await action();
  } catch (error) {
    toast(error.message, "bad");
    event.target.disabled = false;
  }
} }, text);

async function discard() {
  await ask("/api/change/discard", { values: {} });
  byId("result").close();
}

async function publish() {
  const { version, waits } = await ask("/api/change/publish", { values: {} });
  byId("result").close();
  toast(`Version ${version} is published; servers load it ${waits ? "when it is promoted, on the page Models" : "within seconds"}.`);
  pending = empty();
  selected.clear();
  byId("label").value = "";
  await load();
}

function showPreparing({ seconds }) {
  dialog("Preparing the next version", [
    el("p", { class: "busy" }, `The images are embedded, and the new version is served to check its answers: ${Math.round(seconds)} s. This takes a minute or two.`),
  ], button("Discard", discard));
}

function showFailed({ error }) {
  dialog("The version cannot be made", [el("pre", {}, error)], button("Close", discard));
}

function share(pair) {
  return pair ? `${pair[0]} of ${pair[1]}` : "–";
}

const total = (right) => Object.values(right).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);

function judged({ outcome, word, on, figures }) {
  if (!outcome) return el("p", { class: "quiet" }, "The gate has not judged it: promoting it will ask for that. Name a folder of labelled images before preparing, to have it judged.");
  return [el("p", {}, el("strong", {}, word), ` on images of ${on}:`), facts(figures)];
}

function showPrepared({ enrolled, verdict }) {
  const old = Object.fromEntries((listing?.classes || []).map((one) => [one.name, one.images.length]));
  const names = [...new Set([...Object.keys(old), ...Object.keys(enrolled.classes)])].sort();
  const changed = (a, b) => (JSON.stringify(a ?? null) === JSON.stringify(b ?? null) ? "" : "changed");
  const row = (name, images, before, after) => el("tr", {},
    el("th", { scope: "row" }, name),
    el("td", { class: "n" }, images[0] ?? "–"), el("td", { class: `n ${changed(...images)}` }, images[1] ?? "–"),
    el("td", { class: "n" }, share(before)), el("td", { class: `n ${changed(before, after)}` }, share(after)));
  const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
  dialog("What the next version changes", [
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures by class" }, el("table", { class: "figures" },
      el("thead", {},
        el("tr", {}, el("td", {}), el("th", { colspan: 2, scope: "colgroup" }, "Images"), el("th", { colspan: 2, scope: "colgroup" }, "Classified correctly")),
        el("tr", {}, el("th", { scope: "col" }, "Class"), ["now", "next", "now", "next"].map((text) => el("th", { scope: "col", class: "n" }, text)))),
      el("tbody", {}, names.map((name) => row(name, [old[name], enrolled.classes[name]], enrolled.before[name], enrolled.after[name])),
        row("all", [sum(old), sum(enrolled.classes)], total(enrolled.before), total(enrolled.after))))),
    el("p", { class: "quiet" }, "Classified correctly: each support image by the others, left out in turn. Images that the encoder was trained on make this look better than new images will."),
    ...[judged(verdict)].flat(),
    enrolled.unusable.length ? el("details", {}, el("summary", {}, `${countOf(enrolled.unusable.length, "file")} left out`),
      el("ul", {}, enrolled.unusable.map((one) => el("li", {}, `${one.file.split("/").pop()} ${one.reason}`)))) : "",
  ], button("Publish", publish, "main"), button("Discard", discard));
}

byId("result").addEventListener("cancel", (event) => event.preventDefault());

load();
ask("/api/change").then(follow, () => {});
