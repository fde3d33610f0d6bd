"use strict";
// Two sightings side by side: steps through the frames of both. Without it, the steps are links.
for (const section of document.querySelectorAll("[data-compare]")) beginCompare(section);

function beginCompare(section) {
  const home = `/c/${document.body.dataset.case}/frames`;
  const dialog = section.closest("dialog");
  const panes = [...section.querySelectorAll(".pane")].map((figure) => ({
    figure,
    picture: figure.querySelector("img"),
    steps: [...figure.querySelectorAll("[data-step]")],
    shown: figure.querySelector("[data-shown]"),
    number: figure.dataset.side === "a" ? section.dataset.first : section.dataset.second,
    place: Number(figure.dataset.place),
    frames: Number(figure.dataset.frames),
  }));
  let playing = 0;

  function show(pane, place) {
    pane.place = Math.max(0, Math.min(pane.frames - 1, place));
    pane.picture.src = pane.still || `${home}/${pane.number}/${pane.place}.jpg`;
    pane.shown.textContent = pane.place + 1;
    for (const step of pane.steps) {
      const isEnd = Number(step.dataset.step) < 0 ? pane.place === 0 : pane.place === pane.frames - 1;
      step.setAttribute("aria-disabled", String(isEnd));
    }
  }

  function stop() {
    clearInterval(playing);
    playing = 0;
  }

  function play() {
    if (playing) return stop();
    playing = setInterval(() => {
      for (const pane of panes) if (pane.frames > 1) show(pane, (pane.place + 1) % pane.frames);
    }, 500);
  }

  // Of another pair: [{ number, frames, still }, { number, frames, words }].
  section.addEventListener("show", (event) => {
    stop();
    event.detail.forEach((one, index) => {
      const pane = panes[index];
      Object.assign(pane, { number: one.number, still: one.still, frames: Number(one.frames || 1) });
      pane.figure.querySelector("[data-total]").textContent = pane.frames;
      const words = pane.figure.querySelector("[data-words]");
      if (words) words.textContent = one.words;
      show(pane, 0);
    });
  });
  section.addEventListener("play", play);
  const player = section.querySelector("[data-play]");
  if (player && panes[0].frames > 1) {
    player.hidden = false;
    player.addEventListener("click", play);
  }
  if (dialog) dialog.addEventListener("close", stop);

  section.addEventListener("click", (event) => {
    const step = event.target.closest("[data-step]");
    if (!step) return;
    event.preventDefault();
    stop();
    const pane = panes.find((one) => one.figure.contains(step));
    show(pane, pane.place + Number(step.dataset.step));
  });

  for (const step of section.querySelectorAll("[data-step]")) {
    step.setAttribute("role", "button");
    step.tabIndex = 0;
    step.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      step.click();
    });
  }
  if (!dialog) for (const pane of panes) show(pane, pane.place);

  const move = (by) => () => {
    stop();
    for (const pane of panes) show(pane, pane.place + by);
  };
  const keys = { ",": move(-1), ".": move(1) };
  if (!dialog) {
    keys[" "] = play;
    const press = (selector) => () => document.querySelector(selector)?.click();
    for (const [key, decision] of [["y", "confirmed"], ["n", "rejected"], ["s", "unsure"]])
      keys[key] = press(`.decide .${decision}`);
    keys.u = press(".undo button");
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key] || (dialog && !dialog.open)) return;
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    event.preventDefault();
    keys[event.key]();
  });
}
