"use strict";
// Keys and decisions of the search page. All of it works without: the buttons are forms.
const search = document.querySelector("[data-search]");
if (search) begin(search);

function begin(page) {
  const list = page.querySelector("[data-list]");
  let cards = [...list.children];
  const said = page.querySelectorAll(".said");
  const dialog = page.querySelector(".compare-dialog");
  const marks = { confirmed: "✓", rejected: "✕", unsure: "?", waiting: "◔", open: "○" };
  if (dialog) for (const button of page.querySelectorAll("[data-compare-with]")) button.hidden = false;
  const home = `/api/c/${document.body.dataset.case}`;
  let current = -1;
  let since = performance.now();

  function go(place) {
    if (!cards.length) return;
    if (current >= 0) cards[current].classList.remove("current", "playing");
    current = Math.max(0, Math.min(cards.length - 1, place));
    cards[current].classList.add("current");
    cards[current].focus({ preventScroll: true });
    cards[current].scrollIntoView({ block: "nearest" });
    since = performance.now();
    if (dialog?.open) compare();
  }

  function compare() {
    if (!dialog) return;
    if (current < 0) go(0);
    const card = cards[current];
    const pair = [
      page.querySelector(".query [data-frames]").dataset,
      { ...card.dataset, words: card.querySelector(".facts-of").textContent },
    ];
    dialog.querySelector("[data-compare]").dispatchEvent(new CustomEvent("show", { detail: pair }));
    dialog.querySelector(".compare-title").textContent =
      `Place ${card.dataset.place} · similarity ${Number(card.dataset.similarity).toFixed(3)}`;
    say("");
    mirror(card);
    if (!dialog.open) dialog.showModal();
  }

  // The state of a candidate, also where it is compared.
  function mirror(card) {
    if (!dialog) return;
    dialog.querySelector(".state-place-here").replaceChildren(card.querySelector(".state").cloneNode(true));
    const state = Object.keys(marks).find((name) => card.classList.contains(name));
    for (const button of dialog.querySelectorAll("[data-decide]"))
      button.setAttribute("aria-pressed", String(button.dataset.decide === state));
  }

  function say(words, isBad) {
    for (const place of said) {
      place.textContent = words;
      place.classList.toggle("bad", Boolean(isBad));
    }
  }

  function show(card, state) {
    for (const name of Object.keys(marks)) card.classList.toggle(name, name === state);
    const shown = card.querySelector(".state");
    shown.className = `state ${state}`;
    shown.textContent = `${marks[state]} ${state}`;
    for (const button of card.querySelectorAll("[aria-pressed]"))
      button.setAttribute("aria-pressed", String(button.value === (state === "waiting" ? "confirmed" : state)));
    if (cards[current] === card) mirror(card);
  }

  async function send(path, body) {
    const headers = {
      "content-type": "application/json",
      "x-csrf-token": document.querySelector("meta[name=csrf]").content,
    };
    try {
      const answer = await fetch(home + path, { method: "POST", headers, body: JSON.stringify(body) });
      const told = await answer.json();
      if (answer.ok) return told;
      say(answer.status === 401 ? "The session has ended: log in again, nothing was stored." : told.error, true);
    } catch {
      say("The server does not answer; nothing was stored.", true);
    }
    return null;
  }

  async function decide(card, decision) {
    const form = card.querySelector(".decide");
    if (!form) return;
    const told = await send("/decisions", {
      first: Number(form.elements.first.value),
      second: Number(card.dataset.number),
      decision,
      rank: Number(card.dataset.rank),
      similarity: Number(card.dataset.similarity),
      model: Number(list.dataset.model),
      seconds: (performance.now() - since) / 1000,
    });
    if (!told) return;
    show(card, told.state);
    say(`Place ${card.dataset.place}: ${told.state}. u takes it back.`);
    list.dispatchEvent(new Event("decided"));
  }

  async function undo() {
    const told = await send("/undo", { event_id: null });
    if (!told) return;
    const card = cards.find((one) => told.tracklet_ids.includes(one.dataset.id));
    if (card) show(card, told.state);
    say(`Taken back: ${told.tracklet_ids.join(" and ")}, now ${told.state}.`);
    list.dispatchEvent(new Event("decided"));
  }

  list.addEventListener("relisted", () => {
    const card = cards[current];
    cards = [...list.children];
    current = cards.indexOf(card);
  });

  page.addEventListener("submit", (event) => {
    const card = event.target.closest(".candidate");
    if (card) {
      event.preventDefault();
      if (current !== cards.indexOf(card)) go(cards.indexOf(card));
      decide(card, event.submitter.value);
    } else if (event.target.matches(".undo")) {
      event.preventDefault();
      undo();
    }
  });

  page.addEventListener("click", (event) => {
    const link = event.target.closest("[data-compare-with]");
    const button = event.target.closest(".compare-dialog button");
    if (link && dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      go(cards.indexOf(link.closest(".candidate")));
      compare();
    } else if (button) {
      if (button.dataset.decide) decide(cards[current], button.dataset.decide);
      else if (button.dataset.go) go(current + Number(button.dataset.go));
      else dialog.close();
    }
  });
  if (dialog) dialog.addEventListener("close", () => cards[current].focus());

  const keys = {
    c: () => (dialog?.open ? dialog.close() : cards.length && compare()),
    j: () => go(current + 1),
    k: () => go(current - 1),
    u: undo,
  };
  for (const [key, decision] of [["y", "confirmed"], ["n", "rejected"], ["s", "unsure"]])
    keys[key] = () => current >= 0 && decide(cards[current], decision);
  keys.ArrowDown = keys.j;
  keys.ArrowUp = keys.k;
  keys[" "] = () => {
    if (dialog?.open) dialog.querySelector("[data-compare]").dispatchEvent(new Event("play"));
    else if (current >= 0) cards[current].classList.toggle("playing");
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    if (event.key === "u" && !page.querySelector(".undo")) return;
    event.preventDefault();
    keys[event.key]();
  });
}
