"use strict";
// Tables are sorted by the server already; this lets a reader sort them otherwise. Without it the page loses nothing else.
function value(row, column, numeric) {
  const text = row.cells[column].textContent.trim();
  if (!numeric) return text;
  const number = parseFloat(text.replace(/\u2212/g, "-").replace(/,/g, "").replace("\u221e", "Infinity"));
  return Number.isNaN(number) ? null : number;
}
// rows beyond the first ones are text until a reader wants them
function fill(table) {
  const rest = document.getElementById(`${table.id}-rest`);
  if (!rest) return;
  const made = document.createElement("template");
  made.innerHTML = rest.textContent;
  rest.remove();
  table.tBodies[0].append(...made.content.querySelectorAll("tr"));
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    fill(table);
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
  const count = document.querySelector(`[data-count="${field.dataset.table}"]`);
  const table = document.getElementById(field.dataset.table), brief = table.classList.contains("brief");
  const all = document.querySelector(`[data-all="${field.dataset.table}"]`);
  let rows = null, texts = null;
  field.addEventListener("input", () => {
    fill(table);
    rows ??= [...table.tBodies[0].rows];
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
    const table = document.getElementById(button.dataset.all);
    fill(table);
    table.classList.remove("brief");
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
addEventListener("beforeprint", () => document.querySelectorAll("table.brief").forEach((one) => { fill(one); one.classList.remove("brief"); }));
addEventListener("beforeprint", () => document.querySelectorAll("details.print").forEach((one) => { one.open = true; }));

// Charts: data and layout stand in the page as JSON, plotly.js draws them when they come near the window.
const charts = [...document.querySelectorAll(".chart")];
const drawn = new Set();
let ready = null;
function library() {
  ready ??= new Promise(async (done) => {
    // packed inside the page, or a file beside it
    const place = document.getElementById("library"), script = document.createElement("script");
    if (place.dataset.file) {
      script.onload = done;
      script.src = place.dataset.file;
    } else {
      const bytes = Uint8Array.from(atob(place.textContent), (one) => one.charCodeAt(0));
      script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    }
    document.head.append(script);
    if (!place.dataset.file) done();
  });
  return ready;
}
function chart(box, picture = false) {
  const page = getComputedStyle(document.documentElement), color = (name) => page.getPropertyValue(`--${name}`).trim() || name;
  const spec = JSON.parse(box.nextElementSibling.textContent, (key, one) => typeof one === "string" && /color$/.test(key) ? color(one) : one);
  const axis = { gridcolor: color("grid"), linecolor: color("line"), zeroline: false, automargin: true, separatethousands: true };
  const given = spec.layout;
  const layout = {
    autosize: true, margin: { l: 44, r: 14, t: 26, b: 38 }, showlegend: false, hovermode: "closest", dragmode: "zoom",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: color("soft") },
    legend: { orientation: "h", traceorder: "normal", x: 0, y: 1, yanchor: "bottom", font: { size: 11 } },
    hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { color: color("ink"), size: 12 }, align: "left" },
    ...given,
    // a picture of its own says what it shows, and is white
    ...(picture ? { paper_bgcolor: color("card"), title: { text: titleOf(box), x: 0.01, y: 0.98, yanchor: "top", font: { size: 13, color: color("ink") } },
      margin: { l: 54, r: 18, t: 64, b: 48 } } : {}),
    xaxis: { ...axis, ...given.xaxis }, yaxis: { ...axis, ...given.yaxis },
    annotations: (given.annotations ?? []).map((one) => ({ font: { color: color("ink"), size: 11 }, bgcolor: color("card"), borderpad: 1, showarrow: false, ...one })),
  };
  return { data: spec.data, layout };
}
function titleOf(box) {
  const head = box.closest("figure").querySelector("h3"), badge = head.querySelector(".badge");
  const text = badge ? head.textContent.replace(badge.textContent, `(${badge.textContent})`) : head.textContent;
  // plotly.js reads titles as markup
  return text.trim().replace(/\s+/g, " ").replace(/&/g, "&amp;").replace(/</g, "&lt;");
}
function draw(box) {
  const { data, layout } = chart(box);
  Plotly.react(box, data, layout, { responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"] });
  if (!drawn.has(box)) {
    const places = (event) => event.points.map((one) => addressOf(one.text)).filter(Boolean), layer = () => box.querySelector(".nsewdrag");
    box.on("plotly_click", (event) => { const [place] = places(event); if (place) location.href = place; });
    box.on("plotly_hover", (event) => { if (places(event).length) layer().style.cursor = "pointer"; });
    box.on("plotly_unhover", () => { layer().style.cursor = ""; });
  }
  drawn.add(box);
}
// a dot leads where the row of its recording leads, or to the page of the maps where that is another one
let addresses = null;
function addressOf(name) {
  if (!addresses) {
    const elsewhere = document.getElementById("recording-links");
    addresses = new Map(Object.entries(elsewhere ? JSON.parse(elsewhere.textContent) : {}));
    const recordings = document.getElementById("recordings");
    if (recordings) fill(recordings);
    document.querySelectorAll("#recordings tbody th a").forEach((one) => addresses.set(one.textContent, one.getAttribute("href")));
  }
  return addresses.get(name);
}
// Pictures of figures: a chart as drawn on paper, a map with a pixel for each of its values.
function fileName(id) { return id.replace(/:chart$/, "").replace(/[^A-Za-z0-9_-]/g, "_"); }
async function save(box, format) {
  await library();
  document.documentElement.classList.add("paper");
  const { data, layout } = chart(box, true);
  document.documentElement.classList.remove("paper");
  Plotly.downloadImage({ data, layout }, { format, filename: fileName(box.id), width: 900, height: Math.max(420, 1.3 * box.offsetHeight), scale: format === "png" ? 3 : 1 });
}
for (const figure of document.querySelectorAll("figure")) {
  const box = figure.querySelector(".chart"), images = [...figure.querySelectorAll("img.map")], line = document.createElement("p");
  line.className = "save";
  line.append("Save as");
  for (const format of box ? ["SVG", "PNG"] : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = format;
    button.addEventListener("click", () => save(box, format.toLowerCase()));
    line.append(button);
  }
  images.forEach((one, number) => {
    const link = document.createElement("a");
    link.href = one.src;
    link.download = `${fileName(figure.id)}${images.length > 1 ? `_${number + 1}` : ""}.png`;
    link.textContent = images.length > 1 ? `PNG ${number + 1}` : "PNG";
    line.append(link);
  });
  if (box || images.length) figure.append(line);
}
const near = new IntersectionObserver(async (entries) => {
  const boxes = entries.filter((one) => one.isIntersecting).map((one) => one.target);
  if (!boxes.length) return;
  boxes.forEach((one) => near.unobserve(one));
  await library();
  for (const one of boxes) {
    if (!drawn.has(one)) draw(one);
    // the page answers between two charts
    await new Promise((next) => setTimeout(next));
  }
}, { rootMargin: "400px" });
charts.forEach((one) => near.observe(one));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
// paper is white, and shows all charts where the library is there by then
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper");
  if (window.Plotly) charts.forEach(draw);
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  drawn.forEach(draw);
});
