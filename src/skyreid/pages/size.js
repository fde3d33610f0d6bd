"use strict";
// The size of the pictures of the grid, at once and remembered in the address alone. Without it, the form does that.
{
  const slider = document.querySelector("[data-size]");
  const grid = document.querySelector("[data-sized]");
  if (slider && grid)
    slider.addEventListener("input", () => {
      for (const size of ["1", "2", "3", "4"]) grid.classList.toggle(`size-${size}`, size === slider.value);
      const address = new URL(location.href);
      address.searchParams.set("size", slider.value);
      history.replaceState(null, "", address);
      for (const link of document.querySelectorAll(".pages a, .stacks-told a")) {
        const there = new URL(link.href);
        there.searchParams.set("size", slider.value);
        link.href = there;
      }
    });
}
