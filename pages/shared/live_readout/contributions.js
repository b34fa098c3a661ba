// Signed bars from the average prediction to this one, on one scale that grows only when it must.

const mounted = new WeakMap();

export default function ({ data, parentElement }) {
  let root = mounted.get(parentElement);
  if (!root) {
    root = document.createElement("section");
    root.className = "reasons";
    root.innerHTML = "<h3></h3><ul></ul><p></p>";
    parentElement.appendChild(root);
    mounted.set(parentElement, root);
  }
  const [title, list, note] = root.children;
  title.textContent = data.title;
  note.textContent = data.note;
  while (list.children.length < data.bars.length) {
    const item = document.createElement("li");
    item.innerHTML = "<span></span><i aria-hidden='true'><i></i></i><b></b>";
    list.appendChild(item);
  }
  const span = Math.max(60, ...data.bars.map((bar) => Math.abs(bar.value)));
  data.bars.forEach((bar, i) => {
    const [label, track, figure] = list.children[i].children;
    label.textContent = bar.label;
    figure.textContent = `${bar.value < 0 ? "−" : "+"}${Math.abs(bar.value).toFixed(0)}`;
    const size = (Math.abs(bar.value) / span) * 50;
    track.firstChild.className = bar.value < 0 ? "reasons-lowers" : "reasons-raises";
    track.firstChild.style.width = `${size}%`;
    track.firstChild.style.left = `${bar.value < 0 ? 50 - size : 50}%`;
  });
  return () => {
    root.remove();
    mounted.delete(parentElement);
  };
}
