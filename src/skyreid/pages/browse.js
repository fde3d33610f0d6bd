"use strict";
(() => {
  const page = document.querySelector(".everybody");
  const people = [...page.querySelectorAll(".person")];
  const byRow = new Map(people.map((person) => [person.dataset.row, person]));
  const groups = [...page.querySelectorAll(".group")];
  const bars = [...page.querySelectorAll(".track a, .map a")];
  const controls = page.querySelector(".controls");
  const [search] = controls.getElementsByTagName("input");
  const filters = [...controls.querySelectorAll("select[data-filter]")];
  const order = controls.querySelector(".order");
  const count = controls.querySelector(".count");
  const nobody = page.querySelector(".nobody");
  const dialog = page.querySelector("dialog");
  const home = new Map(people.map((person) => [person, person.parentElement]));
  let current = null;

  const fits = (person) => {
    const { id, camera, file } = person.dataset;
    const asked = search.value.trim().toLowerCase();
    return (
      filters.every((filter) => !filter.value || person.dataset[filter.dataset.filter] === filter.value) &&
      (!asked || `${id} ${camera} ${file}`.toLowerCase().includes(asked))
    );
  };

  const choose = () => {
    const shown = new Set(people.filter(fits));
    people.forEach((person) => (person.hidden = !shown.has(person)));
    bars.forEach((bar) => bar.classList.toggle("aside", !shown.has(byRow.get(bar.dataset.row))));
    groups.forEach((group) => (group.hidden = !group.querySelector(".person:not([hidden])")));
    nobody.hidden = shown.size > 0 || people.length === 0;
    count.textContent = shown.size < people.length ? `${shown.size} of ${people.length} shown` : `${people.length} shown`;
  };

  // Ordered by something else than camera and time, all stand in the first group, without headings.
  const arrange = () => {
    const key = order.value.replace("-", "");
    const sign = order.value.startsWith("-") ? -1 : 1;
    const sorted = key ? [...people].sort((a, b) => sign * (a.dataset[key] - b.dataset[key])) : people;
    sorted.forEach((person) => (key ? home.get(people[0]) : home.get(person)).append(person));
    groups.forEach((group) => (group.querySelector("h2").hidden = Boolean(key)));
    choose();
  };

  const cardOf = (person, likeness) => {
    const entry = document.createElement("li");
    const card = person.querySelector(".card").cloneNode(true);
    const words = card.querySelector(".words");
    const where = document.createElement("span");
    where.textContent = person.dataset.camera;
    const alike = document.createElement("span");
    alike.className = "likeness";
    alike.textContent = `similarity ${likeness}`;
    words.prepend(where);
    words.append(alike);
    card.addEventListener("click", () => open(person));
    entry.append(card);
    return entry;
  };

  const open = (person) => {
    current = person;
    const one = dialog.querySelector(".one");
    const told = document.createElement("div");
    told.className = "told";
    told.append(person.querySelector("template").content.cloneNode(true));
    const film = person.querySelector(".film").cloneNode(true);
    const scene = told.querySelector(".scene");
    one.replaceChildren(film, told, ...(scene ? [scene] : []));
    const alike = (person.dataset.resembling || "").split(" ").filter(Boolean).map((one) => one.split(":"));
    dialog.querySelector(".alike-heading").textContent = alike.length
      ? `Most like this ${page.dataset.elsewhere}`
      : `Nobody ${page.dataset.elsewhere} to compare with`;
    dialog.querySelector(".alike").replaceChildren(...alike.map(([row, likeness]) => cardOf(byRow.get(row), likeness)));
    bars.forEach((bar) => bar.classList.toggle("current", bar.dataset.row === person.dataset.row));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    history.replaceState(null, "", `#${person.dataset.row}`);
  };

  const step = (by) => {
    const shown = [...page.querySelectorAll(".group .person:not([hidden])")];
    const next = shown[shown.indexOf(current) + by];
    if (next) open(next);
  };

  people.forEach((person) => person.querySelector(".card").addEventListener("click", () => open(person)));
  bars.forEach((bar) =>
    bar.addEventListener("click", (event) => {
      event.preventDefault();
      open(byRow.get(bar.dataset.row));
    })
  );
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    current.querySelector(".card").focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
  search.addEventListener("input", choose);
  filters.forEach((filter) => filter.addEventListener("change", choose));
  order.addEventListener("change", arrange);
  controls.hidden = people.length === 0;
  choose();
  const asked = byRow.get(location.hash.slice(1));
  if (asked) open(asked);
})();
