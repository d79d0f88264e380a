// What the figures that show attention weights share: a map with a row for each word that looks and a column for each word that is
// looked at, bars above it for the row that is pointed at or chosen, and how each row stands to the true links.
const SIGNS = { right: "✓", neighbour: "≈", elsewhere: "✗", none: "" };

// Where the largest weight of a row lies (the first of equals), and how that place stands to the linked ones.
function judge(row, linked) {
  const most = row.indexOf(Math.max(...row));
  const off = Math.min(...linked.map((i) => Math.abs(i - most)));
  const verdict = !linked.length ? "none" : off === 0 ? "right" : off === 1 ? "neighbour" : "elsewhere";
  return { most, verdict, beside: verdict === "neighbour" ? linked.find((i) => Math.abs(i - most) === 1) : null };
}

// How many of the judged rows have this verdict, into the cell `key` of `stats`.
function showShare(stats, key, verdicts, verdict) {
  const count = (some) => verdicts.filter((v) => v.verdict === some).length;
  const [part, whole] = [count(verdict), verdicts.length - count("none")];
  stats.set(key, whole ? `${part} of ${whole}, ${lm.number((100 * part) / whole)}\u00a0%` : "–", whole ? part / whole : NaN);
}

// current() -> {source, target [word], rows [target][source] from 0 to 1, links [target][places in source], at (the chosen row), truth
// (outline the links), judged (say how a row stands to them), causal (no row sees beyond its own place), name (said before the rest)};
// choose(row) is told what the reader chooses, marked(row, verdicts) what is looked at now.
function weightMap(el, { current, choose, marked }) {
  let hovered = -1, view = null, width = 0;
  const svg = lm.svg("svg", { class: "lm-amap-svg", role: "listbox", "data-lm-suppress-shortcuts": "true" });
  const host = lm.h("div", { class: "lm-amap-host" }, svg), headline = lm.h("p", { class: "lm-amap-headline" });
  const say = lm.announcer(el);
  const ruler = document.createElement("canvas").getContext("2d");
  const longest = (words) => {
    ruler.font = `400 13px ${getComputedStyle(el).fontFamily}`;
    return Math.max(...words.map((word) => ruler.measureText(word).width));
  };
  const verdictsOf = ({ rows, links }) => rows.map((row, j) => judge(row, links[j]));
  const wide = () => Math.max(280, host.getBoundingClientRect().width); // so that a unit is a pixel

  // The whole drawing: bars, names of the source words below them, then a row of cells for each target word.
  const drawMap = () => {
    const { source, target, rows, links, truth, causal } = current(), n = source.length, verdicts = verdictsOf(current());
    width = wide();
    const left = Math.min(110, longest(target) + 12), right = 34;
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
        ...rows[j].slice(0, causal ? j + 1 : n).map((weight, i) => lm.svg("rect", { class: "lm-amap-cell", x: x(i), y: y(j), width: cell, height: high, "fill-opacity": weight, "data-weight": weight })),
        lm.svg("text", { class: "lm-amap-sign", x: end + 7, y: y(j) + high / 2 + 4.5 }, SIGNS[verdicts[j].verdict])))),
      lm.svg("g", { class: "lm-amap-links", "aria-hidden": "true" }, ...(truth ? links.flatMap((linked, j) => linked.flatMap((i) => [...(slim ? [] : ["lm-amap-halo"]), "lm-amap-link"].map((name) =>
        lm.svg("rect", { class: name, x: x(i) + inset, y: y(j) + inset, width: cell - 2 * inset, height: high - 2 * inset, "data-link": `${i} ${j}` })))) : [])),
      lm.svg("rect", { class: "lm-amap-frame", x: left, height: high, "aria-hidden": "true" }));
    mark();
  };

  const sentenceOf = (row, source) => row.map((weight, i) => [source[i], weight]).sort((a, b) => b[1] - a[1]).filter(([, weight]) => weight >= 0.05).slice(0, 3)
    .map(([word, weight]) => `${word} ${lm.number(weight, 2)}`).join(", ");
  const spoken = ({ most, verdict, beside }, linked, source) => ({
    right: "right", none: "this word has no true link",
    neighbour: `one place to the ${most < beside ? "left" : "right"} of “${source[beside]}”`,
    elsewhere: `elsewhere, the truth is ${linked.map((i) => `“${source[i]}”`).join(", ")}`,
  })[verdict];

  // What belongs to the row that is looked at: bars, frame, words, counts.
  const mark = () => {
    const { source, target, rows, links, truth, judged, causal, at: chosen } = current(), verdicts = verdictsOf(current());
    const at = hovered >= 0 ? hovered : chosen, { x, cell, bars, top, high } = view, { most } = verdicts[at];
    const outlined = truth ? links[at] : [];
    const verdict = (j) => (judged ? `: ${spoken(verdicts[j], links[j], source)}` : "");
    svg.querySelector(".lm-amap-bars").replaceChildren(...rows[at].flatMap((weight, i) => {
      const tall = bars * weight, wideness = Math.max(3, cell - 4);
      const bar = lm.svg("rect", { class: i === most ? "lm-amap-bar lm-amap-most" : "lm-amap-bar", x: x(i) + (cell - wideness) / 2, y: 18 + bars - tall, width: wideness, height: tall, "data-weight": weight });
      const ring = outlined.includes(i) ? lm.svg("rect", { class: "lm-amap-link", x: x(i) + (cell - wideness) / 2 - 0.5, y: 18, width: wideness + 1, height: bars }) : null;
      return [ring, bar, i === most ? lm.svg("text", { class: "lm-strong lm-amap-value", x: x(i) + cell / 2, y: 13 + bars - tall, "text-anchor": "middle" }, lm.number(weight, 2)) : null].filter(Boolean);
    }));
    svg.querySelectorAll(".lm-amap-source").forEach((node, i) => node.classList.toggle("lm-amap-seen", i === most));
    svg.querySelector(".lm-amap-frame").setAttribute("y", top + at * high);
    svg.querySelector(".lm-amap-frame").setAttribute("width", (causal ? at + 1 : source.length) * cell);
    svg.querySelectorAll(".lm-amap-row").forEach((node, j) => {
      node.setAttribute("aria-selected", String(j === chosen));
      node.setAttribute("tabindex", j === chosen ? 0 : -1);
      node.setAttribute("aria-label", `${target[j]} looks at ${sentenceOf(rows[j], source)}${verdict(j)}`);
      node.classList.toggle("lm-amap-now", j === at);
    });
    headline.replaceChildren(lm.h("b", {}, target[at]), " looks most at ", lm.h("b", {}, source[most]), `${verdict(at)}. `,
      lm.h("span", { class: "lm-amap-rest" }, `Weights: ${sentenceOf(rows[at], source)}`));
    headline.dataset.verdict = verdicts[at].verdict;
    marked(at, verdicts);
  };

  const draw = () => {
    hovered = -1;
    const held = svg.contains(document.activeElement);
    drawMap();
    if (held) svg.querySelector("[tabindex='0']").focus({ preventScroll: true });
    else say([current().name, headline.textContent].filter(Boolean).join(". ")); // a row that has the focus is read out already
  };
  const hover = (j) => { if (j !== hovered) { hovered = j; mark(); } };
  const rowAt = (event) => Number(event.target.closest?.(".lm-amap-row")?.dataset.index ?? -1);
  svg.addEventListener("pointermove", (event) => event.pointerType === "mouse" && hover(rowAt(event)));
  svg.addEventListener("pointerleave", () => hover(-1));
  svg.addEventListener("click", (event) => { const j = rowAt(event); if (j >= 0) { choose(j); svg.querySelector("[tabindex='0']").focus({ preventScroll: true }); } });
  svg.addEventListener("keydown", (event) => {
    const { target, at } = current();
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: target.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.max(0, Math.min(target.length - 1, to)));
  });
  const watch = new ResizeObserver(() => { if (view && wide() !== width) drawMap(); });
  watch.observe(host);
  return { headline, host, draw, stop: () => watch.disconnect() };
}
