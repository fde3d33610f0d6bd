"use strict";
(() => {
  const PAGE = 12;
  const browser = document.querySelector(".failures");
  const list = browser.querySelector(".cards");
  const chips = [...browser.querySelectorAll("button[data-column]")];
  const order = browser.querySelector("select");
  const count = browser.querySelector(".count");
  const turners = [...browser.querySelectorAll("button[data-turn]")];
  const cards = [...list.children];
  // Ascending by the first number that differs.
  const keys = {
    place: (card) => -card.dataset.place,
    near: (card) => Number(card.dataset.place),
    precision: (card) => Number(card.dataset.precision),
    lead: (card) => -card.dataset.lead,
  };
  let chosen = cards; // those that the chips let through, in the order of the list
  let page = 0;
  let current = null;

  // Chips of one column widen the choice, chips of different columns narrow it.
  const wanted = () => {
    const byColumn = new Map();
    for (const chip of chips.filter((chip) => chip.getAttribute("aria-pressed") === "true")) {
      const { column, value } = chip.dataset;
      byColumn.set(column, (byColumn.get(column) ?? new Set()).add(value));
    }
    return byColumn;
  };

  const pages = () => Math.max(1, Math.ceil(chosen.length / PAGE));

  const tell = () => {
    const place = chosen.indexOf(current);
    const first = Math.min(page * PAGE + 1, chosen.length);
    const last = Math.min((page + 1) * PAGE, chosen.length);
    count.textContent =
      (place >= 0 && current === document.activeElement ? `${place + 1} of ` : `${first} to ${last} of `) +
      (chosen.length < cards.length ? `${chosen.length} chosen of ${cards.length} failures` : `${cards.length} failures`);
    turners.forEach((turner) => {
      const next = page + Number(turner.dataset.turn);
      turner.disabled = next < 0 || next >= pages();
    });
  };

  // One card at a time takes part in the tab order; the arrows do the rest.
  const choose = (card) => {
    cards.forEach((other) => other.setAttribute("tabindex", other === card ? "0" : "-1"));
    current = card;
  };

  const show = (number) => {
    page = Math.max(0, Math.min(number, pages() - 1));
    const shown = new Set(chosen.slice(page * PAGE, (page + 1) * PAGE));
    cards.forEach((card) => (card.hidden = !shown.has(card)));
    if (!shown.has(current)) choose([...shown][0] ?? null);
    tell();
  };

  const refresh = () => {
    const choice = [...wanted()];
    const key = keys[order.value];
    list.append(...[...cards].sort((one, other) => key(one) - key(other)));
    chosen = [...list.children].filter((card) =>
      choice.every(([column, values]) => values.has(card.getAttribute(`data-slice-${column}`))),
    );
    choose(null);
    show(0);
  };

  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      refresh();
    });
  }
  for (const turner of turners) {
    turner.addEventListener("click", () => show(page + Number(turner.dataset.turn)));
  }
  order.addEventListener("change", refresh);
  list.addEventListener("focusin", (event) => {
    choose(event.target.closest("li.mistake"));
    tell();
  });
  list.addEventListener("keydown", (event) => {
    const place = chosen.indexOf(current);
    const steps = { ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1 };
    const next = { ...steps, Home: 0, End: chosen.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const target = Math.max(0, Math.min(next, chosen.length - 1));
    show(Math.floor(target / PAGE));
    chosen[target].focus();
  });

  browser.classList.add("paged");
  browser.querySelector(".controls").hidden = false;
  refresh();
})();
