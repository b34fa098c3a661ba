// The card: the number, what changes and how sure that is, on the scale of the rows, and why.

import { add, place, scaleOf, stacked, ticksOf } from "./drawing.js";
import { nearestRows, stepOf } from "./curves.js";
import { amount, atRest, inFull, rounded, signed, withUnit, write } from "./numbers.js";

export function buildCard(onOpen) {
  const card = document.createElement("div");
  card.className = "wi-card";
  card.innerHTML = `
    <section class="wi-now">
      <div class="wi-line">
        <span class="wi-number" data-testid="live-prediction"></span>
        <span class="wi-unit"></span>
        <span class="wi-level"><b><span data-testid="live-low"></span> \u2013 <span data-testid="live-high"></span></b>
          <select data-testid="level" aria-label="Level of the intervals"></select></span>
      </div>
      <p class="wi-change" data-testid="live-change"></p>
      <p class="wi-sure" data-testid="live-sure"></p>
      <p class="wi-other-version" data-testid="live-beside"></p>
      <svg class="wi-scale" role="img"></svg>
      <p class="wi-caption"></p>
    </section>
    <section class="wi-more">
      <p class="wi-counts" data-testid="live-counts"></p>
      <p class="wi-real"></p>
      <p class="wi-near" data-testid="live-support"></p>
      <div class="wi-others"><h2></h2><svg role="img"></svg><p></p></div>
      <div class="wi-why"><h2></h2><ul></ul><p></p></div>
      <p class="wi-note"></p>
      <details class="wi-average"><summary>Against the average, and what is closest</summary>
        <h2></h2><ul></ul><p></p><div><table></table></div></details>
      <div class="wi-share"><span role="status"></span><input readonly hidden aria-label="Link to this scenario">
        <button type="button">Copy link</button></div>
      <p class="wi-spoken" aria-live="polite"></p>
    </section>`;
  card.querySelector(".wi-average").ontoggle = onOpen;
  return card;
}

export const startName = ({ name, code }) =>
  code ? `${name} as it is` : `the ${name[0].toLowerCase()}${name.slice(1)}`;

// Everything that follows the thumb.
export function writeCard(view, known) {
  const { card, model, answer, start } = view;
  const find = (selector) => card.querySelector(selector);
  const isStart = view.values.every((value, i) => value === start.values[i]);
  const [low, high] = [known.value - answer.width, known.value + answer.width];
  find("[data-testid=live-prediction]").textContent = write(known.value);
  find("[data-testid=live-low]").textContent = write(low);
  find("[data-testid=live-high]").textContent = write(high);
  find(".wi-unit").textContent = model.unit;
  const shaded = "Shaded: where one with these inputs may lie.";
  find(".wi-caption").textContent = `Each dot: what one ${model.row} ${model.past}. ${shaded}`;
  find(".wi-level select").value = view.level;
  const change = find(".wi-change");
  change.innerHTML = "<b></b> <span></span>";
  change.className = "wi-change";
  change.classList.toggle("wi-less", !isStart && rounded(known.change) < 0);
  change.classList.toggle("wi-more-of", !isStart && rounded(known.change) > 0);
  const [strong, rest] = change.children;
  if (isStart) {
    const name = startName(start);
    rest.textContent = `${name[0].toUpperCase()}${name.slice(1)}. Drag a slider to see what changes.`;
  } else {
    strong.textContent = amount(known.change);
    const than = rounded(known.change) ? "than" : "from";
    rest.textContent = `${than} ${startName(start)} (${write(answer.before)})`;
  }
  find(".wi-sure").textContent = isStart ? "" : sureness(view, known);
  find(".wi-counts").textContent = isStart || !known.counts ? "" : `${counted(known.counts)}.`;
  find(".wi-other-version").textContent = answer.beside ? saidBeside(view, isStart) : "";
  writeReal(view, known, isStart);
  writeNear(view, known);
  markScale(view, known);
}

// Another version follows the thumb, too: at a step of the one slider that is held.
function saidBeside({ answer, answered, model, values, start }, isStart) {
  const { label, value, before, curves } = answer.beside;
  const i = values.findIndex((each, k) => each !== answered.values[k]);
  const now = i < 0 ? value : curves[i][stepOf(model.inputs[i], values[i])];
  const than = rounded(now - before) ? "than" : "from";
  const moved = isStart ? "" : `, ${amount(now - before)} ${than} ${startName(start)} (${write(before)})`;
  return `${label} says ${write(now)}${moved}.`;
}

export const percent = (level) => `${Number((level * 100).toPrecision(6))}\u00a0%`;

function sureness({ level }, known) {
  if (known.low === undefined)
    return "How sure that is, is not known yet: this version has no refits. A job makes them.";
  const stretched = known.isStretched ? ", stretched to hold the change" : "";
  return `${percent(level)} interval: ${amount(known.low)} to ${amount(known.high)}${stretched}`;
}

export function counted([less, more, none]) {
  const said = [[less, "less"], [more, "more"], [none, "no change"]].filter(([n]) => n).sort((a, b) => b[0] - a[0]);
  return said.map(([n, word], i) => (i ? `${n} ${word}` : `${n} of 100 refits say ${word}`)).join(", ");
}

function writeReal({ start, answer, card, model }, known, isStart) {
  const line = card.querySelector(".wi-real");
  line.hidden = start.observed === undefined;
  if (line.hidden) return;
  const said = `${start.name} ${model.past} ${write(start.observed)}; the model says ${write(answer.before)}.`;
  const off = signed(start.observed - answer.before);
  const about = write(start.observed + known.change);
  line.textContent = isStart ? said : `${said} If that difference of ${off} stays, it would ${model.verb} about ${about}.`;
}

const HEADS = { near: "Close to real", far: "Far from every", "very far": "Very far from every" };

function writeNear(view, known) {
  const { model, answer } = view;
  const near = view.isMoving && model.isWhole ? nearestRows(model, view.values) : answer.closest;
  const rows = known.support === "near" ? model.rows : model.row;
  const named = near.map(
    ({ name, used, distance }) => `${name} (${distance.toFixed(1)} s.d. away, ${model.past} ${write(used)})`,
  );
  view.near = new Set(model.isWhole ? near.map((row) => row.place) : []);
  const line = view.card.querySelector(".wi-near");
  line.innerHTML = "<b></b> <span></span>";
  line.className = `wi-near wi-${known.support.replace(" ", "-")}`;
  line.children[0].textContent = `${HEADS[known.support]} ${rows}.`;
  line.children[1].textContent = `Nearest: ${named.join(", ")}.`;
}

// The scale of what the real rows used, one dot a row, stacked where they meet.
export function drawScale(view, width) {
  const svg = view.card.querySelector(".wi-scale");
  const { model, answer } = view;
  const base = (svg.clientHeight || 84) - 20;
  const [low, high] = answer.scale;
  const x = scaleOf(low, high, 10, width - 10);
  svg.replaceChildren();
  svg.setAttribute("aria-label", `The interval on the scale of what each ${model.row} ${model.past}, ${model.unit}`);
  const band = add(svg, "rect", { class: "wi-fill", y: 2, height: base - 2 });
  const most = Math.floor((base - 6) / 6);
  const dots = stacked(model.used.map(x), 5).map(([cx, height], i) => {
    if (height >= most) return null;
    const dot = add(svg, "circle", { class: "wi-rowdot", cx, cy: base - 5 - height * 6, r: 2.4 });
    add(dot, "title", {}, `${model.names[i]} ${model.past} ${write(model.used[i])}`);
    return dot;
  });
  add(svg, "line", { class: "wi-axis", x1: x(low), x2: x(high), y1: base, y2: base });
  for (const tick of ticksOf(low, high, width / 70))
    add(svg, "text", { x: x(tick), y: base + 15, "text-anchor": "middle" }, inFull(tick));
  const way = add(svg, "line", { class: "wi-way", y1: base, y2: base });
  const start = add(svg, "circle", { class: "wi-hollow-dot", cy: base, r: 5 });
  const dot = add(svg, "circle", { class: "wi-dot", cy: base, r: 6 });
  view.scale = { x, band, dots, way, start, dot };
}

function markScale({ answer, near, scale }, known) {
  if (!scale) return;
  const { x, band, dots, way, start, dot } = scale;
  const [from, to] = [known.value - answer.width, known.value + answer.width].map(x);
  place(band, { x: from, width: to - from });
  place(way, { x1: x(answer.before), x2: x(known.value) });
  place(start, { cx: x(answer.before) });
  place(dot, { cx: x(known.value) });
  dots.forEach((each, i) => each?.classList.toggle("wi-nearest", near.has(i)));
}

// What waits for the server: what other algorithms say, why, and what the interval is worth.
export function writeRest(view) {
  const { card, answer, model } = view;
  const isStart = view.values.every((value, i) => value === view.start.values[i]);
  card.querySelector(".wi-others").hidden = isStart || !answer.others;
  card.querySelector(".wi-why").hidden = isStart;
  card.querySelector(".wi-note").textContent = answer.note;
  writeAverage(view);
  if (!isStart && answer.others) drawOthers(view);
  if (isStart) return;
  const moved = model.inputs.map((input, i) => [input, i]).filter(([, i]) => view.values[i] !== view.start.values[i]);
  card.querySelector(".wi-why h2").textContent = `Why ${signed(answer.now.change)}`;
  const bars = moved.map(([input, i]) => {
    const [from, to] = [view.start.values[i], view.values[i]].map((value) => withUnit(input, value));
    return [`${input.label} ${from} \u2192 ${to}`, answer.contributions[i]];
  });
  drawBars(card.querySelector(".wi-why ul"), bars);
  card.querySelector(".wi-why p").textContent = answer.whySampled;
}

function drawBars(list, bars) {
  const span = Math.max(10 ** -atRest.decimals, ...bars.map(([, value]) => Math.abs(value)));
  list.style.setProperty("--figure", `${Math.max(0, ...bars.map(([, value]) => signed(value).length))}ch`);
  list.replaceChildren(
    ...bars.map(([text, value]) => {
      const item = document.createElement("li");
      item.innerHTML = "<span></span><i aria-hidden='true'><i></i></i><b></b>";
      const [label, track, figure] = item.children;
      [label.textContent, figure.textContent] = [text, signed(value)];
      track.firstChild.style.width = `${(Math.abs(value) / span) * 100}%`;
      track.firstChild.className = value < 0 ? "wi-lowers" : "wi-raises";
      return item;
    }),
  );
}

// Folded, and answered when it is opened: why not the average; and the closest rows with all their figures.
function writeAverage({ card, answer, model, values }) {
  const { reasons = [], average = 0, sampled } = answer;
  const [title, list, note] = card.querySelectorAll(".wi-average > :is(h2, ul, p)");
  [title, list, note].forEach((part) => (part.hidden = !reasons.length));
  title.textContent = `Why ${write(answer.now.value)} and not the average ${write(average)}`;
  drawBars(list, reasons.map((value, i) => [`${model.inputs[i].label} ${withUnit(model.inputs[i], values[i])}`, value]));
  note.textContent = `${sampled}, ${model.unit}. Before rounding they add up to the difference. ${model.sample}`;
  const row = model.row[0].toUpperCase() + model.row.slice(1);
  const head = [row, model.target, "distance", ...model.inputs.map(({ short }) => short)];
  const body = answer.closest.map(({ name, used, distance, values: own }) => [
    name, write(used), `${distance.toFixed(1)} s.d.`, ...model.inputs.map((input, i) => withUnit(input, own[i])),
  ]);
  const table = card.querySelector(".wi-average table");
  table.replaceChildren();
  [head, ...body].forEach((cells, i) => {
    const line = table.insertRow();
    cells.forEach((text) => (line.appendChild(document.createElement(i ? "td" : "th")).textContent = text));
  });
}

function drawOthers({ answer, widths, card }) {
  const [title, svg, list] = card.querySelectorAll(".wi-others > *");
  const said = Object.entries(answer.others).sort((a, b) => a[1] - b[1]);
  title.textContent = agreement(said.map(([, change]) => Math.sign(rounded(change))));
  list.textContent = said.map(([label, change]) => `${label} ${signed(change)}`).join(", ");
  const { low = 0, high = 0, change } = answer.now;
  const all = [0, low, high, change, ...Object.values(answer.others)];
  const x = scaleOf(Math.min(...all), Math.max(...all), 12, widths.card - 12);
  svg.replaceChildren();
  svg.setAttribute("aria-label", list.textContent);
  add(svg, "rect", { class: "wi-fill", x: x(low), width: x(high) - x(low), y: 4, height: 14 });
  add(svg, "line", { class: "wi-axis", x1: 0, x2: widths.card, y1: 11, y2: 11 });
  add(svg, "line", { class: "wi-axis", x1: x(0), x2: x(0), y1: 2, y2: 22 });
  const anchor = x(0) > widths.card - 50 ? "end" : x(0) < 50 ? "start" : "middle";
  add(svg, "text", { x: x(0), y: 34, "text-anchor": anchor }, "no change");
  for (const [label, other] of said) {
    const dot = add(svg, "circle", { class: "wi-other", cx: x(other), cy: 11, r: 4 });
    add(dot, "title", {}, `${label} ${signed(other)}`);
  }
  add(svg, "circle", { class: "wi-dot", cx: x(change), cy: 11, r: 6 });
}

export function agreement(signs) {
  const words = [[-1, "less"], [1, "more"], [0, "no change"]];
  const counts = words.map(([sign, word]) => [signs.filter((each) => each === sign).length, word]).filter(([n]) => n);
  counts.sort((a, b) => b[0] - a[0]);
  if (counts.length === 1) return `All ${signs.length} algorithms say ${counts[0][1]}`;
  const said = counts.map(([n, word], i) => (i ? `${n} ${word}` : word)).join(", ");
  return `${counts[0][0]} of ${signs.length} algorithms say ${said}`;
}
