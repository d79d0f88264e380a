// A mask to paint. data: words, padding [bool], presets {name: mask}; a mask is [[0 or 1]], row = who looks, column = at whom;
// state: mask, word (a row).
const LAYERS = 3;

// The boolean product: i reaches j if some k that i sees reaches j.
const product = (a, b) => a.map((row) => b[0].map((_, j) => (row.some((sees, k) => sees && b[k][j]) ? 1 : 0)));
const powers = (mask) => Array.from({ length: LAYERS - 1 }).reduce((list) => [...list, product(mask, list.at(-1))], [mask]);
const total = (mask) => mask.flat().reduce((sum, cell) => sum + cell, 0);
const ahead = (mask) => mask.flatMap((row, i) => row.flatMap((sees, j) => (sees && j > i ? [[i, j]] : [])));

export default {
  render({ model, el }) {
    const [words, padding, presets] = [model.get("words"), model.get("padding"), model.get("presets")];
    const n = words.length, places = words.map((_, i) => i);
    // Words that stand twice get the number of their place, where they are spoken of.
    const named = (i) => (words.indexOf(words[i]) === words.lastIndexOf(words[i]) ? `“${words[i]}”` : `“${words[i]}” (${i + 1})`);
    const change = (values) => { for (const [key, value] of Object.entries(values)) model.set(key, value); model.save_changes(); };
    const put = (i, j, sees) => change({ word: i, mask: model.get("mask").map((row, r) => (r === i ? row.map((old, c) => (c === j ? sees : old)) : row)) });
    const same = (a, b) => a.every((row, i) => row.every((cell, j) => cell === b[i][j]));

    const buttons = Object.entries(presets).map(([name, mask]) => [lm.button(name, () => change({ mask })), mask]);
    const who = lm.select(places.map((i) => [i, named(i)]), model.get("word"), (value) => change({ word: Number(value) }));
    const cells = places.map((i) => places.map((j) => lm.h("td", { role: "gridcell", class: "lm-mask-cell", tabindex: "-1", "data-i": i, "data-j": j })));
    const rows = places.map((i) => lm.h("th", { scope: "row", class: padding[i] ? "lm-mask-pad" : null, onclick: () => change({ word: i }) }, words[i]));
    const grid = lm.h("table", { role: "grid", class: "lm-mask-grid", "aria-label": "The mask: rows look at columns; arrow keys move, space paints", "aria-multiselectable": "true", "data-lm-suppress-shortcuts": "true" },
      lm.h("thead", { role: "rowgroup" }, lm.h("tr", { role: "row" }, lm.h("td", { role: "gridcell", class: "lm-mask-corner" }, "looks ↓ at →"),
        ...places.map((j) => lm.h("th", { scope: "col", class: padding[j] ? "lm-mask-pad" : null }, lm.h("span", {}, words[j]))))),
      lm.h("tbody", { role: "rowgroup" }, ...places.map((i) => lm.h("tr", { role: "row" }, rows[i], ...cells[i]))));
    const flag = lm.h("p", { class: "lm-mask-flag" }), leak = lm.h("p", { class: "lm-mask-leak" });
    const reach = lm.h("ol", { class: "lm-mask-reach" });
    const stats = lm.stats([["cells", "Cells filled"], ["future", "Looks at the future"], ["blind", "Words that see nobody"]]);
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.h("div", { class: "lm-buttons lm-mask-presets", role: "group", "aria-label": "Masks to begin with" }, ...buttons.map(([button]) => button)), lm.field("Word", who)),
      lm.h("div", { class: "lm-mask-columns" }, lm.h("div", {}, grid, flag, leak), reach), stats.node);

    // Painting: what the first cell becomes, all others under the pointer become.
    let paint = null;
    const under = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest(".lm-mask-cell");
    const dab = (cell) => {
      const [i, j] = [Number(cell.dataset.i), Number(cell.dataset.j)];
      if (model.get("mask")[i][j] !== paint) put(i, j, paint);
      else change({ word: i });
      return [i, j];
    };
    const focus = (i, j) => {
      for (const cell of cells.flat()) cell.setAttribute("tabindex", "-1");
      cells[i][j].setAttribute("tabindex", "0");
      cells[i][j].focus({ preventScroll: true });
    };
    grid.addEventListener("pointerdown", (event) => {
      const cell = event.target.closest(".lm-mask-cell");
      if (!cell || event.button) return;
      event.preventDefault();
      paint = 1 - model.get("mask")[cell.dataset.i][cell.dataset.j];
      focus(...dab(cell));
    });
    grid.addEventListener("pointermove", (event) => {
      const cell = paint === null ? null : under(event);
      if (cell && grid.contains(cell)) dab(cell);
    });
    const lift = () => { paint = null; };
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, lift);
    grid.addEventListener("keydown", (event) => {
      const cell = event.target.closest(".lm-mask-cell");
      if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
      const [i, j] = [Number(cell.dataset.i), Number(cell.dataset.j)], clip = (v) => Math.max(0, Math.min(n - 1, v));
      const to = { ArrowRight: [i, j + 1], ArrowLeft: [i, j - 1], ArrowDown: [i + 1, j], ArrowUp: [i - 1, j], Home: [i, 0], End: [i, n - 1] }[event.key];
      if (!to && ![" ", "Enter"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      if (!to) return put(i, j, 1 - model.get("mask")[i][j]);
      change({ word: clip(to[0]) });
      focus(...to.map(clip));
    });

    const small = (mask, word) => lm.svg("svg", { class: "lm-mask-small", viewBox: `-0.5 -0.5 ${10 * n + 1} ${10 * n + 1}`, "aria-hidden": "true" },
      ...mask.flatMap((row, i) => row.map((sees, j) => lm.svg("rect", { class: sees ? "lm-mask-on" : "lm-mask-off", x: 10 * j, y: 10 * i, width: 10, height: 10 }))),
      lm.svg("rect", { class: "lm-mask-frame", x: 0, y: 10 * word, width: 10 * n, height: 10 }));
    const list = (some) => some.map(named).join(", ");

    const draw = () => {
      const [mask, word] = [model.get("mask"), model.get("word")];
      const reached = powers(mask), future = ahead(mask), blind = places.filter((i) => !mask[i].includes(1));
      who.value = String(word);
      buttons.forEach(([button, preset]) => button.setAttribute("aria-pressed", String(same(mask, preset))));
      places.forEach((i) => {
        rows[i].classList.toggle("lm-mask-blind", blind.includes(i));
        rows[i].parentNode.classList.toggle("lm-mask-now", i === word);
        places.forEach((j) => {
          const sees = Boolean(mask[i][j]), leaks = sees && j > i;
          cells[i][j].classList.toggle("lm-mask-sees", sees);
          cells[i][j].classList.toggle("lm-mask-leaks", leaks);
          cells[i][j].setAttribute("aria-selected", String(sees));
          cells[i][j].setAttribute("aria-label", `${named(i)} ${sees ? "sees" : "does not see"} ${named(j)}${leaks ? ", in its future" : ""}`);
          cells[i][j].textContent = leaks ? "→" : "";
        });
      });
      if (!cells.flat().some((cell) => cell.getAttribute("tabindex") === "0")) cells[0][0].setAttribute("tabindex", "0");
      flag.textContent = blind.length ? `${list(blind)} ${blind.length > 1 ? "see" : "sees"} nobody: the weights would be 0 / 0. This course gives zeros there; other code gives NaN, which then spreads.` : "";
      leak.textContent = future.length
        ? `${future.length} ${future.length > 1 ? "cells look" : "cell looks"} at the future (→): right for an encoder, a leak for a model that predicts the next word.`
        : "Nothing comes from the future, in any number of layers: no filled cell lies above the diagonal.";
      reach.replaceChildren(...reached.map((power, l) => {
        const seen = places.filter((j) => power[word][j]);
        return lm.h("li", { "data-layers": l + 1 }, small(power, word), lm.h("div", {},
          lm.h("p", { class: "lm-heading" }, `After ${l + 1} ${l ? "layers" : "layer"} ${named(word)} knows of ${seen.length} of ${n}`),
          lm.h("ul", { class: "lm-tokens" }, ...places.map((j) => lm.h("li", { class: `lm-token ${power[word][j] ? (j > word ? "lm-mask-token-ahead" : "lm-mask-token-seen") : "lm-mask-token-not"}`, "data-seen": power[word][j] },
            words[j], power[word][j] && j > word ? " →" : "", lm.h("span", { class: "lm-sr" }, power[word][j] ? ": known" : ": not known"))))));
      }));
      stats.set("cells", `${total(mask)} of ${n * n}`, total(mask));
      stats.set("future", future.length ? `yes, ${future.length}` : "no", future.length);
      stats.set("blind", lm.number(blind.length), blind.length);
      say(`${named(word)} sees ${list(places.filter((j) => mask[word][j])) || "nobody"}; after ${LAYERS} layers ${list(places.filter((j) => reached.at(-1)[word][j])) || "nobody"}. ${flag.textContent} ${leak.textContent}`);
    };
    const names = "change:mask change:word";
    model.on(names, draw);
    draw();
    return () => { for (const end of ["pointerup", "pointercancel"]) window.removeEventListener(end, lift); model.off(names, draw); };
  },
};
