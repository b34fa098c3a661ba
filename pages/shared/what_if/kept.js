// Kept scenarios as a table: a row each, with its dot and interval on one scale, and Show and Remove in the row. And
// the browser's storage of them: an entry each, so that no tab writes over what another keeps.

const mounted = new WeakMap();
const PREFIX = "petrol.kept.";
// What this page and its storage agree on, for as long as the page lives: what is gone from there since, another tab
// has removed, and what differs, it has written.
const page = (window.petrolKept ??= {});
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
  const { columns, rows, scale, ...storage } = JSON.parse(data);
  if (!page.agree) addEventListener("storage", () => page.parent.isConnected && page.agree(true));
  page.parent = parentElement;
  page.press = (pressed) => setTriggerValue("pressed", pressed);
  page.agree = (isOther) => agree(storage, isOther, (told) => setTriggerValue("stored", told));
  page.agree(false);
  const drawn = JSON.stringify([columns, rows, scale]);
  if (drawn === table.dataset.drawn) return; // a button that is pressed meanwhile stays the same
  table.dataset.drawn = drawn;
  table.innerHTML = "";
  if (!rows.length) return;
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
      button.onclick = () => page.press({ action, name });
      buttons.appendChild(button);
    }
  }
}

// Write what the server has changed, and tell it what it does not know: once, for it may have no use for it.
function agree({ session, records, removed }, isOther, tell) {
  const fresh = () => ({ session, told: "", isRefused: false, agreed: new Map(), heard: new Map(), echoes: new Map() });
  if (page.session !== session) Object.assign(page, fresh());
  const { agreed, heard, echoes } = page;
  const told = { session, isOther, isRefused: false, changed: {}, gone: [] };
  try {
    for (const id of removed) localStorage.removeItem(PREFIX + id);
    for (const [id, text] of Object.entries(records)) {
      if (heard.get(id) === text) continue; // the server says nothing new
      const echo = echoes.get(id)?.indexOf(text) ?? -1; // what it was told may be old by now: another tab writes, too
      if (echo >= 0) echoes.get(id).splice(0, echo + 1);
      else if (!agreed.has(id) || localStorage.getItem(PREFIX + id) !== null) {
        localStorage.setItem(PREFIX + id, text);
        agreed.set(id, text);
      }
      heard.set(id, text); // not before: where there is no room, it is tried again
    }
    for (const [key, text] of Object.entries(localStorage)) {
      const id = key.slice(PREFIX.length);
      if (!key.startsWith(PREFIX) || agreed.get(id) === text) continue;
      told.changed[id] = text.slice(0, 5000);
      agreed.set(id, text);
      echoes.set(id, [...(echoes.get(id) ?? []), text]);
    }
    told.gone = Object.keys(records).filter((id) => localStorage.getItem(PREFIX + id) === null);
  } catch {
    told.isRefused = true; // a browser that stores nothing for pages, or has no room
  }
  const isNews = told.isRefused !== page.isRefused || told.gone.length || Object.keys(told.changed).length;
  const text = isNews ? JSON.stringify(told) : "";
  if (isNews && text !== page.told) tell(told);
  Object.assign(page, { told: text, isRefused: told.isRefused });
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
