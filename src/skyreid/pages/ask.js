"use strict";
// Drawing a box around somebody in a picture. Without it, its four numbers are typed.
for (const place of document.querySelectorAll("[data-pointing]")) beginPointing(place);

function beginPointing(place) {
  const picture = place.querySelector("svg");
  const drawn = place.querySelector("[data-drawn]");
  const form = place.querySelector("[data-box-form]");
  const names = ["x", "y", "w", "h"];
  const fields = names.map((name) => form.elements[name]);
  const slack = 4; // pixels of the screen: less is a click on whoever was found there
  let from = null;
  let isDrawing = false;

  function inPicture(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    const { width, height } = picture.viewBox.baseVal;
    return [Math.max(0, Math.min(width, point.x)), Math.max(0, Math.min(height, point.y))];
  }

  function show() {
    const [x, y, w, h] = fields.map((field) => Number(field.value) || 0);
    for (const [name, value] of Object.entries({ x, y, width: w, height: h })) drawn.setAttribute(name, value);
  }

  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = { at: inPicture(event), x: event.clientX, y: event.clientY };
    isDrawing = false;
  });
  picture.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (!isDrawing && Math.hypot(event.clientX - from.x, event.clientY - from.y) < slack) return;
    if (!isDrawing) picture.setPointerCapture(event.pointerId);
    isDrawing = true;
    const to = inPicture(event);
    const low = to.map((value, axis) => Math.round(Math.min(value, from.at[axis])));
    const high = to.map((value, axis) => Math.round(Math.max(value, from.at[axis])));
    [...low, high[0] - low[0], high[1] - low[1]].forEach((value, index) => (fields[index].value = value));
    show();
  });
  const end = () => (from = null);
  picture.addEventListener("pointerup", end);
  picture.addEventListener("pointercancel", end);
  // The end of a box is no click on whoever is below it.
  picture.addEventListener("click", (event) => isDrawing && event.preventDefault(), true);
  picture.addEventListener("dragstart", (event) => event.preventDefault());
  form.addEventListener("input", show);
  show();

  const steps = { ",": "[data-frame-step='-1']", ".": "[data-frame-step='1']" };
  document.addEventListener("keydown", (event) => {
    if (!steps[event.key] || event.target.closest("input, select, textarea")) return;
    document.querySelector(steps[event.key])?.click();
  });
}
