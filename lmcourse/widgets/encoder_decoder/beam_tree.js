// Beam search, unfolded. data: vocab [word], sentences [{source, reference [number in vocab], trees [{width, parent, token, log_p, fate (K, C, F),
// greedy [0 or 1]}]}], a list for all nodes in each; state: sentence, width, step, node (chosen, -1: none), alpha.
const BOX = { wide: 100, high: 38, dx: 122, dy: 46, left: 58, top: 10 };
const minus = (value, digits) => lm.number(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value, digits).replace("-", "−");

// Nodes with what follows from their parents: step, number in it, log P of the path, ids of the path.
function unfold({ parent, token, log_p, fate, greedy }, vocab) {
  const nodes = [], rows = [];
  parent.forEach((p, at) => {
    const from = nodes[p], step = from ? from.step + 1 : 1;
    rows[step] = (rows[step] ?? -1) + 1;
    nodes.push({ at, parent: p, step, row: rows[step], word: vocab[token[at]], logP: log_p[at], fate: fate[at], greedy: greedy[at] === 1,
      total: (from?.total ?? 0) + log_p[at], words: [...(from?.words ?? []), vocab[token[at]]], path: [...(from?.path ?? []), at] });
  });
  return nodes;
}

const FATES = { K: "kept", C: "cut", F: "finished" };
// Wu et al. (2016), equation 14.
const scoreOf = ({ total, words }, alpha) => total / ((5 + words.length) / 6) ** alpha;

export default {
  render({ model, el }) {
    const [vocab, sentences] = [model.get("vocab"), model.get("sentences")];
    const textOf = (ids) => ids.map((id) => vocab[id]);
    const unfolded = sentences.map(({ trees }) => trees.map((tree) => unfold(tree, vocab)));
    const change = (values) => { for (const [key, value] of Object.entries(values)) model.set(key, value); model.save_changes(); };
    const now = () => {
      const at = model.get("sentence"), sentence = sentences[at];
      const tree = Math.max(0, sentence.trees.findIndex(({ width }) => width === model.get("width")));
      const nodes = unfolded[at][tree], steps = Math.max(...nodes.map((node) => node.step));
      const step = Math.max(0, Math.min(steps, model.get("step"))), seen = nodes.filter((node) => node.step <= step);
      return { at, sentence, width: sentence.trees[tree].width, nodes, steps, step, seen, alpha: model.get("alpha"), node: seen[model.get("node")] ?? null };
    };

    const picker = lm.select(sentences.map(({ source }, i) => [i, textOf(source).join(" ")]), model.get("sentence"), (value) => change({ node: -1, step: Math.min(1, model.get("step")), sentence: Number(value) }));
    const widths = lm.h("div", { class: "lm-buttons lm-beam-widths", role: "group", "aria-label": "Width of the beam" });
    const slider = lm.slider({ min: 0, step: 1, oninput: () => change({ node: -1, step: Number(slider.value) }) });
    const move = (by) => { const { step, steps } = now(); if (step + by >= 0 && step + by <= steps) change({ node: -1, step: step + by }); };
    const [back, next, end] = [lm.button("Back", () => move(-1)), lm.button("Next step", () => move(1)), lm.button("To the end", () => change({ node: -1, step: now().steps }))];
    const alphaName = lm.h("span", { class: "lm-beam-alpha" });
    const alpha = lm.slider({ min: 0, max: 1.5, step: 0.05, oninput: () => change({ alpha: Number(alpha.value) }) });
    const svg = lm.svg("svg", { class: "lm-beam-svg", role: "listbox", "data-lm-suppress-shortcuts": "true", "aria-label": "The tree of the search; the arrow keys go to parent, child and neighbours" });
    const host = lm.h("div", { class: "lm-beam-host" }, svg);
    const headline = lm.h("p", { class: "lm-beam-headline" });
    const reference = lm.h("p", { class: "lm-beam-reference" });
    const body = lm.h("tbody");
    const table = lm.h("table", { class: "lm-beam-table" }, lm.h("caption", {}, "Finished so far, best score first"),
      lm.h("thead", {}, lm.h("tr", {}, ...["Translation", "Tokens", "log P", "Score"].map((text, i) => lm.h("th", { scope: "col", class: i ? "lm-num" : null }, text)))), body);
    const stats = lm.stats([["step", "Step"], ["alive", "Paths alive"], ["finished", "Finished"], ["looked", "Continuations shown"]]);
    const legend = lm.h("p", { class: "lm-note lm-beam-legend" }, "In each box: the token, log P of this token, and of the whole path (nats). Dashed: cut. Double line: finished. Thick green line: the greedy path.");
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Sentence", picker, true), lm.h("div", { class: "lm-field" }, lm.h("span", {}, "Width"), widths)),
      lm.h("div", { class: "lm-controls" }, lm.field("Step", slider, true), lm.h("div", { class: "lm-buttons" }, back, next, end)),
      reference, headline, host, legend,
      lm.h("div", { class: "lm-controls" }, lm.field(["Length penalty α = ", alphaName], alpha, true)), table, stats.node);

    const x = (step) => BOX.left + (step - 1) * BOX.dx, y = (row) => BOX.top + row * BOX.dy;
    const edge = (from, node) => {
      const [x1, y1, x2, y2] = [from ? x(from.step) + BOX.wide : BOX.left - 20, from ? y(from.row) + BOX.high / 2 : BOX.top + BOX.high / 2, x(node.step), y(node.row) + BOX.high / 2];
      return `M${x1},${y1}C${x1 + 14},${y1} ${x2 - 14},${y2} ${x2},${y2}`;
    };
    const labelOf = (node) => `${node.words.join(" ")}: ${FATES[node.fate]}, log P of “${node.word}” ${minus(node.logP, 2)}, of the path ${minus(node.total, 2)}${node.greedy ? ", greedy" : ""}`;
    const drawTree = () => {
      const { nodes, seen, step, node: chosen } = now(), held = svg.contains(document.activeElement);
      const rows = Math.max(...nodes.map((node) => node.row)) + 1, [wide, high] = [x(Math.max(1, step)) + BOX.wide + 8, y(rows - 1) + BOX.high + 8];
      svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
      svg.setAttribute("style", `width:${wide}px;height:${high}px`);
      svg.setAttribute("role", seen.length ? "listbox" : "img");
      const on = new Set(chosen?.path), stop = chosen?.at ?? seen.at(0)?.at;
      const edges = [...seen].sort((a, b) => a.greedy - b.greedy || on.has(a.at) - on.has(b.at)).map((node) =>
        lm.svg("path", { class: ["lm-beam-edge", `lm-beam-${FATES[node.fate]}-edge`, node.greedy ? "lm-beam-greedy" : "", on.has(node.at) ? "lm-beam-on" : ""].join(" "), d: edge(nodes[node.parent], node) }));
      svg.replaceChildren(
        lm.svg("g", { "aria-hidden": "true" }, lm.svg("text", { class: "lm-beam-start", x: 2, y: BOX.top + BOX.high / 2 + 4.5 }, "start"), ...edges),
        lm.svg("g", { role: "presentation" }, ...seen.map((node) => lm.svg("g", {
          class: ["lm-beam-node", `lm-beam-${FATES[node.fate]}`, node.step === step ? "lm-beam-new" : "", on.has(node.at) ? "lm-beam-on" : ""].join(" "), role: "option", "data-at": node.at, "data-greedy": node.greedy ? 1 : 0,
          "data-total": node.total, "aria-label": labelOf(node), "aria-selected": String(node === chosen), tabindex: node.at === stop ? 0 : -1 },
          lm.svg("rect", { class: "lm-beam-box", x: x(node.step), y: y(node.row), width: BOX.wide, height: BOX.high, rx: 5 }),
          node.fate === "F" ? lm.svg("rect", { class: "lm-beam-inner", x: x(node.step) + 2.5, y: y(node.row) + 2.5, width: BOX.wide - 5, height: BOX.high - 5, rx: 3 }) : null,
          lm.svg("text", { class: "lm-beam-word", x: x(node.step) + BOX.wide / 2, y: y(node.row) + 16, "text-anchor": "middle" }, node.word),
          lm.svg("text", { class: "lm-beam-number", "aria-hidden": "true", x: x(node.step) + 7, y: y(node.row) + 31 }, minus(node.logP, 2)),
          lm.svg("text", { class: "lm-beam-number lm-beam-total", "aria-hidden": "true", x: x(node.step) + BOX.wide - 7, y: y(node.row) + 31, "text-anchor": "end" }, minus(node.total, 2))))));
      const focus = svg.querySelector("[tabindex='0']");
      if (held && focus) focus.focus({ preventScroll: true });
      return held;
    };
    // The newest step, or the chosen node, in sight, without moving the page.
    const follow = () => {
      const { step, node } = now(), at = x(Math.max(1, node?.step ?? step));
      if (at + BOX.wide + 8 > host.scrollLeft + host.clientWidth || at < host.scrollLeft + 20) host.scrollLeft = Math.max(0, at + BOX.wide + 8 - host.clientWidth);
    };

    const draw = () => {
      const { sentence, width, steps, step, seen, node, alpha: a } = now(), truth = textOf(sentence.reference).join(" ");
      picker.value = String(model.get("sentence"));
      widths.replaceChildren(...sentence.trees.map((tree) => tree.width).map((w) => {
        const button = [...widths.children].find((child) => child.textContent === String(w)) ?? lm.button(String(w), () => change({ node: -1, width: w }));
        button.setAttribute("aria-pressed", String(w === width));
        return button;
      }));
      slider.max = steps;
      slider.value = step;
      slider.setAttribute("aria-valuetext", `step ${step} of ${steps}`);
      lm.able(back, step > 0);
      lm.able(next, step < steps);
      lm.able(end, step < steps);
      alpha.value = a;
      alpha.setAttribute("aria-valuetext", `alpha ${lm.number(a, 2)}`);
      alphaName.textContent = `${lm.number(a, 2)}: score = log P / ((5 + n) / 6)^α`;
      reference.replaceChildren(lm.h("span", { class: "lm-beam-label" }, "Reference: "), lm.h("b", {}, truth));
      const withoutEnd = (words) => (words.at(-1) === "<eos>" ? words.slice(0, -1) : words).join(" ");
      const ended = seen.filter(({ fate }) => fate === "F").sort((one, other) => scoreOf(other, a) - scoreOf(one, a));
      const isRight = (one) => one.words.at(-1) === "<eos>" && withoutEnd(one.words) === truth;
      body.replaceChildren(...ended.map((one, i) => lm.h("tr", { class: i ? null : "lm-beam-best", "data-at": one.at, "data-score": scoreOf(one, a) },
        lm.h("td", {}, lm.h("span", { class: "lm-beam-sign" }, isRight(one) ? "✓ " : "✗ "), withoutEnd(one.words) || "(nothing)",
          one.words.at(-1) === "<eos>" ? null : lm.h("span", { class: "lm-note" }, " cut off at the limit"), one.greedy ? lm.h("span", { class: "lm-beam-tag" }, "greedy") : null),
        ...[String(one.words.length), minus(one.total, 2), minus(scoreOf(one, a), 2)].map((text) => lm.h("td", { class: "lm-num" }, text)))));
      if (!ended.length) body.append(lm.h("tr", {}, lm.h("td", { colspan: 4, class: "lm-note" }, "None yet.")));
      const newest = seen.filter((one) => one.step === step), count = (fate) => newest.filter((one) => one.fate === fate).length;
      headline.textContent = node ? labelOf(node)
        : !step ? "The search begins with one empty path. Press “Next step”."
        : `Step ${step}: ${[[count("K"), "kept"], [count("F"), "finished"], [count("C"), "cut (those shown)"]].filter(([n]) => n).map(([n, word]) => `${n} ${word}`).join(", ")}.`;
      stats.set("step", `${step} of ${steps}`, step);
      stats.set("alive", step ? String(count("K")) : "1", step ? count("K") : 1);
      stats.set("finished", `${ended.length} of ${width}`, ended.length);
      stats.set("looked", String(newest.length), newest.length);
      if (!drawTree()) say(ended.length ? `${headline.textContent} Best score: ${withoutEnd(ended[0].words)}, ${minus(scoreOf(ended[0], a), 2)}, ${isRight(ended[0]) ? "right" : "not the reference"}.` : headline.textContent);
      follow();
    };
    const choose = (at) => { change({ node: at }); svg.querySelector("[tabindex='0']")?.focus({ preventScroll: true }); };
    svg.addEventListener("click", (event) => { const at = Number(event.target.closest?.(".lm-beam-node")?.dataset.at ?? -1); if (at >= 0) choose(at); });
    svg.addEventListener("keydown", (event) => {
      const { seen } = now(), from = seen[Number(document.activeElement.dataset.at)];
      if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
      const beside = (by) => seen.find((one) => one.step === from.step && one.row === from.row + by);
      const to = { ArrowRight: () => seen.find((one) => one.parent === from.at), ArrowLeft: () => seen[from.parent], ArrowDown: () => beside(1), ArrowUp: () => beside(-1),
        Home: () => seen[0], End: () => seen.at(-1), Enter: () => from, " ": () => from }[event.key];
      if (!to) return;
      event.preventDefault();
      event.stopPropagation();
      if (to()) choose(to().at);
    });
    const names = "change:sentence change:width change:step change:node change:alpha";
    model.on(names, draw);
    draw();
    return () => model.off(names, draw);
  },
};
