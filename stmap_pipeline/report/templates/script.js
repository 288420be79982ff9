"use strict";
// Tables are sorted by the server already; this lets a reader sort them otherwise. Without it the page loses nothing else.
function value(row, column, numeric) {
  const text = row.cells[column].textContent.trim();
  if (!numeric) return text;
  const number = parseFloat(text.replace(/\u2212/g, "-").replace(/,/g, "").replace("\u221e", "Infinity"));
  return Number.isNaN(number) ? null : number;
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((one) => one.setAttribute("aria-sort", one === head ? (up ? "ascending" : "descending") : "none"));
    const body = table.tBodies[0], numeric = head.classList.contains("n");
    const order = new Intl.Collator("en", { numeric: true });
    const rows = [...body.rows].filter((row) => row.cells.length === heads.length).map((row) => [value(row, column, numeric), row]);
    rows.sort(([a], [b]) => {
      // what is unknown stays last, whichever way the rest is sorted
      if (a === null || b === null) return (a === null) - (b === null);
      return (up ? 1 : -1) * (numeric ? a - b : order.compare(a, b));
    });
    body.append(...rows.map(([, row]) => row));
  }));
}
for (const field of document.querySelectorAll("input[data-table]")) {
  const rows = [...document.getElementById(field.dataset.table).tBodies[0].rows];
  const count = document.querySelector(`[data-count="${field.dataset.table}"]`);
  const table = document.getElementById(field.dataset.table), brief = table.classList.contains("brief");
  const all = document.querySelector(`[data-all="${field.dataset.table}"]`);
  let texts = null;
  field.addEventListener("input", () => {
    texts ??= rows.map((row) => row.textContent.toLowerCase());
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    // what is sought may stand anywhere
    table.classList.toggle("brief", brief && !wanted && !all.hidden);
    rows.forEach((row, i) => { row.hidden = !texts[i].includes(wanted); shown += !row.hidden; });
    count.textContent = wanted ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
  });
}
for (const button of document.querySelectorAll("button[data-all]")) {
  button.addEventListener("click", () => {
    document.getElementById(button.dataset.all).classList.remove("brief");
    button.hidden = true;
  });
}
// a link to a recording opens what is folded around it
function unfold() {
  const name = decodeURIComponent(location.hash.slice(1));
  const target = name && document.getElementById(name);
  if (!target) return;
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (target.tagName !== "DETAILS" && target.querySelector(":scope > details")) target.querySelector(":scope > details").open = true;
}
addEventListener("hashchange", unfold);
unfold();
addEventListener("beforeprint", () => document.querySelectorAll("table.brief").forEach((one) => one.classList.remove("brief")));
addEventListener("beforeprint", () => document.querySelectorAll("details.print").forEach((one) => { one.open = true; }));
