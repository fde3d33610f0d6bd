"use strict";
// A drawing of a part of something, moved and zoomed: the server draws each part anew. Without this, its links do.
for (const place of document.querySelectorAll("[data-view]")) beginView(place);

function beginView(start) {
  let place = start;
  let asked = 0;
  const figure = () => place.querySelector(".drawing");
  const drawing = () => place.querySelector(".drawing > svg");
  // From, to; or left, top, right, bottom.
  const view = () => place.dataset.view.split(",").map(Number);
  const address = (part) => `${place.dataset.here}${place.dataset.here.includes("?") ? "&" : "?"}view=${part.map((one) => one.toFixed(2)).join(",")}`;

  async function show(to) {
    const number = ++asked;
    const hadFocus = figure().contains(document.activeElement);
    try {
      const answer = await fetch(to, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("[data-view]");
      if (number !== asked) return; // somebody has moved on
      if (!answer.ok || !next) return void drawing().removeAttribute("transform");
      place.replaceWith(next);
      place = next;
      history.replaceState(null, "", to);
      listen();
      if (hadFocus) figure().focus({ preventScroll: true });
    } catch {
      location.assign(to);
    }
  }

  function zoom(factor, x = 0.5, y = 0.5) {
    const [low, ...rest] = view();
    if (rest.length === 1) return show(address(scaled(low, rest[0], factor, x)));
    const [left, right] = scaled(low, rest[1], factor, x);
    const [top, bottom] = scaled(rest[0], rest[2], factor, y);
    show(address([left, top, right, bottom]));
  }

  function scaled(low, high, factor, at) {
    const fixed = low + (high - low) * at;
    return [fixed + (low - fixed) * factor, fixed + (high - fixed) * factor];
  }

  function move(x, y = 0) {
    const now = view();
    if (now.length === 2) return show(address(now.map((one) => one + x * (now[1] - now[0]))));
    const [left, top, right, bottom] = now;
    const [across, down] = [x * (right - left), y * (bottom - top)];
    show(address([left + across, top + down, right + across, bottom + down]));
  }

  function listen() {
    const svg = drawing();
    let from = null;
    let wasMoved = false;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button === 0) from = event;
      wasMoved = false;
    });
    svg.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y] = [event.clientX - from.clientX, view().length === 2 ? 0 : event.clientY - from.clientY];
      if (!wasMoved && Math.hypot(x, y) < 5) return;
      if (!wasMoved) svg.setPointerCapture(event.pointerId);
      wasMoved = true;
      svg.style.transform = `translate(${x}px, ${y}px)`;
    });
    svg.addEventListener("pointerup", (event) => {
      if (from && wasMoved) {
        const box = svg.getBoundingClientRect();
        move((from.clientX - event.clientX) / box.width, (from.clientY - event.clientY) / box.height);
      }
      from = null;
    });
    svg.addEventListener("pointercancel", () => {
      from = null;
      svg.style.transform = "";
    });
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    svg.addEventListener("click", (event) => wasMoved && event.preventDefault(), true);
    svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const box = svg.getBoundingClientRect();
        const factor = event.deltaY < 0 ? 0.7 : 1 / 0.7;
        zoom(factor, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      },
      { passive: false },
    );
    const keys = {
      ArrowLeft: () => move(-0.25),
      ArrowRight: () => move(0.25),
      ArrowUp: () => view().length === 4 && move(0, -0.25),
      ArrowDown: () => view().length === 4 && move(0, 0.25),
      "+": () => zoom(0.5),
      "=": () => zoom(0.5),
      "-": () => zoom(2),
      0: () => show(place.dataset.here),
    };
    figure().addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    for (const link of place.querySelectorAll("[data-view-link]"))
      link.addEventListener("click", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        show(link.getAttribute("href"));
      });
  }

  listen();
}
