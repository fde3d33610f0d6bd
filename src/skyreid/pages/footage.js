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

// The zone of whoever sits here, which a form asks for beside its times.
for (const field of document.querySelectorAll("[data-zone]"))
  if (!field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

// Uploads, one file after the other, each with its own bar. Without this script the form sends them all at once.
for (const place of document.querySelectorAll("[data-drop]")) {
  const form = place.querySelector("form");
  const input = form.querySelector("input[type=file]");
  const list = place.querySelector(".sending");
  const home = `/api/c/${document.body.dataset.case}`;

  function send(file, line) {
    const bar = line.querySelector("progress");
    const said = line.lastElementChild;
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${home}/uploads?name=${encodeURIComponent(file.name)}`);
      request.setRequestHeader("x-csrf-token", document.querySelector("meta[name=csrf]").content);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.upload.onprogress = (event) => {
        bar.max = event.total;
        bar.value = event.loaded;
        said.textContent = event.loaded < event.total ? `${Math.floor((100 * event.loaded) / event.total)} %` : "is looked at";
      };
      request.onloadend = () => {
        let told = {};
        try {
          told = JSON.parse(request.responseText);
        } catch {
          told = { error: request.status === 413 ? "is larger than the server takes" : "The server does not answer." };
        }
        said.textContent = request.status === 201 ? "uploaded" : told.error;
        said.classList.toggle("bad", request.status !== 201);
        resolve(request.status === 201 ? told.number : null);
      };
      request.send(file);
    });
  }

  async function sendAll(files) {
    list.hidden = false;
    const lines = files.map((file) => {
      const line = document.createElement("li");
      const name = document.createElement("span");
      name.className = "file";
      name.textContent = file.name;
      const bar = document.createElement("progress");
      bar.max = 1;
      bar.value = 0;
      bar.setAttribute("aria-label", file.name);
      const said = document.createElement("span");
      said.className = "small why";
      said.textContent = "waits";
      line.append(name, bar, said);
      list.append(line);
      return line;
    });
    const numbers = [];
    let refused = false;
    for (const [place, file] of files.entries()) {
      const number = await send(file, lines[place]);
      if (number === null) refused = true;
      else numbers.push(number);
    }
    if (!numbers.length) return;
    const address = `/c/${document.body.dataset.case}/footage?${numbers.map((number) => `f=${number}`).join("&")}`;
    if (!refused) return location.assign(address);
    const on = document.createElement("a");
    on.className = "button main";
    on.href = address;
    on.textContent = "Describe what was uploaded";
    list.after(on);
    on.focus();
  }

  place.querySelector("[data-hint]").prepend("Drop videos here, or choose them. ");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.files.length) sendAll([...input.files]);
    form.reset();
  });
  for (const [name, over] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]])
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", over);
    });
  place.addEventListener("drop", (event) => sendAll([...event.dataTransfer.files]));
}
