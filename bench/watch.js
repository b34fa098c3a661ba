// Put into each page before its own scripts: notes when the visitor did something, when the number was rewritten,
// and since when everything on the page says the same.

(() => {
  const watch = { shown: null, inputs: [], writes: [], agreedAt: null, agrees, reset };
  window.watch = watch;
  let number = null;
  let isArmed = false; // between a release or a key and its answer

  const text = (selector) => document.querySelector(selector)?.textContent ?? "";

  // No answer is awaited, number and title of the contributions carry one, and each exact field its slider's value.
  function agrees() {
    const title = /^Why (-?\d+) /.exec(text(".wi-average h2"));
    const now = text("[data-testid=live-prediction]");
    if (document.querySelector(".wi")?.className !== "wi" || !now || title?.[1] !== now) return false;
    return Object.entries(SCALES).every(([name, scale]) => {
      const slider = document.getElementById(`wi-${name}`);
      const exact = document.querySelector(`[data-testid=row-${name}] .wi-field`);
      return Math.abs(parseFloat(exact.value.replaceAll(",", "")) - slider.value * scale) < 1e-6;
    });
  }

  // The last moment at which disagreement ended: a part that changes its mind again moves it.
  function check() {
    if (!agrees()) watch.agreedAt = null;
    else watch.agreedAt ??= performance.now();
  }

  // A field's value can change without a mutation of the document, so each frame looks as well.
  function checkEachFrame() {
    if (!isArmed) return;
    check();
    requestAnimationFrame(checkEachFrame);
  }

  const everything = { childList: true, characterData: true, attributes: true, subtree: true };
  const changed = new MutationObserver(check);

  function arm() {
    isArmed = true;
    changed.observe(document, everything);
    requestAnimationFrame(checkEachFrame);
  }

  function reset() {
    if (!number?.isConnected) throw new Error("the number was replaced: nobody watches the new one");
    isArmed = false;
    changed.disconnect(); // it would slow down what is measured next
    Object.assign(watch, { inputs: [], writes: [], agreedAt: null });
  }

  for (const type of ["pointermove", "pointerup", "keydown"]) {
    const note = (event) => {
      watch.inputs.push({ type, at: event.timeStamp, delivered: performance.now() });
      if (type !== "pointermove" && !isArmed) arm();
    };
    addEventListener(type, note, { capture: true, passive: true });
  }

  const rewritten = new MutationObserver(() => {
    watch.writes.push(performance.now());
    noteShown();
  });

  function noteShown() {
    if (number.textContent) watch.shown ??= performance.timeOrigin + performance.now();
  }

  const appeared = new MutationObserver(() => {
    number = document.querySelector("[data-testid=live-prediction]");
    if (!number) return;
    appeared.disconnect();
    rewritten.observe(number, { childList: true, characterData: true, subtree: true });
    noteShown();
  });
  appeared.observe(document, { childList: true, subtree: true });
})();
