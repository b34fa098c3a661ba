// What every page needs from the browser and Streamlit does not do: what scrolls has the keyboard's focus, the menu
// closes on a phone, and a translator's work does not keep old words on the screen.

const PHONE = "(max-width: 768px)"; // where the menu lies over the page
const TABLES = "[data-testid=stMarkdownContainer] > table, .wi-average > div, .closest > div";
const SCROLLERS = `${TABLES}, [data-testid=stCode] pre`;
let frameToCome = 0;

export default function frame() {
  if (window.petrolFrame) return; // it outlives the page that drew it
  window.petrolFrame = true;
  keepTranslated();
  document.addEventListener("click", closeMenu);
  new MutationObserver(lookSoon).observe(document.body, { childList: true, subtree: true });
  window.addEventListener("resize", lookSoon);
  look();
}

// Once a frame: looking asks for a layout, which is not to hold up what a slider changes.
function lookSoon() {
  frameToCome ||= requestAnimationFrame(look);
}

function look() {
  frameToCome = 0;
  for (const each of document.querySelectorAll(SCROLLERS)) {
    if (each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
}

function closeMenu({ target }) {
  const menu = target.closest("[data-testid=stSidebar]");
  if (menu && target.closest("a") && matchMedia(PHONE).matches)
    menu.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
}

// A translator puts an element in the place of each text. React goes on writing to the text, which nobody sees any
// more, and cannot take it away: so it comes back when it changes, and what else is meant for it goes to its stand-in.
function keepTranslated() {
  const standIns = new WeakMap(); // text -> element
  const observer = new MutationObserver((records) => {
    for (const { type, target, addedNodes, removedNodes, previousSibling, nextSibling } of records) {
      if (type === "characterData") bringBack(target);
      for (const text of removedNodes) {
        const near = [...addedNodes, previousSibling, nextSibling];
        const element = text.nodeType === Node.TEXT_NODE && near.find((each) => each?.nodeName === "FONT");
        if (!element || text.isConnected) continue;
        standIns.set(text, element);
        observer.observe(text, { characterData: true });
      }
    }
  });
  const bringBack = (text) => {
    if (!text.isConnected) standIns.get(text)?.replaceWith(text);
    standIns.delete(text);
  };
  observer.observe(document.body, { childList: true, subtree: true });
  const { removeChild, insertBefore } = Node.prototype;
  const shown = (parent, node) => (node && node.parentNode !== parent && standIns.get(node)) || node;
  Node.prototype.removeChild = function (node) {
    return removeChild.call(this, shown(this, node));
  };
  Node.prototype.insertBefore = function (node, before) {
    return insertBefore.call(this, node, shown(this, before));
  };
}
