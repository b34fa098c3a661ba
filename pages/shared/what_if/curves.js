// What is known of a slider's way before it is touched: the answer at each of its steps, the other inputs held.

export const stepOf = (input, value) => Math.round((value - input.low) / input.step);
export const valueAt = (input, step) => Number((input.low + step * input.step).toFixed(9));
const SUPPORT = { n: "near", f: "far", v: "very far" };

// A curve travels as what each value adds to the one before, in units of its last digit; its support as runs.
export function unfold(answer, digits) {
  const sum = (steps) => {
    let total = 0;
    return steps.map((step) => (total += step) / 10 ** digits);
  };
  const unfolded = ({ value, band, support }) => ({
    support: support.map(([sign, n]) => sign.repeat(n)).join(""),
    value: sum(value),
    band: band && { ...band, low: sum(band.low), high: sum(band.high) },
  });
  answer.curves = answer.curves.map((curve) => curve && unfolded(curve));
  if (answer.beside) answer.beside.curves = answer.beside.curves.map((curve) => curve && sum(curve));
  return answer;
}

// Between the coarse steps of a band, a straight line.
function between(steps, values, step) {
  const right = Math.max(1, steps.findIndex((each) => each >= step));
  const [from, to] = [steps[right - 1], steps[right]];
  return values[right - 1] + ((values[right] - values[right - 1]) * (step - from)) / (to - from);
}

// The answer at a step of a slider that is held, as far as it is known without the server.
export function lookUp(answer, place, step) {
  if (!answer.curves[place]) return null; // it is folded
  const { value, band, support } = answer.curves[place];
  const change = value[step] - answer.before;
  const known = { value: value[step], change, support: SUPPORT[support[step]] };
  if (!band) return known;
  const away = band.steps.map((each) => Math.abs(each - step));
  const nearest = away.indexOf(Math.min(...away));
  return {
    ...known,
    low: Math.min(between(band.steps, band.low, step), change),
    high: Math.max(between(band.steps, band.high, step), change),
    counts: band.counts[nearest],
  };
}

const apart = (model, i, by) => (model.inputs[i].choices ? Number(by !== 0) : by / model.deviations[i]);

// Rows nearest to a scenario, the nearest first; distances in standard deviations of the inputs.
export function nearestRows(model, values, n = 3) {
  const rows = model.X.map((row, place) => ({
    place,
    name: model.names[place],
    used: model.used[place],
    distance: Math.hypot(...row.map((value, i) => apart(model, i, value - values[i]))),
  }));
  return rows.sort((a, b) => a.distance - b.distance).slice(0, n);
}

// Runs of equal signs in a text: [from, to] of those that are this sign, ends joined to their neighbours.
export function runsOf(text, sign) {
  const runs = [];
  for (const match of text.matchAll(new RegExp(`${sign}+`, "g")))
    runs.push([Math.max(0, match.index - 1), Math.min(text.length - 1, match.index + match[0].length)]);
  return runs;
}
