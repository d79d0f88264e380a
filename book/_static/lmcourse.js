// Three small manners of the book. The theme does the rest.

// 1. A page opened from disk may not read other pages, so the search there lists titles without excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// 2. Whatever scrolls sideways (wide formulas, tables, outputs) can be reached and scrolled by keyboard.
const SCROLLERS = ".cell_output .output, .book-scroll, mjx-container[display], div.highlight pre";
const markScrollers = () => {
  document.querySelectorAll(SCROLLERS).forEach((el) => {
    if (el.scrollWidth > el.clientWidth + 1) el.tabIndex = 0;
    else if (el.tabIndex === 0) el.removeAttribute("tabindex");
  });
};
// A table of the text gets a frame of its own to scroll in.
const frameTables = () => {
  document.querySelectorAll("article.bd-article table").forEach((table) => {
    if (table.closest(".cell_output, .book-scroll")) return;
    const frame = document.createElement("div");
    frame.className = "book-scroll";
    table.replaceWith(frame);
    frame.append(table);
  });
};
document.addEventListener("DOMContentLoaded", frameTables);
addEventListener("load", () => {
  markScrollers();
  addEventListener("resize", markScrollers);
  globalThis.MathJax?.startup?.promise?.then(markScrollers);
});

// 3. Folded answers are printed unfolded, and folded again afterwards.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("article.bd-article details:not([open])")];
  folded.forEach((el) => (el.open = true));
});
addEventListener("afterprint", () => folded.forEach((el) => (el.open = false)));
