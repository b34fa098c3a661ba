// One row an input: its name and unit, what was moved, an exact field, and the curve right above its slider.

import { add, pathOf, place, scaleOf, ticksOf } from "./drawing.js";
import { runsOf, stepOf, valueAt } from "./curves.js";
import { inFull, plainOf, readNumber, signed, storedOf, textOf, withUnit, write } from "./numbers.js";

const THUMB = 12; // [px] half of it, so that a curve's ends lie above the slider's
const GUTTER = 36; // [px] for the figures of the y axis
const HEIGHT = 92; // [px]
const [MOST_SEGMENTS, MOST_LETTERS] = [5, 20]; // of more or longer choices a list is shorter
const GOLDEN = 0.618034; // multiples of it fill a strip evenly

export function buildRow(view, input, i) {
  const row = document.createElement("div");
  row.className = "wi-row";
  row.dataset.testid = `row-${input.name}`;
  row.innerHTML = `
    <div class="wi-head">
      <label><b></b> <span></span></label>
      <button type="button" class="wi-back" hidden></button>
      <output class="wi-effect"></output>
      <input class="wi-field" type="text" inputmode="decimal" autocomplete="off" spellcheck="false">
    </div>
    <svg class="wi-curve" role="img" height="${HEIGHT}"></svg>
    <div class="wi-track"><input type="range"><i class="wi-hollow"></i></div>
    <div class="wi-choices" hidden></div>
    <div class="wi-ends" aria-hidden="true"><span></span><span></span></div>
    <p class="wi-problem" role="alert" hidden></p>`;
  const find = (selector) => row.querySelector(selector);
  const parts = ["label", "[type=range]", ".wi-field", ".wi-back", ".wi-problem", "svg", ".wi-effect", "i"];
  const [label, range, field, back, problem, svg, effect, hollow] = parts.map(find);
  find("b").textContent = input.label;
  find("label span").textContent = input.unit;
  label.title = input.help;
  range.id = label.htmlFor = `wi-${input.name}`;
  field.setAttribute("aria-label", `${input.label}, exact value${input.unit && `, ${input.unit}`}`);
  place(range, { min: input.low, max: input.high, step: input.step });
  const [first, last] = row.querySelectorAll(".wi-ends span");
  [first.textContent, last.textContent] = [withUnit(input, input.low), withUnit(input, input.high)];
  const part = { row, range, field, back, problem, input, i, svg, effect, hollow };
  if (input.choices) attachChoices(view, part, find(".wi-choices"));
  attachSlider(view, part);
  attachField(view, part);
  back.onclick = () => view.move(i, view.start.values[i]);
  return part;
}

// In place of slider and field: a segment for each choice, right below its dot, or a list of many.
function attachChoices(view, part, box) {
  const { row, input, i } = part;
  row.querySelectorAll(".wi-track, .wi-ends, .wi-field").forEach((each) => (each.hidden = true));
  box.hidden = false;
  if (input.choices.length > MOST_SEGMENTS || input.choices.some((label) => label.length > MOST_LETTERS)) {
    box.className = "wi-list";
    const list = box.appendChild(document.createElement("select"));
    [list.id, part.range.id] = [part.range.id, ""];
    input.choices.forEach((label, code) => list.add(new Option(label, code)));
    list.onchange = () => view.move(i, list.selectedIndex);
    part.choose = (code) => (list.selectedIndex = code);
    return;
  }
  part.range.id = "";
  place(box, { role: "radiogroup", "aria-label": input.label });
  const buttons = input.choices.map((label, code) => {
    const segment = box.appendChild(document.createElement("label"));
    segment.innerHTML = `<input type="radio" name="wi-${input.name}"><span></span>`;
    segment.lastChild.textContent = segment.title = label;
    segment.firstChild.onchange = () => view.move(i, code);
    return segment.firstChild;
  });
  part.choose = (code) => (buttons[code].checked = true);
}

const sliderValue = ({ input, range }) => valueAt(input, stepOf(input, parseFloat(range.value)));

function attachSlider(view, part) {
  let came = null; // where a finger came down: a swipe up or down is no move
  part.range.onpointerdown = () => (came = { value: view.values[part.i], seq: view.seq });
  part.range.onpointercancel = () => {
    if (came?.seq === view.seq) view.hold(part.i, came.value);
    else if (came) view.move(part.i, came.value); // something else was sent meanwhile, with what was held
    came = null;
  };
  part.range.oninput = () => view.hold(part.i, sliderValue(part));
  part.range.onchange = () => view.move(part.i, sliderValue(part));
}

function attachField(view, part) {
  const { field, input, i } = part;
  const take = () => {
    if (!field.value.trim()) return writeRow(view, part, true);
    if (field.value === plainOf(input, view.values[i])) return tell(part, "");
    const { value, problem } = readNumber(field.value, input.template);
    const ends = `${textOf(input, input.low)} to ${textOf(input, input.high)}`;
    const asked = `Type a number from ${ends}${input.unit && ` (${input.unit})`}.`;
    if (problem) return tell(part, `${input.label}: ${problem}. ${asked}`);
    const stored = storedOf(input, value);
    if (stored < input.low || stored > input.high) {
      return tell(part, `${input.label}: ${inFull(value)} is outside the slider. ${asked}`);
    }
    tell(part, "");
    view.move(i, stored);
    writeRow(view, part, true);
  };
  field.onchange = take;
  field.onkeydown = (event) => {
    if (event.key === "Enter") take();
    if (event.key === "Escape") writeRow(view, part, true);
  };
  field.onfocus = () => {
    if (field.value === textOf(input, view.values[i])) field.value = plainOf(input, view.values[i]);
    field.select();
  };
  field.onblur = () => {
    if (field.value === plainOf(input, view.values[i])) field.value = textOf(input, view.values[i]);
  };
}

function tell(part, text) {
  part.problem.hidden = !text;
  part.problem.textContent = text;
  part.field.setAttribute("aria-invalid", Boolean(text));
}

// What a row says of its own input; what is being typed stays, and so does a problem with it.
export function writeRow(view, part, anyhow = false) {
  const { input, i, range, field, back, hollow } = part;
  const [value, start] = [view.values[i], view.start.values[i]];
  if (anyhow || field.dataset.of !== String(value)) {
    field.value = (document.activeElement === field ? plainOf : textOf)(input, value);
    field.dataset.of = value;
    tell(part, "");
  }
  part.choose?.(value);
  range.value = value;
  range.setAttribute("aria-valuetext", withUnit(input, value));
  const share = (each) => ((each - input.low) / (input.high - input.low)) * 100;
  const hasMoved = value !== start;
  back.hidden = !hasMoved;
  back.textContent = `${textOf(input, start)} \u2192 ${textOf(input, value)} \u21ba`;
  back.setAttribute("aria-label", `${input.label} back to ${withUnit(input, start)}`);
  hollow.hidden = !hasMoved;
  part.row.style.setProperty("--start", share(start));
  part.row.style.setProperty("--from", Math.min(share(start), share(value)));
  part.row.style.setProperty("--to", Math.max(share(start), share(value)));
}

// The curve and everything on it that only an answer or another width changes.
export function drawCurve(view, part, width, domain) {
  const { svg, input, i } = part;
  const { answer, model } = view;
  const curve = answer.curves[i];
  if (!curve) return;
  const half = input.choices ? (width - GUTTER) / input.choices.length / 2 : THUMB; // of a segment, or of the thumb
  const x = scaleOf(0, curve.value.length - 1, GUTTER + half, width - half);
  const y = scaleOf(domain[0], domain[1], HEIGHT - 10, 4);
  const at = (value) => x((value - input.low) / input.step);
  svg.replaceChildren();
  svg.setAttribute("aria-label", described(view, input, curve));
  for (const tick of ticksOf(...domain, 4)) {
    add(svg, "line", { class: "wi-grid", x1: GUTTER, x2: width, y1: y(tick), y2: y(tick) });
    add(svg, "text", { x: GUTTER - 6, y: y(tick) + 4, "text-anchor": "end" }, inFull(tick));
  }
  if (curve.band) {
    const { steps, low, high } = curve.band;
    const edge = (ends) => steps.map((step, k) => [x(step), y(answer.before + ends[k])]);
    if (input.choices)
      edge(high).forEach(([cx, top], k) =>
        add(svg, "rect", { class: "wi-fill", x: cx - 5, width: 10, y: top, height: Math.max(1, edge(low)[k][1] - top) }),
      );
    else add(svg, "path", { class: "wi-fill", d: `${pathOf([...edge(high), ...edge(low).reverse()])}Z` });
  }
  const points = curve.value.map((value, step) => [x(step), y(value)]);
  if (input.choices)
    points.forEach(([cx, cy], k) => {
      const dot = add(svg, "circle", { class: "wi-model", cx, cy, r: 4 });
      dot.classList.toggle("wi-far", curve.support[k] !== "n");
      add(dot, "title", {}, `${input.choices[k]}: ${write(curve.value[k])} ${model.unit}`);
    });
  const other = answer.beside?.curves[i].map((value, step) => [x(step), y(value)]) ?? [];
  if (input.choices) other.forEach(([cx, cy]) => add(svg, "circle", { class: "wi-beside", cx, cy, r: 5.5 }));
  else if (other.length) add(svg, "path", { class: "wi-beside", d: pathOf(other) });
  for (const [from, to] of input.choices ? [] : runsOf(curve.support, "[fv]"))
    add(svg, "path", { class: "wi-model wi-far", d: pathOf(points.slice(from, to + 1)) });
  for (const [from, to] of input.choices ? [] : runsOf(curve.support, "n"))
    add(svg, "path", { class: "wi-model", d: pathOf(points.slice(Math.max(0, from), to + 1)) });
  const strip = (nth) => (input.choices ? (((nth * GOLDEN) % 1) - 0.5) * half : 0);
  const rug = model.X.map((row, nth) => `M${(at(row[i]) + strip(nth)).toFixed(1)},${HEIGHT - 6}v6`).join("");
  add(svg, "path", { class: "wi-rug", d: rug });
  const line = add(svg, "line", { class: "wi-here", y1: 2, y2: HEIGHT });
  const start = add(svg, "circle", { class: "wi-hollow-dot", r: 4.5 });
  const dot = add(svg, "circle", { class: "wi-dot", r: 5 });
  part.marks = { at, y, line, start, dot };
}

function described(view, input, curve) {
  const each = input.choices?.map((label, code) => `${label} ${write(curve.value[code])}`);
  if (each) return `${input.label}: ${each.join(", ")} ${view.model.unit}`;
  const ends = `${input.label} from ${withUnit(input, input.low)} to ${withUnit(input, input.high)}`;
  return `${ends}: from ${write(curve.value[0])} to ${write(curve.value.at(-1))} ${view.model.unit}`;
}

// Where the input stands on its curve, which is known while it is held.
export function markCurve(view, part, known, isStale) {
  if (!part.marks || !view.answer.curves[part.i]) return;
  const { at, y, line, start, dot } = part.marks;
  const { input, i } = part;
  const [here, there] = [view.values[i], view.start.values[i]];
  place(dot, { cx: at(here), cy: y(known.value) });
  place(line, { x1: at(here), x2: at(here) });
  place(start, { cx: at(there), cy: y(view.answer.curves[i].value[stepOf(input, there)] ?? known.value) });
  start.style.display = here === there ? "none" : "";
  part.svg.classList.toggle("wi-stale", isStale);
  const hasMoved = view.values.map((value, k) => value !== view.start.values[k]);
  const isAlone = hasMoved.every((moved, k) => !moved || k === i);
  const effect = isAlone ? known.change : view.answer.contributions[i];
  part.effect.textContent = hasMoved[i] && (isAlone || !view.isMoving) ? signed(effect) : "";
  part.effect.title = `What ${input.label.toLowerCase()} adds to the change`;
}
