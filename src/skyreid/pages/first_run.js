"use strict";
// The link that the server prints brings the token behind a #, which no browser sends and no log sees.
const brought = new URLSearchParams(location.hash.slice(1));
for (const name of ["token", "name"]) {
  const field = document.querySelector(`input[name=${name}]`);
  if (field && brought.has(name)) field.value = brought.get(name);
}
if (brought.has("token")) {
  history.replaceState(null, "", location.pathname);
  document.querySelector("input[name=password]").focus();
}
