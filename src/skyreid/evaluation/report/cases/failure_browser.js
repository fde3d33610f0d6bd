"use strict";
(() => {
  const browser = document.querySelector(".failures");
  const list = browser.querySelector(".cards");
  const chips = [...browser.querySelectorAll("button[data-column]")];
  const order = browser.querySelector("select");
  const count = browser.querySelector(".count");
  const cards = [...list.children];
  // Ascending by the first number that differs.
  const keys = {
    place: (card) => -card.dataset.place,
    near: (card) => Number(card.dataset.place),
    precision: (card) => Number(card.dataset.precision),
    lead: (card) => -card.dataset.lead,
  };
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

  const visible = () => [...list.children].filter((card) => !card.hidden);

  const tell = () => {
    const shown = visible();
    const place = shown.indexOf(current);
    count.textContent =
      (place >= 0 && current === document.activeElement ? `${place + 1} of ` : "") +
      `${shown.length} of ${cards.length} failures`;
  };

  // One card at a time takes part in the tab order; the arrows do the rest.
  const choose = (card) => {
    cards.forEach((other) => other.setAttribute("tabindex", other === card ? "0" : "-1"));
    current = card;
  };

  const refresh = () => {
    const choice = [...wanted()];
    for (const card of cards) {
      card.hidden = !choice.every(([column, values]) => values.has(card.getAttribute(`data-slice-${column}`)));
    }
    const key = keys[order.value];
    list.append(...[...cards].sort((one, other) => key(one) - key(other)));
    choose(visible()[0] ?? null);
    tell();
  };

  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      refresh();
    });
  }
  order.addEventListener("change", refresh);
  list.addEventListener("focusin", (event) => {
    choose(event.target.closest("li.mistake"));
    tell();
  });
  list.addEventListener("keydown", (event) => {
    const shown = visible();
    const place = shown.indexOf(current);
    const steps = { ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1 };
    const next = { ...steps, Home: 0, End: shown.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    shown[Math.max(0, Math.min(next, shown.length - 1))].focus();
  });

  browser.querySelector(".controls").hidden = false;
  refresh();
})();
