// The page's script: contents, gallery, pictures of the confusion matrix, map. It loads nothing.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const make = (tag, text = "", className = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = className;
    return element;
  };
  document.documentElement.classList.add("scripted");
  markContents();
  for (const roc of $$("[data-curve]")) tryThresholds(roc);
  const source = $("#album-data");
  if (!source) return;
  const { classes, splits, images, places } = JSON.parse(source.textContent);

  const label = (i) => classes[images[i][0]] ?? "unknown";
  const isWrong = (i) => images[i][2] >= 0 && images[i][2] !== images[i][0];
  function words(i) {
    const [, split, predicted, file] = images[i];
    const told = predicted < 0 ? "" : isWrong(i) ? `, classified as ${classes[predicted]}` : ", correct";
    return [`${label(i)}${told}`, `${splits[split]}: ${file}`];
  }
  function thumbnail(i) {
    const uri = images[i][4];
    if (!uri) return make("div", "no picture", "gone");
    const image = make("img");
    image.src = uri;
    image.alt = words(i).join(", ");
    return image;
  }
  function figure(i) {
    const [, split, predicted, file] = images[i];
    const box = make("figure", "", isWrong(i) ? "wrong" : "");
    const caption = make("figcaption");
    const told = predicted < 0 ? "" : isWrong(i) ? `, as ${classes[predicted]}` : ", correct";
    caption.append(make("strong", splits[split] + told), make("br"), file);
    box.append(thumbnail(i), caption);
    return box;
  }
  const fill = (album, chosen) => album.replaceChildren(...chosen.map(figure));
  const where = (test) => images.map((_, i) => i).filter((i) => test(...images[i]));

  for (const details of $$(".gallery details")) {
    details.addEventListener("toggle", () => {
      const album = $(".album", details);
      if (details.open && !album.childElementCount) {
        fill(album, where((truth) => truth === Number(details.dataset.class)));
      }
    });
  }

  const dialog = $("#pictures");
  function show(title, chosen) {
    $("h2", dialog).textContent = title;
    fill($(".album", dialog), chosen);
    dialog.showModal();
  }
  const matrix = $(".matrix");
  if (matrix) {
    const heads = (selector) => $$(selector, matrix).map((head) => head.title);
    const given = heads("thead th:not(.corner)");
    $$("tbody tr", matrix).forEach((row) => {
      const truth = $("th", row).title;
      $$("td", row).forEach((cell, column) => {
        const wanted = [classes.indexOf(truth), classes.indexOf(given[column])];
        const chosen = where((own, _, predicted) => own === wanted[0] && predicted === wanted[1]);
        if (!chosen.length) return;
        const title = `${truth} classified as ${given[column]}: ${cell.textContent}`;
        const button = make("button", cell.textContent);
        button.type = "button";
        button.setAttribute("aria-label", `${title} images`);
        button.addEventListener("click", () => show(title, chosen));
        cell.replaceChildren(button);
      });
    });
  }

  const map = $("#map-figure");
  if (map) startMap();

  function startMap() {
    const box = $(".map-box"), tip = $(".tip"), said = $("#map-said");
    const [, , width, height] = map.getAttribute("viewBox").split(" ").map(Number);
    const margin = 22;
    const marks = $$("use[data-i]", map);
    const view = { x: 0, y: 0, zoom: 1 };
    let chosen = null;

    const at = (mark) => [Number(mark.getAttribute("x")), Number(mark.getAttribute("y"))];
    const number = (mark) => Number(mark.dataset.i);
    const shown = () => marks.filter((mark) => !mark.hasAttribute("hidden"));

    function place(layout) {
      for (const mark of marks) {
        const [x, y] = places[layout][number(mark)];
        mark.setAttribute("x", Math.round(margin + x * (width - 2 * margin)));
        mark.setAttribute("y", Math.round(height - margin - y * (height - 2 * margin)));
      }
      hide();
    }
    function filter() {
      const on = (name) => new Set($$(`input[name=${name}]:checked`).map((input) => input.value));
      const ofSplit = on("split"), ofClass = on("class"), anyClass = !$("input[name=class]");
      const errors = $("input[name=errors]").checked;
      for (const mark of marks) {
        const i = number(mark), [own, split] = images[i];
        const kept = ofSplit.has(splits[split]) && (anyClass || own < 0 || ofClass.has(String(own)));
        mark.toggleAttribute("hidden", !kept || (errors && !isWrong(i)));
      }
      hide();
    }
    function size() {
      // On a small screen, marks are larger; they grow less than the map is zoomed.
      const scale = Math.min(2.2, Math.max(1, 800 / map.clientWidth)) / Math.sqrt(view.zoom);
      for (const shape of $$("defs > *", map)) shape.setAttribute("transform", `scale(${scale})`);
      for (const key of $$(".map-tools .key")) {
        key.setAttribute("viewBox", [-8, -8, 16, 16].map((side) => side * scale).join(" "));
      }
    }
    function look() {
      view.zoom = Math.min(12, Math.max(1, view.zoom));
      const [w, h] = [width / view.zoom, height / view.zoom];
      view.x = Math.min(width - w, Math.max(0, view.x));
      view.y = Math.min(height - h, Math.max(0, view.y));
      map.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
      size();
      if (chosen) point(chosen);
    }
    function zoom(factor) {
      const [x, y] = chosen ? at(chosen) : [view.x + width / view.zoom / 2, view.y + height / view.zoom / 2];
      view.zoom = Math.min(12, Math.max(1, view.zoom * factor));
      view.x = x - width / view.zoom / 2;
      view.y = y - height / view.zoom / 2;
      look();
    }
    function hide() {
      if (chosen) chosen.classList.remove("chosen");
      chosen = null;
      tip.hidden = true;
      said.textContent = "";
    }
    function point(mark, aloud = false) {
      if (chosen) chosen.classList.remove("chosen");
      chosen = mark;
      mark.classList.add("chosen");
      const i = number(mark), [first, second] = words(i);
      tip.replaceChildren(thumbnail(i), make("strong", first), make("div", second));
      tip.hidden = false;
      const spot = mark.getBoundingClientRect(), edge = box.getBoundingClientRect();
      const left = spot.right - edge.left + 8;
      tip.style.left = `${left + tip.offsetWidth > edge.width ? Math.max(0, spot.left - edge.left - tip.offsetWidth - 8) : left}px`;
      tip.style.top = `${Math.max(0, Math.min(edge.height - tip.offsetHeight, spot.top - edge.top - 20))}px`;
      if (aloud) said.textContent = `${first}; ${second}`;
    }
    function move(dx, dy) {
      if (!chosen) return shown()[0];
      const [x, y] = at(chosen);
      let best = null, least = Infinity;
      for (const mark of shown()) {
        const [mx, my] = at(mark), along = (mx - x) * dx + (my - y) * dy;
        if (mark === chosen || along <= 0) continue;
        const aside = Math.abs((mx - x) * dy) + Math.abs((my - y) * dx);
        if (along + 2.5 * aside < least) [best, least] = [mark, along + 2.5 * aside];
      }
      return best ?? chosen;
    }

    map.addEventListener("pointerover", (event) => event.target.dataset.i && point(event.target));
    map.addEventListener("click", (event) => (event.target.dataset.i ? point(event.target, true) : hide()));
    map.addEventListener("pointerleave", () => said.textContent || hide());
    map.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in steps) {
        event.preventDefault();
        const mark = move(...steps[event.key]);
        if (mark) point(mark, true);
      } else if (event.key === "Escape") hide();
      else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.5 : 1 / 1.5);
    });
    let drag = null;
    map.addEventListener("pointerdown", (event) => (drag = [event.clientX, event.clientY]));
    map.addEventListener("pointermove", (event) => {
      if (!drag || !event.buttons || view.zoom === 1) return;
      const scale = width / view.zoom / map.clientWidth;
      view.x -= (event.clientX - drag[0]) * scale;
      view.y -= (event.clientY - drag[1]) * scale;
      drag = [event.clientX, event.clientY];
      look();
    });
    addEventListener("pointerup", () => (drag = null));
    addEventListener("resize", size);
    size();
    for (const button of $$("[data-zoom]")) {
      button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
    }
    for (const input of $$(".map-tools input, .map-legend input")) {
      input.addEventListener("change", () => {
        if (input.name === "layout") place(Number(input.value));
        else if (input.name === "colour") map.dataset.colour = input.value;
        else filter();
      });
    }
  }

  function tryThresholds(roc) {
    const curve = JSON.parse(roc.dataset.curve), input = $("input", roc), ring = $(".plot .ring", roc);
    const { positives, negatives } = roc.dataset;
    const label = $(".try", roc);
    if (!curve.length) return label.remove();
    const [width, height] = [400 - 50 - 12, 250 - 42 - 12];
    const own = ring && [(Number(ring.getAttribute("cx")) - 50) / width, (Number(ring.getAttribute("cy")) - 12) / height];
    const gap = (point) => Math.abs(point[1] / negatives - own[0]) + Math.abs(point[2] / positives - own[1]);
    input.max = curve.length - 1;
    input.value = own === null ? 0 : curve.reduce((best, point, i) => (gap(point) < gap(curve[best]) ? i : best), 0);
    const tell = () => {
      const [threshold, accepts, rejects] = curve[input.value];
      const told = `${threshold.toFixed(3)}: ${accepts} of ${negatives} false accepts, ${rejects} of ${positives} false rejects`;
      $("output", roc).textContent = told;
      input.setAttribute("aria-valuetext", told);
    };
    tell();
    input.addEventListener("input", () => {
      tell();
      const [, accepts, rejects] = curve[input.value];
      if (!ring) return;
      ring.setAttribute("cx", 50 + (accepts / negatives) * width);
      ring.setAttribute("cy", 12 + (rejects / positives) * height);
    });
  }

  function markContents() {
    const links = $$(".contents a");
    const titles = links.map((link) => document.getElementById(link.hash.slice(1)));
    const update = () => {
      let current = 0;
      titles.forEach((title, i) => {
        if (title && title.getBoundingClientRect().top < innerHeight / 3) current = i;
      });
      links.forEach((link, i) => {
        if (i === current && !link.hasAttribute("aria-current")) {
          link.setAttribute("aria-current", "true");
          const list = link.closest("nav");
          list.scrollLeft = link.offsetLeft - list.clientWidth / 2 + link.offsetWidth / 2;
        } else if (i !== current) link.removeAttribute("aria-current");
      });
    };
    addEventListener("scroll", update, { passive: true });
    update();
  }
})();
