// Two inputs at once: the prediction as a filled contour, real rows on it, where it stands, and a click that goes there.

import { add, place, scaleOf, ticksOf } from "./drawing.js";
import { atRest, inFull, textOf, withUnit, write } from "./numbers.js";

const [LEFT, RIGHT, TOP, BELOW, LEGEND] = [64, 12, 8, 44, 40]; // [px]
const PLOT = 340; // [px] of the plot
const BANDS = 8;

// For each pixel of a side: the value before it, and how far it is on the way to the next; choices are not mixed.
export function placesOf({ values, choices }, n) {
  const last = values.length - 1;
  return Array.from({ length: n }, (_, pixel) => {
    const share = (pixel + 0.5) / n;
    if (choices) return [Math.min(last, Math.floor(share * values.length)), 0];
    const value = values[0] + share * (values[last] - values[0]);
    let k = Math.min(last - 1, Math.floor(share * last));
    while (k < last - 1 && values[k + 1] <= value) k += 1;
    while (k > 0 && values[k] > value) k -= 1;
    return [k, (value - values[k]) / (values[k + 1] - values[k])];
  });
}

// The predictions between those that are known, by proportion.
export function mixed(z, [i, u], [j, v]) {
  const [low, high] = [z[j], z[Math.min(j + 1, z.length - 1)]];
  const next = Math.min(i + 1, low.length - 1);
  return (1 - v) * ((1 - u) * low[i] + u * low[next]) + v * ((1 - u) * high[i] + u * high[next]);
}

export function bandsOf(z) {
  const values = z.flat();
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const ticks = ticksOf(low, high, BANDS);
  return [low, ...ticks.filter((tick) => tick > low && tick < high), high];
}

const shareAt = ({ values, choices }, value) =>
  choices ? (value + 0.5) / choices.length : (value - values[0]) / (values.at(-1) - values[0]);

export function valueOn({ values, choices, low, step }, share) {
  if (choices) return Math.min(choices.length - 1, Math.floor(share * choices.length));
  const value = values[0] + share * (values.at(-1) - values[0]);
  return Number((low + Math.round((value - low) / step) * step).toFixed(9));
}

const drawn = new WeakMap();

export function contour({ data, parentElement, setTriggerValue }) {
  const told = JSON.parse(data);
  atRest.decimals = told.decimals;
  let view = drawn.get(parentElement);
  if (!view) {
    const root = parentElement.appendChild(document.createElement("div"));
    root.className = "wi-contour";
    root.innerHTML = `<canvas></canvas><svg role="img"></svg>`;
    view = { root, watch: new ResizeObserver(() => paint(view)) };
    view.watch.observe(root);
    drawn.set(parentElement, view);
  }
  Object.assign(view, { told, pick: (values) => setTriggerValue("picked", values) });
  paint(view);
  return () => setTimeout(() => parentElement.isConnected || view.watch.disconnect());
}

function colourOf(root, name) {
  root.style.color = `var(${name})`;
  const [r, g, b] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
  root.style.color = "";
  return [r, g, b];
}

function paint({ root, told, pick }) {
  const width = root.clientWidth - LEFT - RIGHT;
  if (width < 100) return; // on its way in or out of the page
  const [canvas, svg] = root.children;
  const bounds = bandsOf(told.z);
  const [paper, ink, text] = ["--st-background-color", "--st-primary-color", "--st-text-color"].map((name) => colourOf(root, name));
  const colours = bounds.slice(1).map((_, k, { length }) => {
    const share = 0.06 + (0.84 * k) / Math.max(1, length - 1);
    return paper.map((part, c) => part + share * (ink[c] - part));
  });
  fill(canvas, width, told, bounds, colours, paper, text);
  svg.replaceChildren();
  place(svg, { width: root.clientWidth, height: TOP + PLOT + BELOW + LEGEND, "aria-label": told.alt });
  const at = ([across, up]) => [LEFT + shareAt(told.x, across) * width, TOP + (1 - shareAt(told.y, up)) * PLOT];
  drawAxes(svg, width, told, at);
  for (const [name, distance, ...where] of told.points) {
    const [cx, cy] = at(where);
    const dot = add(svg, "circle", { class: "wi-real", cx, cy, r: 1.5 + 4.5 * Math.exp(-distance) });
    add(dot, "title", {}, `${name}, ${write(distance, 1)} s.d. away in the other inputs`);
  }
  const [from, here] = [at(told.start), at(told.here)];
  add(svg, "circle", { class: "wi-hollow-dot", cx: from[0], cy: from[1], r: 6 });
  add(svg, "circle", { class: "wi-dot", cx: here[0], cy: here[1], r: 7 });
  drawLegend(svg, width, bounds, colours);
  svg.onclick = (event) => {
    const box = svg.getBoundingClientRect();
    const across = (event.clientX - box.x - LEFT) / width;
    const up = 1 - (event.clientY - box.y - TOP) / PLOT;
    if (Math.min(across, up, 1 - across, 1 - up) < 0) return;
    pick({ [told.x.name]: valueOn(told.x, across), [told.y.name]: valueOn(told.y, up) });
  };
}

const nearest = ([k, share]) => k + (share > 0.5);

// Bands of colour; hatched where no row is near, with a line where the aim begins.
function fill(canvas, width, { x, y, z, support, goal }, bounds, colours, paper, text) {
  place(canvas, { width, height: PLOT, style: `left: ${LEFT}px; top: ${TOP}px` });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, PLOT);
  const [across, up] = [placesOf(x, width), placesOf(y, PLOT).reverse()];
  const values = up.flatMap((j) => across.map((i) => mixed(z, i, j)));
  values.forEach((value, pixel) => {
    const [i, j] = [pixel % width, Math.floor(pixel / width)];
    let band = 0;
    while (band < colours.length - 1 && value >= bounds[band + 1]) band += 1;
    const beside = [values[i + 1 < width ? pixel + 1 : pixel], values[pixel + width] ?? value];
    const isEdge = goal !== null && beside.some((other) => other >= goal !== value >= goal);
    const isFar = (i + j) % 8 < 2 && support[nearest(up[j])][nearest(across[i])] !== "n";
    const [r, g, b] = isEdge ? text : isFar ? paper : colours[band];
    for (const [part, amount] of [r, g, b, 255].entries()) image.data[4 * pixel + part] = amount;
  });
  context.putImageData(image, 0, 0);
}

function marks({ choices, values, scale }) {
  if (choices) return choices.map((_, code) => code);
  return ticksOf(values[0] * scale, values.at(-1) * scale, 5).map((tick) => tick / scale);
}

function drawAxes(svg, width, { x, y }, at) {
  for (const value of marks(x)) {
    const text = add(svg, "text", { x: at([value, y.values[0]])[0], y: TOP + PLOT + 16, "text-anchor": "middle" });
    text.textContent = textOf(x, value);
  }
  for (const value of marks(y)) {
    const text = add(svg, "text", { x: LEFT - 6, y: at([x.values[0], value])[1] + 4, "text-anchor": "end" });
    text.textContent = withUnit(y, value);
  }
  add(svg, "text", { x: LEFT + width / 2, y: TOP + PLOT + 34, "text-anchor": "middle" }, x.label);
}

function drawLegend(svg, width, bounds, colours) {
  const x = scaleOf(0, colours.length, LEFT, LEFT + width);
  const y = TOP + PLOT + BELOW;
  colours.forEach((colour, k) => {
    add(svg, "rect", { x: x(k), y, width: x(1) - x(0), height: 10, fill: `rgb(${colour})` });
    if (k) add(svg, "text", { x: x(k), y: y + 24, "text-anchor": "middle" }, inFull(bounds[k]));
  });
}
