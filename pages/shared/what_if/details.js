// Two scenarios: signed bars of why the prediction moves from one to the other, and both side by side as a table.

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  let root = mounted.get(parentElement);
  if (!root) {
    root = document.createElement("div");
    root.className = "details";
    root.innerHTML = `<section class="reasons card"><h3></h3><ul></ul><p></p></section>
      <section class="closest card"><h3></h3><div><table></table></div></section>`;
    parentElement.appendChild(root);
    mounted.set(parentElement, root);
  }
  const { why, closest } = JSON.parse(data);
  const [whyTitle, bars, note, closestTitle, table] = root.querySelectorAll("h3, ul, p, table");
  whyTitle.textContent = why.title;
  note.textContent = why.note;
  closestTitle.textContent = closest.title;
  drawBars(bars, why.bars, why.least);
  drawTable(table, closest.rows);
}

// One scale for all bars, which grows only when it must.
function drawBars(list, bars, least) {
  const span = Math.max(least, ...bars.map((bar) => Math.abs(bar.value)));
  list.style.setProperty("--figure", `${Math.max(0, ...bars.map((bar) => bar.text.length))}ch`);
  bars.forEach((bar, i) => {
    const item = list.children[i] ?? list.appendChild(document.createElement("li"));
    if (!item.firstChild) item.innerHTML = "<span></span><i aria-hidden='true'><i></i></i><b></b>";
    const [label, track, figure] = item.children;
    label.textContent = bar.label;
    figure.textContent = bar.text;
    const size = (Math.abs(bar.value) / span) * 50;
    track.firstChild.className = bar.value < 0 ? "wi-lowers" : "wi-raises";
    track.firstChild.style.width = `${size}%`;
    track.firstChild.style.left = `${bar.value < 0 ? 50 - size : 50}%`;
  });
}

function drawTable(table, rows) {
  rows.forEach((cells, i) => {
    const row = table.rows[i] ?? table.insertRow();
    cells.forEach((text, j) => {
      const cell = row.cells[j] ?? row.appendChild(document.createElement(i ? "td" : "th"));
      cell.textContent = text;
    });
  });
}
