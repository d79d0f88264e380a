// What a vocabulary size costs. data: names [...], sizes [...], tokens_per_word {name: [...]}, d_models, blocks;
// state: index (of the size), name, d_model, n_blocks. Costs are for a text of 1,000 words.
const TEXT = 1000;

function costs(tokensPerWord, size, dModel, blocks) {
  const tokens = TEXT * tokensPerWord;
  const embedding = size * dModel;
  const body = 12 * blocks * dModel ** 2; // 4 d^2 in attention, 8 d^2 in the feed-forward layer
  return { tokens, embedding, share: embedding / (embedding + body), softmax: tokens * embedding, body: tokens * body };
}

// The smallest round number that is not below the value; half of it is round too.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * 0.9999) * power;
}

export default {
  render({ model, el }) {
    const [names, sizes, rates] = ["names", "sizes", "tokens_per_word"].map((key) => model.get(key));
    const change = (key, value) => { model.set(key, value); model.save_changes(); };
    const slider = lm.slider({ min: 0, max: sizes.length - 1, step: 1, oninput: () => change("index", Number(slider.value)) });
    const picked = lm.h("span", { class: "lm-trade-size" });
    const name = lm.select(names.map((text) => [text, text]), model.get("name"), (value) => change("name", value));
    const width = lm.select(model.get("d_models").map((d) => [d, lm.number(d)]), model.get("d_model"), (value) => change("d_model", Number(value)));
    const depth = lm.select(model.get("blocks").map((n) => [n, lm.number(n)]), model.get("n_blocks"), (value) => change("n_blocks", Number(value)));
    const stats = lm.stats([
      ["tokens", "Tokens per 1,000 words"], ["embedding", "Embedding parameters"], ["share", "Embedding's share of the model"],
      ["softmax", "Output layer, multiply‑adds"], ["body", "Blocks, multiply‑adds"]]);
    const drawings = lm.h("div", { class: "lm-trade-drawings" });
    const say = lm.announcer(el);
    const sizeField = lm.field("Vocabulary size V", lm.h("span", { class: "lm-trade-slider" }, slider, picked), true);
    el.append(lm.h("div", { class: "lm-controls" }, sizeField,
      lm.field("Tokenizer", name), lm.field("Width d", width), lm.field("Blocks", depth)), stats.node, drawings);

    const left = 40, right = 360, top = 30, bottom = 178;
    const x = (i, n) => left + ((right - left) * (i + 0.5)) / n;
    const frame = (title, label, ceiling, divisor = 1) => {
      const svg = lm.svg("svg", { viewBox: "0 0 360 220", role: "img", "aria-label": label });
      svg.append(lm.svg("text", { class: "lm-strong", x: 0, y: 12 }, title),
        lm.svg("text", { x: (left + right) / 2, y: 215, "text-anchor": "middle" }, "vocabulary size V"));
      for (const part of [0, 0.5, 1]) {
        const y = bottom - part * (bottom - top);
        svg.append(lm.svg("line", { class: "lm-rule", x1: left, x2: right, y1: y, y2: y }),
          lm.svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, lm.tick((part * ceiling) / divisor)));
      }
      return svg;
    };
    const foot = (svg, chosen) => {
      const every = Math.ceil(sizes.length / 5);
      sizes.forEach((size, i) => {
        const near = i !== chosen && Math.abs(i - chosen) < every;
        if (i === chosen || (i % every === 0 && !near))
          svg.append(lm.svg("text", { class: i === chosen ? "lm-strong" : null, x: i === sizes.length - 1 ? right : x(i, sizes.length), y: 196, "text-anchor": i === sizes.length - 1 ? "end" : "middle" }, lm.tick(size)));
      });
      return svg;
    };

    const drawTokens = (chosen) => {
      const mine = rates[model.get("name")].map((rate) => TEXT * rate);
      const ceiling = roundUp(Math.max(...Object.values(rates).flat()) * TEXT);
      const y = (value) => bottom - (value / ceiling) * (bottom - top);
      const path = (values) => values.map((value, i) => `${i ? "L" : "M"}${x(i, values.length).toFixed(1)},${y(value).toFixed(1)}`).join("");
      const svg = frame("Length of 1,000 words, in tokens", `${model.get("name")}: from ${lm.number(mine[0])} tokens at ${lm.number(sizes[0])} to ${lm.number(mine.at(-1))} at ${lm.number(sizes.at(-1))}`, ceiling);
      for (const other of names)
        if (other !== model.get("name"))
          svg.append(lm.svg("path", { class: "lm-trade-other", d: path(rates[other].map((rate) => TEXT * rate)) }));
      svg.append(lm.svg("path", { class: "lm-trade-line", d: path(mine) }));
      mine.forEach((value, i) => svg.append(lm.svg("circle", { class: i === chosen ? "lm-trade-dot lm-trade-chosen" : "lm-trade-dot", cx: x(i, mine.length), cy: y(value), r: i === chosen ? 6 : 2.5 })));
      const anchor = chosen < mine.length / 3 ? "start" : chosen > (mine.length * 2) / 3 ? "end" : "middle";
      svg.append(lm.svg("text", { class: "lm-trade-name", x: x(chosen, mine.length), y: y(mine[chosen]) - 12, "text-anchor": anchor }, model.get("name")));
      return foot(svg, chosen);
    };

    const drawWork = (chosen) => {
      const all = sizes.map((size, i) => costs(rates[model.get("name")][i], size, model.get("d_model"), model.get("n_blocks")));
      const totals = all.map((cost) => cost.softmax + cost.body);
      const ceiling = roundUp(Math.max(...totals));
      const least = totals.indexOf(Math.min(...totals));
      const high = (value) => (value / ceiling) * (bottom - top);
      const [divisor, word] = lm.unit(ceiling);
      const svg = frame(`Work for 1,000 words, ${word} multiply-adds`, `Least work at a vocabulary of ${lm.number(sizes[least])}`, ceiling, divisor);
      const wide = Math.min(34, ((right - left) / sizes.length) * 0.66);
      all.forEach((cost, i) => {
        const at = x(i, sizes.length) - wide / 2, body = high(cost.body), softmax = high(cost.softmax);
        svg.append(
          lm.svg("rect", { class: "lm-trade-body", x: at, width: wide, y: bottom - body, height: body }),
          lm.svg("rect", { class: "lm-trade-softmax", x: at, width: wide, y: bottom - body - softmax, height: softmax }));
        if (i === chosen) svg.append(lm.svg("rect", { class: "lm-trade-frame", x: at - 3, width: wide + 6, y: bottom - body - softmax - 3, height: body + softmax + 3 }));
        if (i === least) svg.append(lm.svg("text", { class: "lm-strong", x: x(i, sizes.length), y: bottom - body - softmax - 8, "text-anchor": i < 1 ? "start" : i > sizes.length - 2 ? "end" : "middle" }, "least"));
      });
      return foot(svg, chosen);
    };

    const entry = (kind, text) => lm.h("span", {}, lm.h("span", { class: `lm-trade-swatch lm-trade-swatch-${kind}` }), text);
    const key = lm.h("p", { class: "lm-note lm-trade-key" },
      entry("softmax", "output layer: tokens × V × d"), entry("body", "blocks: tokens × 12 × blocks × d²"));
    const others = lm.h("p", { class: "lm-note lm-trade-key" });

    const draw = () => {
      const i = model.get("index"), size = sizes[i];
      const cost = costs(rates[model.get("name")][i], size, model.get("d_model"), model.get("n_blocks"));
      slider.value = i;
      slider.setAttribute("aria-valuetext", `${lm.number(size)} tokens`);
      name.value = model.get("name");
      width.value = String(model.get("d_model"));
      depth.value = String(model.get("n_blocks"));
      picked.textContent = lm.number(size);
      stats.set("tokens", lm.number(cost.tokens), cost.tokens);
      stats.set("embedding", lm.compact(cost.embedding), cost.embedding);
      stats.set("share", `${lm.number(100 * cost.share, 1)} %`, cost.share);
      stats.set("softmax", lm.compact(cost.softmax), cost.softmax);
      stats.set("body", lm.compact(cost.body), cost.body);
      others.textContent = names.length > 1 ? `Dashed: ${names.filter((other) => other !== model.get("name")).join(", ")}` : "";
      drawings.replaceChildren(lm.h("div", {}, drawTokens(i), others), lm.h("div", {}, drawWork(i), key));
      say(`Vocabulary ${lm.number(size)}, ${model.get("name")}: ${lm.number(cost.tokens)} tokens per 1,000 words, ` +
        `${lm.compact(cost.embedding)} embedding parameters, ${lm.number(100 * cost.share, 1)} per cent of the model.`);
    };
    model.on("change:index change:name change:d_model change:n_blocks", draw);
    draw();
    return () => model.off("change:index change:name change:d_model change:n_blocks", draw);
  },
};
