// Three small manners of the book. The theme does the rest.

// 1. A page opened from disk may not read other pages, so the search there lists titles without excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// 2. Wide formulas can be scrolled by keyboard. (The theme sees to code, outputs and tables.)
const markFormulas = () => {
  document.querySelectorAll("mjx-container[display]").forEach((formula) => {
    if (formula.scrollWidth > formula.clientWidth + 1) formula.tabIndex = 0;
    else formula.removeAttribute("tabindex");
  });
};
addEventListener("load", () => globalThis.MathJax?.startup?.promise?.then(markFormulas));
addEventListener("resize", markFormulas);

// 3. A page is printed light and with its folded answers unfolded, and is afterwards as it was.
let folded = [];
let theme;
addEventListener("beforeprint", () => {
  theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  folded = [...document.querySelectorAll("article.bd-article details:not([open])")];
  folded.forEach((el) => (el.open = true));
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = theme;
  folded.forEach((el) => (el.open = false));
});
