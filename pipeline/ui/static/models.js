// The page Models.
import { ask, byId, el, facts, percent, toast } from "./page.js";

const TONES = { blessed: "good", not_blessed: "bad", undecided: "open" };
const POLL = 15000;
const WIDE = matchMedia("(min-width: 48rem)");

const chosen = new Set();
const open = {}; // by period, whether its classes are shown
let versions = [];

async function load() {
  clearTimeout(load.timer);
  try {
    show(await ask("/api/models"));
  } catch (error) {
    byId("versions").replaceChildren(el("li", { class: "card" }, el("p", {}, error.message)));
  }
  ask("/api/traffic").then(showTraffic, () => {});
  load.timer = setTimeout(load, POLL);
}

function show(found) {
  versions = found.versions;
  byId("count").textContent = found.labelled ? `Version ${found.served} is stable` : `The newest version, ${found.served}, is served`;
  byId("rollback").hidden = !found.labelled || found.previous === null;
  byId("rollback").textContent = `Roll back to ${found.previous}`;
  byId("rollback").onclick = () => rollback(found.previous);
  byId("versions").replaceChildren(...versions.map((one) => row(one, found)));
}

function row(one, { served }) {
  const images = Object.values(one.classes).reduce((sum, count) => sum + count, 0);
  const box = el("input", { type: "checkbox", checked: chosen.has(one.version), "aria-label": `Compare version ${one.version}` });
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(one.version);
    else chosen.delete(one.version);
    byId("compare").disabled = chosen.size !== 2;
  });
  const stable = one.labels.includes("stable"), canary = one.labels.includes("canary");
  return el("li", { class: "card run" },
    el("p", { class: "line" },
      box,
      el("strong", {}, one.version),
      one.labels.map((label) => el("span", { class: `label ${label}` }, label)),
      !one.labels.length && one.version === served && el("span", { class: "label stable" }, "served"),
      el("strong", { class: `badge ${TONES[one.outcome] || ""}` }, one.word),
      el("span", { class: "quiet" }, one.made ? new Date(1000 * one.made).toLocaleString() : "")),
    el("p", {}, [`From ${one.origin}`, ...one.changes].join("; "),
      one.made_by === "run" && one.run && el("a", { href: `/runs/${one.run}/report`, target: "_blank", class: "after" }, "Report")),
    images > 0 && el("p", { class: "quiet" }, `${images} support images in ${Object.keys(one.classes).length} classes`, one.on && `; judged on ${one.on}`),
    one.figures.length > 0 && facts(one.figures),
    one.outcome !== "blessed" && one.reasons.length > 0 && el("ul", { class: "why" }, one.reasons.slice(0, 4).map((why) => el("li", {}, why))),
    el("p", { class: "buttons" },
      !stable && el("button", { type: "button", onclick: () => promote(one, "stable") }, "Promote to stable"),
      !stable && !canary && el("button", { type: "button", onclick: () => promote(one, "canary") }, "Make it the canary"),
      canary && el("button", { type: "button", onclick: () => act("/api/models/rollback", { label: "canary" }) }, "End the canary")));
}

/** Ask whether to do something; resolves to whether to. */
function sure(title, body, word) {
  byId("sure-title").textContent = title;
  byId("sure-body").replaceChildren(...body);
  byId("yes").textContent = word;
  byId("yes").hidden = !word;
  byId("no").textContent = word ? "Cancel" : "Close";
  byId("sure").showModal();
  if (!word) byId("sure-title").focus(); // else a long table is scrolled to its own beginning
  return new Promise((done) => {
    const end = (answer) => {
      byId("sure").close();
      done(answer);
    };
    byId("yes").onclick = () => end(true);
    byId("no").onclick = () => end(false);
    byId("sure").oncancel = (event) => { event.preventDefault(); end(false); };
  });
}

async function act(path, values) {
  toast("Moving the label; servers may have to load the version first …");
  try {
    const found = await ask(path, { values });
    if (!found.refused) {
      toast(found.version === null ? `No version is ${found.label} any more.` : `Version ${found.version} is ${found.label}.`);
      load();
    }
    return found;
  } catch (error) {
    toast(error.message, "bad");
    return {};
  }
}

async function promote(one, label) {
  const words = label === "stable" ? "Servers and clients that follow the labels use it from then on." : "It gets the share of the traffic that the recorder gives a canary.";
  if (!(await sure(`Make version ${one.version} ${label}?`, [el("p", {}, words)], "Promote"))) return;
  const values = { version: one.version, label };
  const { refused } = await act("/api/models/promote", values);
  if (!refused) return;
  if (await sure("This version has not passed the gate", [el("p", {}, refused)], "Promote it all the same")) {
    await act("/api/models/promote", { ...values, not_gated: true });
  }
}

async function rollback(previous) {
  if (await sure(`Roll back to version ${previous}?`, [el("p", {}, "It becomes stable again.")], "Roll back")) {
    await act("/api/models/rollback", { label: "stable" });
  }
}

byId("compare").addEventListener("click", () => {
  const both = versions.filter((one) => chosen.has(one.version)).reverse();
  const names = [...new Set(both.flatMap((one) => one.figures.map((figure) => figure.name)))];
  const figure = (one, name) => one.figures.find((each) => each.name === name);
  const classes = [...new Set(both.flatMap((one) => Object.keys(one.classes)))].sort();
  const line = (name, cells) => el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell) => el("td", { class: "n" }, ...[cell].flat())));
  sure("Two versions", [el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Both versions" }, el("table", { class: "figures plain" },
    el("thead", {}, el("tr", {}, el("td", {}), both.map((one) => el("th", { scope: "col", class: "n" }, one.version)))),
    el("tbody", {},
      line("Verdict", both.map((one) => one.word)),
      line("From", both.map((one) => one.origin)),
      names.map((name) => line(name, both.map((one) => (figure(one, name) ? [figure(one, name).text, el("br"), el("span", { class: "quiet" }, figure(one, name).between.replaceAll(" %", "\u00a0%"))] : "–")))),
      classes.map((name) => line(`images of ${name}`, both.map((one) => one.classes[name] ?? "–")))))),
  el("p", { class: "quiet" }, "With 95 % intervals. Figures on other test images cannot be compared by these; siamese compare pairs the images.")], "");
});

function showTraffic(found) {
  byId("traffic").hidden = false;
  byId("traffic").replaceChildren(...Object.entries(found).map(([period, one]) => el("div", { class: "card" },
    el("h2", {}, `Last ${period}`),
    one.calls ? el("p", {}, el("strong", {}, one.calls.toLocaleString()), " images, ", el("strong", {}, percent(one.unknown / one.calls)), " unknown")
      : el("p", { class: "quiet" }, "Nothing was recorded. siamese record keeps what a model is asked."),
    one.calls > 0 && el("details", { open: open[period] ?? WIDE.matches, ontoggle: (event) => { open[period] = event.target.open; } },
      el("summary", { class: "quiet" }, "By class"),
      el("table", { class: "bars" }, el("caption", { class: "unseen" }, "Images by class"), el("tbody", {},
      [...one.classes, ...(one.others ? [["others", one.others]] : [])].map(([name, count]) => el("tr", {},
        el("th", { scope: "row" }, name),
        el("td", { class: "share" }, el("i", { style: { "--share": `${(100 * count) / one.calls}%` } })),
        el("td", { class: "n" }, count.toLocaleString())))))))));
}

load();
