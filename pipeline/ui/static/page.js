// What all pages share: elements, requests, messages, and whether the model answers.

/** Return an element. Texts become text nodes: nothing that a user named is ever read as HTML. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) made.style.setProperty(key, one);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** The answer to a request was an error; `message` is a sentence, `status` 0 without an answer. */
export class Refused extends Error {
  constructor(message, status, values = {}) {
    super(message);
    this.status = status;
    this.values = values;
  }

  get later() {
    return this.status === 0 || this.status === 503;
  }
}

/** Ask the interface's server; values are sent as JSON by POST, a Blob as it is. */
export async function ask(path, { values, blob, signal } = {}) {
  const options = { signal };
  if (blob) Object.assign(options, { method: "POST", body: blob });
  else if (values) {
    Object.assign(options, { method: "POST", body: JSON.stringify(values) });
    options.headers = { "Content-Type": "application/json" };
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    watch.soon();
    throw new Refused("The interface does not answer: is `siamese ui` still running?", 0);
  }
  const text = await answer.text();
  let found = {};
  try {
    found = JSON.parse(text);
  } catch {
    if (!answer.ok) found = { error: answer.status === 401 ? "Open the address with its token again." : text.slice(0, 300) };
  }
  if (!answer.ok) {
    if (answer.status === 503) watch.soon();
    throw new Refused(found.error || `Error ${answer.status}`, answer.status, found);
  }
  return found;
}

/** Send an image; the interface's server keeps it for a while. */
export async function upload(file) {
  const most = Number(document.body.dataset.mostBytes);
  if (file.size > most) {
    throw new Refused(`${file.name} has more than ${most / 2 ** 20} MB; scale it down, or save it as a JPEG`, 413);
  }
  return ask(`/api/uploads?name=${encodeURIComponent(file.name)}`, { blob: file });
}

export function toast(text, kind = "") {
  const shown = el("p", { class: kind }, text);
  byId("toasts").append(shown);
  setTimeout(() => shown.remove(), kind === "bad" ? 9000 : 4000);
}

/** Return a typed text as the name of a class; empty if it is none, which a message says. */
export function className(text) {
  const name = text.trim().replace(/\s+/g, " ");
  if (!/[/\\]/.test(name) && !name.startsWith(".")) return name;
  toast("The name of a class has no / and \\, and no full stop at its beginning.", "bad");
  return "";
}

export const percent = (share) => (share === null || share === undefined ? "" : `${(100 * share).toFixed(share > 0.9995 || share < 0.1 ? 1 : 0)} %`);

export const picture = {
  upload: (id, side) => `/pictures/uploads/${id}?side=${side}`,
  support: (name, side = 160) => `/pictures/support?name=${encodeURIComponent(name)}&side=${side}`,
  kept: (digest, side) => `/pictures/kept/${digest}?side=${side}`,
};

/** The class in the name of a support image: that of its folder. */
const folderOf = (name) => name.split("/").slice(-2, -1)[0] || "";

/** Return the nearest support images as pictures. */
export function neighbours(names, most = 5) {
  return el(
    "ul",
    { class: "neighbours" },
    names.slice(0, most).map((name) => {
      const image = el("img", { src: picture.support(name), alt: `Support image ${name}`, loading: "lazy" });
      image.addEventListener("error", () => image.replaceWith(el("span", { class: "gone" }, "no picture")));
      return el("li", { title: name }, image, el("span", {}, folderOf(name) || name));
    }),
  );
}

/** Return the model's answer in words: the class, how sure, known or not. */
export function verdict(answer) {
  const word = answer.known ? answer.label : "Unknown";
  const share = percent(answer.probability);
  const closest = answer.known ? `${share} · known class` : `nearest class: ${answer.label}${share ? `, ${share}` : ""}`;
  return el("p", { class: `verdict ${answer.known ? "known" : "unknown"}` }, el("strong", {}, word), " ", el("span", {}, closest));
}

/** Return the first figures of a verdict, each with its interval. */
export function facts(figures, most = 4) {
  return el("dl", { class: "facts" }, figures.slice(0, most).map((one) => el("div", {},
    el("dt", {}, one.name), el("dd", {}, el("strong", {}, one.text), el("span", { class: "quiet" }, ` ${one.between}`)))));
}

/** Return the best classes as bars. */
export function bars(classes) {
  const shares = classes.every((one) => one.probability !== null && one.probability !== undefined);
  return el(
    "table",
    { class: "bars" },
    el("caption", { class: "unseen" }, shares ? "Probability by class" : "Score by class"),
    el("tbody", {}, classes.slice(0, 5).map((one) => {
      const value = shares ? one.probability : (one.score + 1) / 2;
      return el("tr", {},
        el("th", { scope: "row" }, one.name),
        el("td", { class: "share" }, el("i", { style: { "--share": `${100 * value}%` } })),
        el("td", { class: "n" }, shares ? percent(one.probability) : one.score.toFixed(3)));
    })),
  );
}

/** Asks every few seconds whether the model answers, while the page is seen. */
const watch = {
  timer: 0,
  state: "",
  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), 300);
  },
  async look() {
    clearTimeout(this.timer);
    let found;
    try {
      const answer = await fetch("/api/status");
      found = await answer.json();
    } catch {
      found = { state: "gone", message: "The interface does not answer: is siamese ui still running?" };
    }
    if (!document.hidden) this.timer = setTimeout(() => this.look(), found.state === "ready" ? 15000 : 3000);
    this.show(found);
  },
  show(found) {
    const words = { ready: "Model ready", starting: "Model is loading", none: "No model", failed: "No model", unreachable: "No answer", gone: "No answer" };
    byId("state").className = `state ${found.state}`;
    byId("state").lastElementChild.textContent = words[found.state] || found.state;
    byId("banner").hidden = found.state === "ready";
    if (byId("banner").textContent !== found.message) byId("banner").textContent = found.message;
    const before = this.state;
    this.state = found.state;
    if (found.state === "ready" && before && before !== "ready") document.dispatchEvent(new Event("model-ready"));
  },
};
document.addEventListener("visibilitychange", () => document.hidden || watch.look());
watch.look();
