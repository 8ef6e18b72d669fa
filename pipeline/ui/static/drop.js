// A place that takes images: by drag and drop, by paste, from files, from the webcam.
import { byId, el, toast } from "./page.js";

/** Fill an element with the ways in; `take` gets a list of files. `what` says what goes there. */
export function dropPlace(place, what, take) {
  const many = place.dataset.many === "yes";
  const input = el("input", { type: "file", accept: "image/*,.tif,.tiff,.heic,.avif", multiple: many, class: "unseen", tabindex: "-1", "aria-label": what });
  const taken = (files) => {
    if (files.length) take(many ? [...files] : [files[0]]);
  };
  input.addEventListener("change", () => {
    taken(input.files);
    input.value = "";
  });
  place.append(
    el("p", { class: "what" }, what),
    el("p", { class: "quiet" }, many ? "Drop images here, or paste one" : "Drop one here"),
    el("p", { class: "buttons" },
      el("button", { type: "button", class: "main", onclick: () => input.click() }, many ? "Choose images" : "Choose an image"),
      navigator.mediaDevices && el("button", { type: "button", onclick: () => photograph((file) => taken([file])) }, "Webcam")),
    input,
  );
  let inside = 0;
  const lit = (step) => place.classList.toggle("over", (inside = step ? inside + step : 0) > 0);
  place.addEventListener("dragenter", (event) => { event.preventDefault(); lit(1); });
  place.addEventListener("dragleave", () => lit(-1));
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    lit(0);
    const files = event.dataTransfer.files;
    if (!files.length) toast("That was no file: save the image first, or copy it and paste it here.", "bad");
    taken(files);
  });
  return taken;
}

// A file dropped beside a place must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

/** Call `take` with the files of each paste. */
export function onPaste(take) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (files.length) {
      event.preventDefault();
      take(files);
    }
  });
}

let stop = () => {};

async function photograph(take) {
  const dialog = byId("camera"), video = byId("video");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    stop = () => stream.getTracks().forEach((track) => track.stop());
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    toast(`The webcam cannot be used (${error.message}).`, "bad");
    return;
  }
  dialog.onclose = () => stop();
  byId("close-camera").onclick = () => dialog.close();
  byId("shoot").onclick = () => {
    const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => take(new File([blob], "webcam.png", { type: "image/png" })), "image/png");
    dialog.close();
  };
  dialog.showModal();
}
