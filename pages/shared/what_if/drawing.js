// Scales and elements of the pictures.

const SVG = "http://www.w3.org/2000/svg";

export function place(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

export function add(parent, name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  place(element, attributes);
  if (text) element.textContent = text;
  parent.appendChild(element);
  return element;
}

export const scaleOf = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

// A few round numbers within two ends.
export function ticksOf(low, high, most = 4) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((each) => each >= rough * (1 - 1e-9));
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9; tick += step)
    ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

export const pathOf = (points) =>
  points.length ? `M${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}` : "";

// Dots that share a place are stacked: [x, height] for each, in slots of a width.
export function stacked(xs, slot) {
  const heights = new Map();
  return xs.map((x) => {
    const column = Math.round(x / slot);
    const height = heights.get(column) ?? 0;
    heights.set(column, height + 1);
    return [column * slot, height];
  });
}
