"use strict";
// After a decision the candidates below are put into the order that the server has learned from it. Who was passed stays
// where they are, and nobody leaves the page.
const ranked = document.querySelector("[data-list]");
if (ranked) learn(ranked);

function learn(list) {
  const kind = document.querySelector(".ranking-kind");
  let asked = 0;

  list.addEventListener("decided", async () => {
    const mine = ++asked;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return; // the decision is stored; the order stays as it was
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return; // another decision came after it
    order([...page.querySelectorAll("[data-list] > li")]);
    kind.replaceChildren(...page.querySelector(".ranking-kind").childNodes);
    list.dispatchEvent(new Event("relisted"));
  });

  function order(found) {
    const cards = [...list.children];
    const passed = cards.findIndex((card) => card.classList.contains("current"));
    const stays = cards.filter((card, place) => place <= passed || !card.classList.contains("open"));
    const there = new Set(stays.map((card) => card.dataset.number));
    const next = found.filter((card) => !there.has(card.dataset.number));
    const again = new Set(next.map((card) => card.dataset.number));
    const others = cards.filter((card) => !there.has(card.dataset.number) && !again.has(card.dataset.number));
    for (const card of cards) if (again.has(card.dataset.number)) card.remove();
    list.append(...next, ...others); // what stays is not touched: it keeps the focus
    [...list.children].forEach((card, place) => {
      card.dataset.place = place + 1;
      card.querySelector(".rank").textContent = place + 1;
      card.setAttribute("aria-label", `place ${place + 1}, ${card.dataset.id}`);
    });
  }
}
