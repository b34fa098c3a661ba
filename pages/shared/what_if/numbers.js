// Numbers as people type them, and as the app writes them.

// Reads what was typed into a field, in the unit that it shows: { value }, or { problem }.
export function readNumber(typed, template = "{}") {
  const unit = template.replace("{}", "").trim();
  const text = typed.replace(unit, "").trim().replace(/(?<=\d)[\s\u2009\u202f'\u2019](?=\d{3}(?!\d))/g, "").replace("\u2212", "-");
  if (/^[+-]?[1-9]\d{0,2},\d{3}$/.test(text)) {
    const readings = `${text.replace(",", ".")} or ${text.replace(",", "")}`;
    return { problem: `${text} can mean ${readings}. Type it without the comma` };
  }
  let plain = text.replace(",", ".");
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/.test(text)) plain = text.replaceAll(",", "");
  if (/^[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+$/.test(text)) plain = text.replaceAll(".", "").replace(",", ".");
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return { value: Number(plain) };
  return { problem: `\u201c${typed.trim().slice(0, 30)}\u201d is not a number` };
}

// As many decimals as show a number in full, six at most and never fewer than at rest.
function decimalsOf(shown, least) {
  let decimals = least;
  while (decimals < 6 && Math.abs(shown - Number(shown.toFixed(decimals))) > 1e-9) decimals += 1;
  return decimals;
}

export const atRest = { decimals: 0 }; // with which the target is shown
export const rounded = (amount) => Number(amount.toFixed(atRest.decimals));
export const inFull = (number) => write(number, Math.min(6, (String(number).split(".")[1] ?? "").length));

export function write(number, decimals = atRest.decimals) {
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return number.toLocaleString("en-US", options).replace("-", "\u2212").replace(/^\u2212(0(\.0*)?)$/, "$1");
}

// A stored value in its shown unit: without the unit, to type on, and with it.
const shownOf = (input, value) => Number((value * input.scale).toFixed(9));
export const storedOf = (input, shown) => Number((shown / input.scale).toFixed(12));
export const textOf = (input, value) => {
  if (input.choices) return input.choices[value];
  const shown = shownOf(input, value);
  return write(shown, decimalsOf(shown, input.decimals));
};
export const plainOf = (input, value) => textOf(input, value).replaceAll(",", "");
export const withUnit = (input, value) => input.template.replace("{}", textOf(input, value));

// "46 less", "2 more", "no change", and "−46", "+2", "0".
export const amount = (change) =>
  rounded(change) ? `${write(Math.abs(change))} ${change < 0 ? "less" : "more"}` : "no change";
export const signed = (change) => `${rounded(change) > 0 ? "+" : ""}${write(change)}`;
