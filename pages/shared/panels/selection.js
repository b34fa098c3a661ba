// Filter, selection and view stand in the address, in the present entry of the browser's history: Back leads to the page
// before, and not through each choice.

export default function ({ data }) {
  if (!/\/explore\/?$/.test(location.pathname)) return; // left meanwhile
  const parameters = new URLSearchParams(location.search);
  for (const [name, values] of Object.entries(JSON.parse(data))) {
    parameters.delete(name);
    values.forEach((value) => parameters.append(name, value));
  }
  const address = `${location.pathname}${parameters.size ? `?${parameters}` : ""}${location.hash}`;
  if (`${parameters}` !== `${new URLSearchParams(location.search)}`) history.replaceState(history.state, "", address);
}
