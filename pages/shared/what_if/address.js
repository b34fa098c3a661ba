// The scenario in the page's address: where it starts, and the inputs that differ from there.

import { readNumber, storedOf } from "./numbers.js";

const CALM = 1000; // [ms] within which moves are one entry of the browser's history
const OURS = "whatIf";
const PACE = 125; // [ms] between two writes, and a held key waits: WebKit refuses the 101st in 10 s, Firefox the 201st
const USUAL = 0.9; // level that an address leaves out
let [nextWrite, lateWrite] = [0, 0];

// A link that is to keep its meaning is whole: defaults, and what a row had, may be others one day.
export function parametersOf({ model, start, values, level, beside }, address = "", isWhole = false) {
  const parameters = new URLSearchParams(address);
  ["from", "coverage", "beside"].forEach((name) => parameters.delete(name));
  model.inputs.forEach(({ key }) => parameters.delete(key));
  if (start.code) parameters.set("from", start.code);
  if (isWhole || level !== USUAL) parameters.set("coverage", `${Number((level * 100).toPrecision(6))} %`);
  if (beside) parameters.set("beside", beside);
  model.inputs.forEach(({ key, choices }, i) => {
    if (isWhole || values[i] !== start.values[i]) parameters.set(key, choices?.[values[i]] ?? String(values[i]));
  });
  return parameters;
}

// What an address asks for; what cannot be shown stays as the start has it.
export function readAddress(model, address, here = model.starts[0]) {
  const parameters = new URLSearchParams(address);
  const from = parameters.get("from") ?? "";
  // Of many rows a part is listed.
  const start = [...model.starts, here].find(({ code }) => code === from) ?? model.starts[0];
  const values = model.inputs.map((input, i) => {
    const text = parameters.get(input.key) ?? "";
    const code = input.choices?.findIndex((label) => label.toLowerCase() === text.trim().toLowerCase());
    if (input.choices) return code < 0 ? start.values[i] : code;
    const { value = NaN } = readNumber(text);
    const readings = [value, storedOf(input, value)]; // in the stored unit or the shown one
    return readings.find((each) => each >= input.low && each <= input.high) ?? start.values[i];
  });
  const asked = parseFloat(parameters.get("coverage"));
  const level = model.levels.find((each) => Number((each * 100).toPrecision(6)) === asked);
  return { start, values, level: level ?? USUAL };
}

// Moves that follow each other at once are one entry: Back leads to what was there before them.
export function writeAddress(view, replacing = false) {
  const [path, wait] = [location.pathname, nextWrite - Date.now()];
  clearTimeout(lateWrite);
  if (wait > 0) return (lateWrite = setTimeout(() => location.pathname === path && writeAddress(view, replacing), wait));
  nextWrite = Date.now() + PACE;
  const parameters = parametersOf(view, location.search);
  if (!replacing) parameters.delete("version"); // a link's number was another one
  const address = `${location.pathname}${parameters.size ? `?${parameters}` : ""}${location.hash}`;
  const isNew = address !== `${location.pathname}${location.search}${location.hash}`;
  const written = history.state?.[OURS] ?? 0; // when this entry was, by a move
  const way = !isNew || replacing || Date.now() - written < CALM ? "replaceState" : "pushState";
  history[way]({ ...history.state, [OURS]: replacing ? written || 1 : Date.now() }, "", address);
}

// Whether the page has written this entry of the history: then it says what was there, also where it says nothing.
export const isWritten = () => Boolean(history.state?.[OURS]);
