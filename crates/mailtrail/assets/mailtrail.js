// What a page does beside htmx: copying the query, sending the form when a chip is chosen, keeping what is unfolded, "/" to search and Escape to
// close. Everything also works without.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const text = document.getElementById(button.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => { button.textContent = button.dataset.copied; }, () => {});
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// With a pointer, choosing an event searches at once; with the keyboard, several can be chosen before.
let pointed = false;
document.addEventListener("pointerdown", () => { pointed = true; });
document.addEventListener("keydown", () => { pointed = false; }, true);
document.addEventListener("change", (event) => {
  if (pointed && event.target.matches(".search > .chips input, .search .line select")) event.target.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.getElementById("who");
    if (field) { event.preventDefault(); field.focus(); }
  }
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    const close = document.getElementById("timeline-close");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    else if (close && !typing) close.click();
  }
});

// A whole row opens what its link opens, unless text is being marked.
document.addEventListener("click", (event) => {
  const row = event.target.closest("tr.row");
  if (row && !event.target.closest("a") && String(getSelection()) === "") row.querySelector("a.badge").click();
});

// What was unfolded stays so when a part of the page is replaced.
let unfolded = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  unfolded = [...event.detail.target.querySelectorAll("details[id][open]")].map((details) => details.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
});

// Which event is open, also after a part of the page was replaced.
function mark() {
  const open = new URLSearchParams(location.search).get("open");
  for (const row of document.querySelectorAll("tr.row")) row.classList.toggle("open", row.dataset.id === open);
}
document.addEventListener("htmx:afterSettle", mark);
document.addEventListener("htmx:pushedIntoHistory", mark);
mark();
