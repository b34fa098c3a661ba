// What every page needs from the browser and Streamlit does not do: tables that scroll can have the
// keyboard's focus, and the menu closes on a phone.

const PHONE = "(max-width: 768px)"; // where the menu lies over the page
const WIDE = "[data-testid=stMarkdownContainer] > table";

export default function frame({ parentElement }) {
  if (window.petrolFrame) return; // it outlives the page that drew it
  window.petrolFrame = true;
  closeMenu(parentElement.closest("[data-testid=stSidebar]"));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  window.addEventListener("resize", look);
  look();
}

function look() {
  for (const table of document.querySelectorAll(WIDE)) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
}

function closeMenu(menu) {
  menu?.addEventListener("click", ({ target }) => {
    if (target.closest("a") && matchMedia(PHONE).matches)
      menu.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  });
}
