"use strict";
// Lists of work that change by themselves: while anything runs, the page is asked again and its list exchanged.
const REFRESH_MS = 2000;

function refresh(list) {
  if (list.dataset.busy !== "yes") return;
  setTimeout(async () => {
    let newer = null;
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        if (answer.ok) newer = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
      } catch {
        // The server is away for a moment: the next round asks again.
      }
    }
    if (!newer) return refresh(list);
    const focused = list.contains(document.activeElement) ? document.activeElement.id : "";
    list.replaceWith(newer);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    refresh(newer);
  }, REFRESH_MS);
}

for (const list of document.querySelectorAll("[data-live]")) refresh(list);
