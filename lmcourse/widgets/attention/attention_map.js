// Attention maps against the true alignment. data: sentences [{source, target, weights [head][target][source] in
// ten-thousandths, links [target][places in source]}], heads [name]; state: sentence, word (a row), head, truth.
const PER_ONE = 10000;
const SIGNS = { right: "✓", neighbour: "≈", elsewhere: "✗", none: "" };

// Where the largest weight of a row lies (the first of equals), and how that place stands to the linked ones.
function judge(row, linked) {
  const most = row.indexOf(Math.max(...row));
  const off = Math.min(...linked.map((i) => Math.abs(i - most)));
  const verdict = !linked.length ? "none" : off === 0 ? "right" : off === 1 ? "neighbour" : "elsewhere";
  return { most, verdict, beside: verdict === "neighbour" ? linked.find((i) => Math.abs(i - most) === 1) : null };
}

export default {
  render({ model, el }) {
    const [sentences, heads] = [model.get("sentences"), model.get("heads")];
    let hovered = -1, view = null;
    const change = (key, value) => { hovered = -1; model.set(key, value); model.save_changes(); };
    const open = (at) => { hovered = -1; model.set("word", 0); model.set("sentence", at); model.save_changes(); };
    const named = sentences.map(({ source }, i) => [i, source.join(" ")]);
    const picker = lm.select(named, model.get("sentence"), (value) => open(Number(value)));
    const head = lm.select(heads.map((name, i) => [i, name]), model.get("head"), (value) => change("head", Number(value)));
    const truth = lm.h("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true", onchange: () => change("truth", truth.checked) });
    const svg = lm.svg("svg", { class: "lm-amap-svg", role: "listbox", "data-lm-suppress-shortcuts": "true" });
    const host = lm.h("div", { class: "lm-amap-host" }, svg);
    const headline = lm.h("p", { class: "lm-amap-headline" });
    const stats = lm.stats([["right", "Right, whole sentence"], ["neighbour", "One place beside it"], ["elsewhere", "Elsewhere"], ["sofar", "Right up to this word"]]);
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Sentence", picker, true), heads.length > 1 ? lm.field("Head", head) : null,
        lm.h("label", { class: "lm-check" }, truth, "True alignment (outlined cells)")),
      headline, host, stats.node);

    const ruler = document.createElement("canvas").getContext("2d");
    const longest = (words) => {
      ruler.font = `400 13px ${getComputedStyle(el).fontFamily}`;
      return Math.max(...words.map((word) => ruler.measureText(word).width));
    };
    const current = () => {
      const { source, target, weights, links } = sentences[model.get("sentence")];
      const rows = weights[model.get("head")];
      return { source, target, rows, links, verdicts: rows.map((row, j) => judge(row, links[j])) };
    };
    const chosen = () => Math.min(model.get("word"), current().target.length - 1);
    const wide = () => Math.max(280, host.getBoundingClientRect().width); // so that a unit is a pixel

    // The whole drawing: bars, names of the source words below them, then a row of cells for each target word.
    const drawMap = () => {
      const { source, target, rows, links, verdicts } = current(), n = source.length;
      const width = wide(), left = Math.min(110, longest(target) + 12), right = 34;
      const cell = Math.min(54, (width - left - right) / n), high = Math.max(19, Math.min(26, cell));
      const steep = cell < 30, size = Math.max(9.5, Math.min(13, cell)), names = longest(source) * (steep ? 1 : 0.72) + (steep ? 16 : 24), bars = 74;
      const slim = cell < 20, inset = slim ? 0.5 : 2; // an outline in a slim cell must leave its colour in sight
      const top = 18 + bars + names, x = (i) => left + i * cell, y = (j) => top + j * high;
      view = { top, high, bars, cell, x };
      svg.setAttribute("viewBox", `0 0 ${width} ${y(target.length) + 4}`);
      svg.setAttribute("aria-label", `Attention map of “${source.join(" ")}”, a row for each target word; the arrow keys go up and down`);
      const label = (word, i) => {
        const [tx, ty] = [x(i) + cell / 2 + (steep ? size / 3 : 0), top - 7];
        return lm.svg("text", { class: "lm-amap-source", x: tx, y: ty, transform: `rotate(${steep ? -90 : -45} ${tx} ${ty})`, style: `font-size:${size}px` }, word);
      };
      const level = (weight) => 18 + bars * (1 - weight);
      const end = x(n);
      svg.replaceChildren(
        lm.svg("g", { "aria-hidden": "true" },
          ...[0, 0.5, 1].flatMap((weight) => [lm.svg("line", { class: "lm-rule", x1: left, x2: end, y1: level(weight), y2: level(weight) }),
            lm.svg("text", { x: left - 6, y: level(weight) + 4, "text-anchor": "end" }, lm.tick(weight))]),
          lm.svg("g", { class: "lm-amap-bars" }), ...source.map(label)),
        lm.svg("g", { role: "presentation" }, ...target.map((word, j) => lm.svg("g", { class: "lm-amap-row", role: "option", "data-index": j, "data-verdict": verdicts[j].verdict },
          lm.svg("rect", { class: "lm-amap-back", x: 0, y: y(j), width: end + right, height: high }),
          lm.svg("text", { class: "lm-amap-target", x: left - 7, y: y(j) + high / 2 + 4.5, "text-anchor": "end" }, word),
          ...rows[j].map((weight, i) => lm.svg("rect", { class: "lm-amap-cell", x: x(i), y: y(j), width: cell, height: high, "fill-opacity": weight / PER_ONE, "data-weight": weight / PER_ONE })),
          lm.svg("text", { class: "lm-amap-sign", x: end + 7, y: y(j) + high / 2 + 4.5 }, SIGNS[verdicts[j].verdict])))),
        lm.svg("g", { class: "lm-amap-links", "aria-hidden": "true" }, ...(model.get("truth") ? links.flatMap((linked, j) => linked.flatMap((i) => [...(slim ? [] : ["lm-amap-halo"]), "lm-amap-link"].map((name) =>
          lm.svg("rect", { class: name, x: x(i) + inset, y: y(j) + inset, width: cell - 2 * inset, height: high - 2 * inset, "data-link": `${i} ${j}` })))) : [])),
        lm.svg("rect", { class: "lm-amap-frame", x: left, width: n * cell, height: high, "aria-hidden": "true" }));
      mark();
    };

    const sentenceOf = (row, source) => row.map((weight, i) => [source[i], weight]).sort((a, b) => b[1] - a[1]).filter(([, weight]) => weight >= PER_ONE / 20).slice(0, 3)
      .map(([word, weight]) => `${word} ${lm.number(weight / PER_ONE, 2)}`).join(", ");
    const spoken = ({ most, verdict, beside }, linked, source) => ({
      right: "right", none: "this word has no true link",
      neighbour: `one place to the ${most < beside ? "left" : "right"} of “${source[beside]}”`,
      elsewhere: `elsewhere, the truth is ${linked.map((i) => `“${source[i]}”`).join(", ")}`,
    })[verdict];

    // What belongs to the row that is looked at: bars, frame, words, counts.
    const mark = () => {
      const { source, target, rows, links, verdicts } = current();
      const at = hovered >= 0 ? hovered : chosen(), { x, cell, bars, top, high } = view, { most } = verdicts[at];
      const outlined = model.get("truth") ? links[at] : [];
      svg.querySelector(".lm-amap-bars").replaceChildren(...rows[at].flatMap((weight, i) => {
        const tall = (bars * weight) / PER_ONE, wideness = Math.max(3, cell - 4);
        const bar = lm.svg("rect", { class: i === most ? "lm-amap-bar lm-amap-most" : "lm-amap-bar", x: x(i) + (cell - wideness) / 2, y: 18 + bars - tall, width: wideness, height: tall, "data-weight": weight / PER_ONE });
        const ring = outlined.includes(i) ? lm.svg("rect", { class: "lm-amap-link", x: x(i) + (cell - wideness) / 2 - 0.5, y: 18, width: wideness + 1, height: bars }) : null;
        return [ring, bar, i === most ? lm.svg("text", { class: "lm-strong lm-amap-value", x: x(i) + cell / 2, y: 13 + bars - tall, "text-anchor": "middle" }, lm.number(weight / PER_ONE, 2)) : null].filter(Boolean);
      }));
      svg.querySelectorAll(".lm-amap-source").forEach((node, i) => node.classList.toggle("lm-amap-seen", i === most));
      svg.querySelector(".lm-amap-frame").setAttribute("y", top + at * high);
      svg.querySelectorAll(".lm-amap-row").forEach((node, j) => {
        node.setAttribute("aria-selected", String(j === chosen()));
        node.setAttribute("tabindex", j === chosen() ? 0 : -1);
        node.setAttribute("aria-label", `${target[j]} looks at ${sentenceOf(rows[j], source)}: ${spoken(verdicts[j], links[j], source)}`);
        node.classList.toggle("lm-amap-now", j === at);
      });
      headline.replaceChildren(lm.h("b", {}, target[at]), " looks most at ", lm.h("b", {}, source[most]), `: ${spoken(verdicts[at], links[at], source)}. `,
        lm.h("span", { class: "lm-amap-rest" }, `Weights: ${sentenceOf(rows[at], source)}`));
      headline.dataset.verdict = verdicts[at].verdict;
      const count = (list, verdict) => list.filter((v) => v.verdict === verdict).length;
      const share = (key, some, verdict) => {
        const [part, whole] = [count(some, verdict), some.length - count(some, "none")];
        stats.set(key, whole ? `${part} of ${whole}, ${lm.number((100 * part) / whole)}\u00a0%` : "–", whole ? part / whole : NaN);
      };
      for (const verdict of ["right", "neighbour", "elsewhere"]) share(verdict, verdicts, verdict);
      share("sofar", verdicts.slice(0, at + 1), "right");
    };

    const draw = () => {
      picker.value = String(model.get("sentence"));
      head.value = String(model.get("head"));
      truth.checked = model.get("truth");
      const held = svg.contains(document.activeElement);
      drawMap();
      if (held) svg.querySelector("[tabindex='0']").focus({ preventScroll: true });
      else say(headline.textContent); // a row that has the focus is read out already
    };
    const hover = (j) => { if (j !== hovered) { hovered = j; mark(); } };
    const rowAt = (event) => Number(event.target.closest?.(".lm-amap-row")?.dataset.index ?? -1);
    svg.addEventListener("pointermove", (event) => event.pointerType === "mouse" && hover(rowAt(event)));
    svg.addEventListener("pointerleave", () => hover(-1));
    svg.addEventListener("click", (event) => { const j = rowAt(event); if (j >= 0) { change("word", j); svg.querySelector("[tabindex='0']").focus({ preventScroll: true }); } });
    svg.addEventListener("keydown", (event) => {
      const last = current().target.length - 1, at = chosen();
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      change("word", Math.max(0, Math.min(last, to)));
    });
    const names = "change:sentence change:word change:head change:truth";
    let width = 0;
    model.on(names, draw);
    draw();
    const watch = new ResizeObserver(() => { if (wide() !== width) { width = wide(); drawMap(); } });
    watch.observe(host);
    return () => { watch.disconnect(); model.off(names, draw); };
  },
};
