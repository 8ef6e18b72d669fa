// Heat maps: which places of an image speak for the answer, drawn by the server.
import { el, Refused } from "./page.js";

const LEGEND = "Orange places speak for it, blue ones against it.";

/** Return a button that shows where, in place of a picture in its stage; and back. */
export function whereButton(stage, address, meaning) {
  const plain = stage.querySelector("img");
  const note = el("p", { class: "quiet", role: "status" });
  let heat = null;
  const button = el("button", { type: "button", "aria-pressed": "false", onclick: async () => {
    const show = button.getAttribute("aria-pressed") === "false";
    if (show && !heat) {
      button.disabled = true;
      note.textContent = "Asking where …";
      try {
        heat = await picture(address, `${meaning}: ${LEGEND}`);
        stage.append(heat);
      } catch (error) {
        note.textContent = error.message;
        return;
      } finally {
        button.disabled = false;
      }
    }
    button.setAttribute("aria-pressed", String(show));
    plain.hidden = show;
    heat.hidden = !show;
    note.textContent = show ? LEGEND : "";
  } }, "Show where");
  return el("div", { class: "where" }, button, note);
}

async function picture(address, alt) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Refused((await answer.json().catch(() => ({}))).error || "There is no heat map.", answer.status);
  const image = el("img", { src: URL.createObjectURL(await answer.blob()), alt });
  await image.decode();
  return image;
}
