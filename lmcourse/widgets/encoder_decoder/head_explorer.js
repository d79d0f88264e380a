// Attention of every head of every layer. data: texts [{queries, keys [word], links [query][places in keys], kind, causal,
// layers, heads, maps}]: a map after the other, row after row, each weight two hexadecimal digits, 255 for 1; state: text, layer,
// head, word (a row), truth.
const LEVELS = 8; // shades of the small maps

// The weights as they travel: [layer][head][query][key] from 0 to 1.
function unpackMaps({ queries, keys, layers, heads, maps }) {
  let at = 0;
  const fill = (n, make) => Array.from({ length: n }, make);
  const next = () => parseInt(maps.slice(at, (at += 2)), 16) / 255;
  return fill(layers, () => fill(heads, () => fill(queries.length, () => fill(keys.length, next))));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length; // of nothing: NaN

// As if a row looked at so many words evenly: e to the mean entropy.
const spreadOf = (rows) => Math.exp(mean(rows.map((row) => entropy(row.map((w) => w / row.reduce((a, b) => a + b))))));

// What a head of self-attention likes, on average over the words that have one before them.
function habitsOf(rows) {
  const later = rows.slice(1);
  return { itself: mean(later.map((row, j) => row[j + 1])), before: mean(later.map((row, j) => row[j])), first: mean(later.map((row) => row[0])), spread: spreadOf(later) };
}

// A map at a glance: the cells of one shade are one path.
function smallMap(rows, links, causal) {
  const shades = new Map();
  rows.forEach((row, j) => row.forEach((weight, i) => {
    const shade = Math.round(weight * LEVELS);
    if (shade) shades.set(shade, `${shades.get(shade) ?? ""}M${i},${j}h1v1h-1z`);
  }));
  const [m, n] = [rows.length, rows[0].length];
  return lm.svg("svg", { class: "lm-heads-map", viewBox: `0 0 ${n} ${m}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...[...shades].map(([shade, d]) => lm.svg("path", { class: "lm-heads-shade", "fill-opacity": shade / LEVELS, d })),
    causal ? lm.svg("path", { class: "lm-heads-edge", d: rows.map((_, j) => `${j ? "" : "M1,0"}V${j + 1}H${Math.min(n, j + 2)}`).join("") }) : null,
    links ? lm.svg("path", { class: "lm-heads-link", d: links.flatMap((places, j) => places.map((i) => `M${i},${j}h1v1h-1z`)).join("") }) : null);
}

export default {
  render({ model, el }) {
    const texts = model.get("texts");
    const unpacked = new Map();
    const mapsOf = (at) => { if (!unpacked.has(at)) unpacked.set(at, unpackMaps(texts[at])); return unpacked.get(at); };
    const change = (values) => { for (const [key, value] of Object.entries(values)) model.set(key, value); model.save_changes(); };
    const now = () => {
      const text = texts[model.get("text")];
      const self = text.queries.join(" ") === text.keys.join(" ");
      const at = Math.min(model.get("word"), text.queries.length - 1);
      const [layer, head] = [Math.min(model.get("layer"), text.layers - 1), Math.min(model.get("head"), text.heads - 1)];
      return { ...text, maps: mapsOf(model.get("text")), layer, head, at, judged: text.links.some((places) => places.length), self };
    };

    const named = texts.map(({ queries, keys, links }, i) => [i, (links.some((places) => places.length) ? keys : queries).join(" ")]);
    const picker = lm.select([], "", (value) => change({ text: Number(value), word: 0 }));
    const kinds = [...new Set(texts.map(({ kind }) => kind))];
    const kind = lm.select(kinds.map((name) => [name, name]), "", (value) => {
      const same = texts.findIndex((text, i) => text.kind === value && named[i][1] === named[model.get("text")][1]);
      change({ text: same < 0 ? texts.findIndex((text) => text.kind === value) : same, word: 0 });
    });
    const truth = lm.h("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true", onchange: () => change({ truth: truth.checked }) });
    const truthField = lm.h("label", { class: "lm-check" }, truth, "True alignment (outlined cells)");
    const grid = lm.h("div", { class: "lm-heads-grid", role: "radiogroup", "aria-label": "Layer and head; the arrow keys go from map to map", "data-lm-suppress-shortcuts": "true" });
    const heading = lm.h("p", { class: "lm-heading lm-heads-name" });
    const judged = lm.stats([["right", "Right, whole sentence"], ["neighbour", "One place beside it"], ["elsewhere", "Elsewhere"], ["spread", "Spread over so many words"]]);
    const own = lm.stats([["itself", "Weight on the word itself"], ["before", "On the word before"], ["first", "On the first word"], ["spread", "Spread over so many words"]]);
    const statsHost = lm.h("div");
    const map = weightMap(el, {
      current: () => {
        const { queries, keys, links, maps, layer, head, at, judged, causal } = now();
        return { source: keys, target: queries, rows: maps[layer][head], links, at, truth: judged && model.get("truth"), judged, causal, name: heading.textContent };
      },
      choose: (j) => change({ word: j }),
      marked: () => {},
    });
    el.append(lm.h("div", { class: "lm-controls" }, kinds.length > 1 ? lm.field("Attention", kind) : null, lm.field("Text", picker, true), truthField),
      grid, heading, map.headline, map.host, statsHost);

    // One short line for a small map: how often it is right, or what it likes most if that takes half of the weight.
    const brief = (rows, { judged: some, self, links }) => {
      if (some) {
        const verdicts = rows.map((row, j) => judge(row, links[j]).verdict).filter((verdict) => verdict !== "none");
        return ["✓", `${lm.number((100 * verdicts.filter((verdict) => verdict === "right").length) / verdicts.length)}\u00a0%`];
      }
      const habits = habitsOf(rows), names = self && rows.length > 1 ? ["before", "itself", "first"] : [];
      const most = names.reduce((best, key) => (habits[key] > (habits[best] ?? 0) ? key : best), "");
      return most && habits[most] >= 0.5 ? [most, lm.number(habits[most], 2)] : ["over", lm.number(spreadOf(self && rows.length > 1 ? rows.slice(1) : rows), 1)];
    };
    const drawGrid = () => {
      const text = now(), { layers, heads, maps, links, causal } = text, held = grid.contains(document.activeElement);
      const outlined = text.judged && model.get("truth") ? links : null;
      grid.replaceChildren(...maps.map((row, l) => lm.h("div", { class: "lm-heads-layer" }, layers > 1 ? lm.h("span", { class: "lm-heads-label", "aria-hidden": "true" }, `Layer ${l + 1}`) : null,
        lm.h("div", { class: heads > 4 ? "lm-heads-row lm-heads-many" : "lm-heads-row", style: `--lm-heads: ${heads}` }, ...row.map((rows, h) => {
          const chosen = l === text.layer && h === text.head, words = brief(rows, text);
          return lm.button("", () => change({ layer: l, head: h }), { class: "lm-heads-cell", role: "radio", "aria-checked": String(chosen), tabindex: chosen ? 0 : -1, "data-layer": l, "data-head": h,
            "aria-label": `Layer ${l + 1}, head ${h + 1}: ${words.join(" ").replace("✓", "right")}` });
        })))));
      grid.querySelectorAll(".lm-heads-cell").forEach((node) => {
        const rows = maps[node.dataset.layer][node.dataset.head], [habit, value] = brief(rows, text);
        node.append(smallMap(rows, outlined, causal), lm.h("span", { class: "lm-heads-brief", "data-habit": habit }, `${habit} ${value}`));
      });
      if (held) grid.querySelector("[tabindex='0']").focus({ preventScroll: true });
    };
    grid.addEventListener("keydown", (event) => {
      const { layers, heads, layer, head } = now(), last = layers * heads - 1, at = layer * heads + head;
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + heads, ArrowUp: at - heads, Home: 0, End: last }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      if (to >= 0 && to <= last) change({ layer: Math.floor(to / heads), head: to % heads });
    });

    const draw = () => {
      const { maps, layer, head, judged: some, self, links, kind: name } = now(), rows = maps[layer][head];
      kind.value = name;
      picker.replaceChildren(...named.filter(([i]) => texts[i].kind === name).map(([i, words]) => lm.h("option", { value: i }, words)));
      picker.value = String(model.get("text"));
      truth.checked = model.get("truth");
      truthField.classList.toggle("lm-heads-off", !some);
      heading.textContent = `${name ? `${name}, layer` : "Layer"} ${layer + 1}, head ${head + 1}`;
      drawGrid();
      map.draw();
      const stats = some ? judged : own;
      if (some) {
        const verdicts = rows.map((row, j) => judge(row, links[j]));
        for (const verdict of ["right", "neighbour", "elsewhere"]) showShare(judged, verdict, verdicts, verdict);
        judged.set("spread", lm.number(spreadOf(rows), 1), spreadOf(rows));
      } else {
        const habits = self ? habitsOf(rows) : { spread: spreadOf(rows) };
        for (const key of ["itself", "before", "first", "spread"]) own.set(key, Number.isFinite(habits[key]) ? lm.number(habits[key], key === "spread" ? 1 : 2) : "–", habits[key] ?? NaN);
      }
      if (statsHost.firstChild !== stats.node) statsHost.replaceChildren(stats.node);
    };
    const names = "change:text change:layer change:head change:word change:truth";
    model.on(names, draw);
    draw();
    return () => { map.stop(); model.off(names, draw); };
  },
};
