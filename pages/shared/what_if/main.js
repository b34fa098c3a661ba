// The browser owns the inputs. Each message to the server carries the whole scenario and a number that grows; an answer
// is used only if it is to the last message. The server writes inputs only by raising the epoch.

import { isWritten, parametersOf, readAddress, writeAddress } from "./address.js";
import { buildCard, drawScale, percent, startName, writeCard, writeRest } from "./card.js";
import { lookUp, stepOf, unfold, valueAt } from "./curves.js";
import { amount, atRest, rounded, write } from "./numbers.js";
import { buildRow, drawCurve, markCurve, writeRow } from "./rows.js";

const mounted = new WeakMap();
const models = new Map(); // what depends on the rows alone, by its id: it stays over visits to other pages
const NARROW = 100; // [px] below which no picture has room
const PAUSE = 700; // [ms] after which a screen reader is told

export default function whatIf({ data, parentElement, setStateValue }) {
  const told = JSON.parse(data);
  if (told.model) models.set(told.id, told.model);
  let view = mounted.get(parentElement);
  if (view && view.id !== told.id) close(view, parentElement);
  if (!mounted.has(parentElement)) mounted.set(parentElement, build(parentElement, told.id));
  view = mounted.get(parentElement);
  view.send = () => {
    const { epoch, seq, values, start, level, id, card, rest } = view;
    const why = card.querySelector(".wi-average").open;
    setStateValue("scenario", { epoch, seq, values, start: start.code, level, has: id, why, all: rest.open });
  };
  atRest.decimals = view.model.decimals;
  const isOther = (view.beside ?? told.beside) !== told.beside;
  view.beside = told.beside;
  unfold(told.answer, view.model.digits);
  receive(view, told);
  if (isOther) writeAddress(view, true);
  // Streamlit also calls this where the next answer came before this one was drawn: what is still in the page stays.
  return () => setTimeout(() => parentElement.isConnected || close(view, parentElement));
}

function close(view, parent) {
  view.resize.disconnect();
  window.removeEventListener("popstate", view.goBack);
  clearTimeout(view.timer);
  view.root.remove();
  mounted.delete(parent);
}

function build(parent, id) {
  const root = document.createElement("div");
  root.className = "wi";
  root.innerHTML = `<div class="wi-rows"><div class="wi-from">
    <label>Start from <select data-testid="start"></select></label>
    <button type="button" class="wi-reset" hidden></button></div>
    <details class="wi-rest" hidden><summary></summary></details></div>`;
  const card = buildCard(({ target }) => target.open && !view.answer.reasons && view.send());
  root.appendChild(card);
  parent.appendChild(root);
  const view = { root, card, id, model: models.get(id), epoch: -1, seq: -1, widths: null };
  const [select, reset, rest] = root.querySelectorAll(".wi-from select, .wi-reset, .wi-rest");
  view.model.starts.forEach(({ name, code }) => select.add(new Option(name, code)));
  select.onchange = () => begin(view, view.model.starts[select.selectedIndex]);
  reset.onclick = () => begin(view, view.start);
  view.levels = card.querySelector(".wi-level select");
  view.model.levels.forEach((level) => view.levels.add(new Option(`${percent(level)} interval`, level)));
  view.levels.onchange = () => {
    view.level = Number(view.levels.value);
    show(view);
    settle(view);
  };
  Object.assign(view, { select, reset, rest });
  view.hold = (i, value) => {
    view.values = view.values.with(i, value);
    show(view);
  };
  view.move = (i, value) => {
    if (value !== view.values[i]) view.hold(i, value); // a thumb that is released has drawn it
    settle(view);
  };
  view.rows = view.model.inputs.map((input, i) => buildRow(view, input, i));
  const { order, inSight } = view.model;
  order.forEach((i, nth) => (nth < inSight ? rest.before(view.rows[i].row) : rest.append(view.rows[i].row)));
  view.folded = order.slice(inSight);
  rest.hidden = !view.folded.length;
  rest.ontoggle = () => rest.open && !view.answer?.curves[view.folded[0]] && view.send();
  card.querySelector(".wi-share button").onclick = () => copyLink(view);
  const path = location.pathname;
  view.goBack = () => {
    if (location.pathname !== path) return; // another page
    Object.assign(view, readAddress(view.model, location.search, view.start));
    show(view);
    settle(view, false);
  };
  window.addEventListener("popstate", view.goBack);
  view.resize = new ResizeObserver(() => {
    const [curve, scale] = [view.rows[order[0]].svg, card.querySelector(".wi-scale")].map((svg) => svg.clientWidth);
    if (Math.min(curve, scale) < NARROW) return; // on its way in or out of the page
    view.widths = { curve, card: scale };
    if (view.answer) draw(view);
  });
  view.resize.observe(view.rows[order[0]].svg);
  view.resize.observe(card.querySelector(".wi-scale"));
  return view;
}

function begin(view, start) {
  Object.assign(view, { start, values: [...start.values] });
  show(view);
  settle(view);
}

// The browser has gone back or forward to an entry of its history, from another page.
function returnTo(view) {
  const there = readAddress(view.model, location.search, view.start);
  const isHere = there.start.code === view.start.code && there.level === view.level;
  if (isHere && there.values.every((value, i) => value === view.values[i])) return;
  Object.assign(view, there);
  settle(view, false);
}

function settle(view, isNew = true) {
  view.seq += 1;
  if (isNew) writeAddress(view);
  view.send();
}

function receive(view, told) {
  if (told.epoch > view.epoch) {
    const { epoch, seq, values, start, level } = told;
    const isFirst = view.answer === undefined;
    Object.assign(view, { epoch, seq, values, start, level });
    if (isFirst && isWritten()) returnTo(view);
    writeAddress(view, isFirst);
  }
  // An answer to what is no longer shown; the first one is shown all the same, until the next is there.
  if (view.answer && (told.epoch < view.epoch || told.seq !== view.seq)) return;
  view.answer = told.answer;
  view.level = told.level;
  view.answered = { values: told.values, start: told.start, level: told.level };
  view.card.querySelector(".wi-share input").hidden = true; // it was of another scenario
  draw(view);
  announce(view);
}

// What the page says at this moment: the server's answer, or what that says at a step of the one slider that has moved.
function knownNow(view) {
  const { answer, answered, model } = view;
  const moved = view.values.flatMap((value, i) => (value === answered.values[i] ? [] : [i]));
  if (view.start.code !== answered.start.code || view.level !== answered.level || moved.length > 1) return null;
  if (!moved.length) return answer.now;
  const [i] = moved;
  const step = stepOf(model.inputs[i], view.values[i]);
  return valueAt(model.inputs[i], step) === view.values[i] ? lookUp(answer, i, step) : null;
}

function show(view) {
  const { root, select, reset, start } = view;
  let index = view.model.starts.findIndex(({ code }) => code === start.code);
  if (index < 0) {
    index = view.model.starts.push(start) - 1; // one of many rows, of which a part is listed
    select.add(new Option(start.name, start.code));
  }
  select.selectedIndex = index;
  reset.hidden = view.values.every((value, i) => value === start.values[i]);
  reset.textContent = `Back to ${startName(start)}`;
  view.rows.forEach((part) => writeRow(view, part));
  const [n, nMoved] = [view.folded, view.folded.filter((i) => view.values[i] !== start.values[i])].map((of) => of.length);
  view.rest.firstChild.textContent = `${n} more input${n === 1 ? "" : "s"}${nMoved ? `, ${nMoved} moved` : ""}`;
  if (!view.answer) return;
  const known = knownNow(view);
  view.isMoving = known !== view.answer.now;
  root.classList.toggle("wi-waiting", known === null);
  root.classList.toggle("wi-moving", view.isMoving);
  if (!known) return;
  writeCard(view, known);
  const held = view.values.findIndex((value, i) => value !== view.answered.values[i]);
  view.rows.forEach((part, i) => {
    const isStale = held >= 0 && held !== i;
    markCurve(view, part, isStale ? view.answer.now : known, isStale);
  });
}

function draw(view) {
  if (view.widths) {
    view.rows.forEach((part) => drawCurve(view, part, view.widths.curve, view.answer.domain));
    drawScale(view, view.widths.card);
    writeRest(view);
  }
  show(view);
}

// Where the connection is not secure no script may write to the clipboard: then the link is shown, selected.
async function copyLink(view) {
  const [status, field] = view.card.querySelectorAll(".wi-share span, .wi-share input");
  const link = new URL(location.href);
  link.search = parametersOf(view, view.answer.link, true);
  field.value = link.href;
  field.hidden = (await navigator.clipboard?.writeText(link.href).then(() => true, () => false)) ?? false;
  status.textContent = field.hidden ? "Link copied" : "";
  if (!field.hidden) field.select();
  setTimeout(() => (status.textContent = ""), 4000);
}

// Spoken only when the visitor pauses, and only the server's answer.
function announce(view) {
  clearTimeout(view.timer);
  view.timer = setTimeout(() => {
    if (view.isMoving) return;
    const { answer, model, start, level } = view;
    const { value, change, low, high } = answer.now;
    const interval = `${percent(level)} interval ${write(value - answer.width)} to ${write(value + answer.width)}`;
    const isStart = view.values.every((each, i) => each === start.values[i]);
    const sure = low === undefined ? "" : `, ${percent(level)} interval ${amount(low)} to ${amount(high)}`;
    const than = `${amount(change)} ${rounded(change) ? "than" : "from"} ${startName(start)}`;
    const changed = isStart ? "" : ` ${than}${sure}.`;
    view.card.querySelector(".wi-spoken").textContent = `${write(value)} ${model.unit}, ${interval}.${changed}`;
  }, PAUSE);
}
