"use strict";
// Keys of every page: the list of all keys, the filters, and going from page to page.
{
  const list = document.querySelector(".keys-list");
  const opener = document.querySelector("[data-keys]");
  const places = { c: "/", s: "/sources", b: "/tracklets", i: "/identities", t: "/timeline", a: "/annotate", j: "/jobs" };
  const patience = 1500; // milliseconds from g to the next key
  let goSince = -Infinity;

  if (opener) {
    opener.hidden = false;
    opener.addEventListener("click", () => list.showModal());
  }

  // Of the links at the top of the page: what is not there, or not for this person, is not gone to.
  function go(ending) {
    const links = [...document.querySelectorAll(".top a[href]")];
    const link = links.find((one) => (ending === "/" ? one.pathname === "/" : one.pathname.endsWith(ending)));
    if (link) link.click();
  }

  const keys = {
    "?": () => list && (list.open ? list.close() : list.showModal()),
    "/": () => document.querySelector(".filters select, .filters input:not([type=hidden])")?.focus(),
    f: () => document.querySelector("#find")?.click(),
  };

  // Before the keys of the page itself: after g, the next one is not theirs.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, select, textarea")) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const isPlace = event.timeStamp - goSince < patience && places[event.key];
      goSince = event.key === "g" ? event.timeStamp : -Infinity;
      const act = isPlace ? () => go(isPlace) : keys[event.key];
      if (!act) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      act();
    },
    true,
  );
}
