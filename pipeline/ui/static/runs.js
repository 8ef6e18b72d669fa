// The page Runs.
import { ask, byId, el, toast } from "./page.js";

const SIGNS = { done: "✓", cached: "≡", failed: "✗", unfinished: "✗" };
const TONES = { blessed: "good", not_blessed: "bad", undecided: "open", failed: "bad", interrupted: "open", running: "live" };
const METRICS = { class_accuracy: "classified correctly", auc: "AUC of pairs" };
const POLL = 5000;
const FIRST = "A run reads the images, trains a model, judges it, and pushes it if it is blessed; then the other pages have something to show.";

let watched = "";
let source = null;

async function load() {
  clearTimeout(load.timer);
  try {
    const found = await ask("/api/runs");
    show(found);
  } catch (error) {
    byId("count").textContent = error.message;
  }
  load.timer = setTimeout(load, POLL);
}

function show({ runs, ours, config }) {
  const live = runs.find((run) => run.outcome === "running");
  byId("count").textContent = runs.length ? `${runs.length} run${runs.length === 1 ? "" : "s"}` : "No run yet";
  byId("start").disabled = Boolean(live) || ours;
  byId("stop").hidden = !ours;
  byId("config").textContent = config;
  const text = JSON.stringify(runs);
  if (show.text !== text) {
    show.text = text;
    byId("runs").replaceChildren(...(runs.length ? runs.map(row) : [el("li", { class: "card" }, FIRST)]));
  }
  if (live && live.id !== watched) watch(live.id);
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

function row(run) {
  const metrics = Object.entries(run.metrics).map(([name, value]) => `${value} ${METRICS[name]}`).join(", ");
  return el("li", { class: "card run" },
    el("p", { class: "line" },
      el("strong", { class: `badge ${TONES[run.outcome] || ""}` }, run.word),
      el("span", {}, new Date(1000 * run.started).toLocaleString()),
      el("span", { class: "quiet" }, run.seconds ? duration(run.seconds) : ""),
      el("span", { class: "links" },
        run.report_follows && el("span", { class: "quiet" }, "The report is being written …"),
        run.report && el("a", { href: `/runs/${run.id}/report`, target: "_blank" }, "Report"), " ",
        el("a", { href: `/runs/${run.id}/log`, target: "_blank" }, "Log"))),
    metrics && el("p", {}, metrics, run.pushed && `; pushed as version ${run.pushed}`),
    run.why.length > 0 && el("ul", { class: "why" }, run.why.slice(0, 4).map((one) => el("li", {}, one))));
}

function watch(id) {
  watched = id;
  source?.close();
  source = new EventSource(`/api/runs/${id}/events`);
  source.onmessage = (event) => {
    const found = JSON.parse(event.data);
    showSteps(found);
    if (!found.outcome) return;
    source.close();
    toast(`The run has ended: ${found.outcome.replaceAll("_", " ")}.`);
    load();
  };
}

function heading(steps, outcome) {
  if (outcome) return `Ended: ${outcome.replaceAll("_", " ")}`;
  const now = steps.find((step) => !step.outcome && step.seconds !== null);
  if (now) return `Running: ${now.name}`;
  return steps.length ? "Running" : "Starting: TensorFlow and TFX are being loaded";
}

function showSteps({ steps, findings, outcome }) {
  byId("watch").hidden = false;
  const lines = steps.map((step) => {
    const state = step.outcome || (step.seconds === null ? "waits" : outcome ? "unfinished" : "runs");
    return el("li", { class: state },
      el("i", { "aria-hidden": "true" }, SIGNS[state] || ""),
      el("span", {}, step.name),
      el("span", { class: "quiet n" }, step.seconds === null || state === "cached" ? "" : duration(step.seconds)),
      el("span", { class: "quiet note" }, step.note || (step.outcome && step.outcome !== "done" ? step.outcome : "")));
  });
  byId("watch").replaceChildren(
    el("h2", {}, heading(steps, outcome)),
    el("ol", { class: "steps" }, lines),
    findings.length ? el("ul", { class: "why" }, findings.map((one) => el("li", {}, one))) : "");
}

byId("start").addEventListener("click", () => byId("ask").showModal());
byId("no").addEventListener("click", () => byId("ask").close());
byId("yes").addEventListener("click", async () => {
  byId("ask").close();
  byId("start").disabled = true;
  byId("problem").replaceChildren();
  try {
    await ask("/api/runs/start", { values: {} });
  } catch (error) {
    byId("problem").replaceChildren(el("div", { class: "card bad" }, el("p", {}, "The run was not started."), el("pre", {}, error.message)));
  }
  load();
});
byId("stop").addEventListener("click", async () => {
  byId("stop").disabled = true;
  await ask("/api/runs/stop", { values: {} }).catch((error) => toast(error.message, "bad"));
  byId("stop").disabled = false;
  load();
});

load();
