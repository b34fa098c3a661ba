// Kept scenarios as a table: a row each, with its dot and interval on one scale, and Show and Remove in the row.

const mounted = new WeakMap();
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 150; // [px] of the scale in each row

export default function ({ data, parentElement, setTriggerValue }) {
  let table = mounted.get(parentElement);
  if (!table) {
    table = document.createElement("table");
    table.className = "kept";
    parentElement.appendChild(table);
    mounted.set(parentElement, table);
  }
  const { columns, rows, scale } = JSON.parse(data);
  const at = (value) => 4 + ((value - scale[0]) / (scale[1] - scale[0])) * (WIDTH - 8);
  table.innerHTML = "<thead><tr></tr></thead><tbody></tbody>";
  const [scenario, prediction, ...more] = columns;
  for (const text of [scenario, prediction, "On one scale", "Actions", ...more]) fill(table.tHead.rows[0], "th", text);
  for (const { name, cells, value, low, high } of rows) {
    const row = table.tBodies[0].insertRow();
    cells.slice(0, 2).forEach((text) => fill(row, "td", text));
    const scaled = fill(row, "td", "");
    scaled.appendChild(picture(at, value, low, high));
    const buttons = fill(row, "td", "");
    scaled.className = buttons.className = "kept-tool";
    cells.slice(2).forEach((text) => fill(row, "td", text));
    for (const action of ["Show", "Remove"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = action;
      button.setAttribute("aria-label", `${action} ${name}`);
      button.onclick = () => setTriggerValue("pressed", { action, name });
      buttons.appendChild(button);
    }
  }
}

function fill(row, kind, text) {
  const cell = row.appendChild(document.createElement(kind));
  cell.textContent = text;
  return cell;
}

function picture(at, value, low, high) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("width", WIDTH);
  svg.setAttribute("height", 16);
  svg.setAttribute("aria-hidden", "true"); // its figures stand in the row
  const draw = (kind, attributes) => {
    const element = svg.appendChild(document.createElementNS(SVG, kind));
    for (const [name, set] of Object.entries(attributes)) element.setAttribute(name, set);
  };
  draw("line", { class: "kept-axis", x1: 0, x2: WIDTH, y1: 8, y2: 8 });
  draw("rect", { class: "kept-band", x: at(low), width: at(high) - at(low), y: 3, height: 10 });
  draw("circle", { class: "kept-dot", cx: at(value), cy: 8, r: 4.5 });
  return svg;
}
