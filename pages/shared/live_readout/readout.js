// The server's answer carries four response curves. While the visitor moves a slider, the number is looked up in
// that slider's curve; at rest it is the server's. This function runs again with each answer: what is attached is
// attached once and reads the latest answer.

const mounted = new WeakMap();
const SVG = "http://www.w3.org/2000/svg";

export default function ({ data, parentElement }) {
  let view = mounted.get(parentElement);
  if (!view) {
    view = build(parentElement);
    mounted.set(parentElement, view);
  }
  const link = view.data?.link;
  view.data = JSON.parse(data);
  if (link !== view.data.link) view.address.hidden = true; // it was of another scenario
  watchSliders(view);
  draw(view);
  announce(view);
  return () => {
    view.watchers.forEach(({ observer }) => observer.disconnect());
    view.resize.disconnect();
    document.removeEventListener("focusin", view.arrive);
    clearTimeout(view.timer);
    view.root.remove();
    mounted.delete(parentElement);
  };
}

function build(parent) {
  const root = document.createElement("div");
  root.className = "readout";
  root.innerHTML = `
    <section class="readout-now card">
      <div class="readout-line">
        <span class="readout-number" data-testid="live-prediction"></span>
        <span class="readout-unit"></span>
        <span class="readout-band"><b><span data-testid="live-low"></span> – <span data-testid="live-high"></span></b>
          <span class="readout-coverage"></span></span>
      </div>
      <svg class="readout-strip" role="img"></svg>
      <div class="readout-share"><span role="status"></span><input readonly hidden aria-label="Link to this scenario">
        <button type="button">Copy link</button></div>
      <p class="readout-spoken" aria-live="polite"></p>
    </section>
    <section class="readout-curves card">
      <h3>If only one thing changed</h3>
      <div class="readout-grid"></div>
    </section>`;
  parent.appendChild(root);
  const find = (selector) => root.querySelector(selector);
  const view = {
    root,
    watchers: new Map(),
    number: find("[data-testid=live-prediction]"),
    low: find("[data-testid=live-low]"),
    high: find("[data-testid=live-high]"),
    unit: find(".readout-unit"),
    coverage: find(".readout-coverage"),
    strip: find(".readout-strip"),
    grid: find(".readout-grid"),
    spoken: find(".readout-spoken"),
    address: find(".readout-share input"),
  };
  find("button").onclick = () => copyLink(view, find("[role=status]"));
  // Widths are read here and not while drawing, where each reading would make the browser lay the page out anew.
  view.resize = new ResizeObserver(() => {
    view.widths = [view.strip.clientWidth, view.grid.clientWidth / 2 - 8];
    if (view.data) draw(view);
  });
  view.resize.observe(view.strip); // and not the root, which has no box on a phone
  // A slider may appear after the readout (its script is loaded when first needed), but never after it has the focus.
  view.arrive = () => watchSliders(view);
  document.addEventListener("focusin", view.arrive);
  return view;
}

// One watcher a slider, on the hidden input that moves with the thumb. Where a slider is not found, the number
// still follows on release, from the server.
function watchSliders(view) {
  for (const { key, slider: name } of view.data.curves) {
    const slider = document.querySelector(`.${name}`);
    const input = slider?.querySelector("input[type=range]");
    const old = view.watchers.get(key);
    if (!input || old?.input === input) continue;
    old?.observer.disconnect();
    const observer = new MutationObserver(() => show(view));
    observer.observe(input, { attributes: true, attributeFilter: ["value", "aria-valuetext", "aria-valuenow"] });
    view.watchers.set(key, { slider, input, observer });
  }
}

// The address bar leaves out what is at its default, so a link is made. Where the connection is not secure no script
// may write to the clipboard: then the link is shown, selected.
async function copyLink({ data, address: field }, status) {
  const link = new URL(location.href);
  link.search = data.link;
  field.value = link.href;
  field.hidden = await navigator.clipboard?.writeText(link.href).then(() => true, () => false) ?? false;
  status.textContent = field.hidden ? "Link copied" : "";
  if (!field.hidden) field.select();
  setTimeout(() => (status.textContent = ""), 4000);
}

const stepOf = (curve, value) => Math.round((value - curve.start) / curve.step);
const valueAt = (curve, step) => curve.start + step * curve.step;

// The slider that the visitor holds somewhere else than the server's answer, or nothing. The input's attributes
// change without the visitor too (presets, answers), so it counts only while it has the pointer or the focus.
function moving(view) {
  for (const curve of view.data.curves) {
    const watcher = view.watchers.get(curve.key);
    if (!watcher?.slider.matches(":active, :focus-within")) continue;
    const step = stepOf(curve, parseFloat(watcher.input.value));
    if (step !== stepOf(curve, curve.at) && curve.value[step] !== undefined) return { curve, step };
  }
  return null;
}

function show(view) {
  const held = moving(view);
  const { value, low, high } = held
    ? { value: held.curve.value[held.step], low: held.curve.low[held.step], high: held.curve.high[held.step] }
    : view.data.now;
  view.number.textContent = value;
  view.low.textContent = low;
  view.high.textContent = high;
  const strip = view.stripParts;
  if (!strip) return;
  place(strip.band, { x: strip.x(low), width: strip.x(high) - strip.x(low) });
  place(strip.line, { x1: strip.x(value), x2: strip.x(value) });
  for (const { curve, dot, line, x, y, figure } of view.curveParts) {
    const mine = held?.curve === curve;
    const at = x(mine ? valueAt(curve, held.step) : curve.at);
    place(dot, { cx: at, cy: y(mine ? value : view.data.now.value) });
    place(line, { x1: at, x2: at });
    figure.classList.toggle("readout-stale", Boolean(held) && !mine); // its curve will move with the answer
  }
}

function place(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

function add(parent, name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  place(element, attributes);
  if (text) element.textContent = text;
  parent.appendChild(element);
  return element;
}

const scaleOf = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);

// What stands still is drawn again only when the width, the scale or the rows change.
function draw(view) {
  const { data, widths } = view;
  view.unit.textContent = data.unit;
  view.coverage.textContent = data.coverage;
  if (!widths) return show(view); // the first answer: the observer draws as soon as there is a width
  const still = JSON.stringify([widths, data.scale, data.used, data.rugs, data.curves.map((curve) => curve.ends)]);
  if (still !== view.still) {
    view.still = still;
    drawStrip(view, widths[0]);
    view.curveParts = data.curves.map((curve, i) => drawFrame(view, curve, i, widths[1]));
  }
  view.curveParts.forEach((part, i) => drawCurve(data, part, data.curves[i]));
  show(view);
}

// The scale of what the real rows used, one dot a row, stacked where they meet.
function drawStrip(view, width) {
  const { data, strip } = view;
  const [low, high] = data.scale;
  const x = scaleOf(low, high, 14, width - 14);
  const base = 62;
  strip.replaceChildren();
  strip.setAttribute("aria-label", `The interval on the scale of what each ${data.row} used, ${data.unit}`);
  const band = add(strip, "rect", { class: "readout-fill", y: 6, height: base - 6 });
  const heights = new Map();
  data.used.forEach((used, i) => {
    const slot = Math.round(x(used) / 5);
    const height = heights.get(slot) ?? 0;
    heights.set(slot, height + 1);
    if (height > 8) return;
    const dot = add(strip, "circle", { class: "readout-row", cx: slot * 5, cy: base - 4 - height * 6, r: 2.4 });
    add(dot, "title", {}, `${data.names[i]} used ${used}`);
  });
  add(strip, "line", { class: "readout-axis", x1: x(low), x2: x(high), y1: base, y2: base });
  const every = (high - low) / 100 > width / 50 ? 200 : 100;
  for (let tick = low; tick <= high; tick += every) {
    add(strip, "line", { class: "readout-axis", x1: x(tick), x2: x(tick), y1: base, y2: base + 4 });
    add(strip, "text", { x: x(tick), y: base + 17, "text-anchor": "middle" }, tick.toLocaleString("en-US"));
  }
  const line = add(strip, "line", { class: "readout-model", y1: 2, y2: base });
  view.stripParts = { x, band, line };
}

// Everything of a response curve but the curve: its name, axes, and the rug of the rows.
function drawFrame({ data, grid }, curve, i, width) {
  const [low, high] = data.scale;
  const figure = grid.children[i] ?? grid.appendChild(document.createElement("figure"));
  figure.innerHTML = "<figcaption></figcaption><svg role='img'></svg>";
  const [caption, svg] = figure.children;
  caption.textContent = curve.label;
  const x = scaleOf(curve.start, valueAt(curve, curve.value.length - 1), 30, width - 6);
  const y = scaleOf(low, high, 92, 4);
  const fill = add(svg, "path", { class: "readout-fill" });
  const path = add(svg, "path", { class: "readout-model" });
  const third = Math.round((high - low) / 300) * 100;
  for (const tick of [low + third, high - third])
    add(svg, "text", { x: 24, y: y(tick) + 4, "text-anchor": "end" }, tick.toLocaleString("en-US"));
  const rug = data.rugs[curve.key].map((value) => `M${x(value).toFixed(1)},96v5`).join("");
  add(svg, "path", { class: "readout-rug", d: rug });
  add(svg, "text", { x: 30, y: 114 }, curve.ends[0]);
  add(svg, "text", { x: width - 6, y: 114, "text-anchor": "end" }, curve.ends[1]);
  const line = add(svg, "line", { class: "readout-here", y1: 4, y2: 96 });
  const dot = add(svg, "circle", { class: "readout-dot", r: 4.5 });
  return { figure, svg, fill, path, line, dot, x, y };
}

// The curve at the slider's steps, with the scenario itself as an extra point between them.
function drawCurve(data, part, curve) {
  part.curve = curve;
  const points = curve.value.map((value, step) => [valueAt(curve, step), value, curve.low[step], curve.high[step]]);
  points.push([curve.at, data.now.value, data.now.low, data.now.high]);
  points.sort((a, b) => a[0] - b[0]);
  const path = (column) => points.map((point) => `${part.x(point[0]).toFixed(1)},${part.y(point[column]).toFixed(1)}`);
  part.fill.setAttribute("d", `M${path(3).join("L")}L${path(2).reverse().join("L")}Z`);
  part.path.setAttribute("d", `M${path(1).join("L")}`);
  const [first, last] = [curve.value[0], curve.value.at(-1)];
  const ends = `${curve.label} from ${curve.ends[0]} to ${curve.ends[1]}`;
  part.svg.setAttribute("aria-label", `${ends}: from ${first} to ${last} ${data.unit}`);
}

// Spoken only when the visitor pauses, and only the server's answer.
function announce(view) {
  const { now, unit, coverage } = view.data;
  clearTimeout(view.timer);
  view.timer = setTimeout(() => {
    if (!moving(view)) view.spoken.textContent = `${now.value} ${unit}, ${coverage} ${now.low} to ${now.high}.`;
  }, 700);
}
