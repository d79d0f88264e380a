// Temperature and scale against the softmax. data: d_heads [d], drawn [size][draw][score]; state: size and draw (places in
// them), scores [score] as they are before any division, scaled (divide by the root of d), temperature.
export default {
  render({ model, el }) {
    const [dHeads, drawn] = [model.get("d_heads"), model.get("drawn")];
    const n = drawn[0][0].length, evenEntropy = Math.log(n);
    const change = (values) => { for (const [key, value] of Object.entries(values)) model.set(key, value); model.save_changes(); };
    const take = (size, draw) => change({ size, draw, scores: drawn[size][draw] });
    const reach = (size) => Math.ceil(4 * Math.sqrt(dHeads[size])); // of the sliders: four standard deviations

    const sizes = dHeads.map((d, i) => lm.button(`d = ${d}`, () => take(i, model.get("draw"))));
    const again = lm.button("Draw again", () => take(model.get("size"), (model.get("draw") + 1) % drawn[0].length));
    const scale = lm.h("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true", onchange: () => change({ scaled: scale.checked }) });
    // From 1/8 to 8, in quarters of a doubling.
    const heat = lm.slider({ min: -3, max: 3, step: 0.25, oninput: () => change({ temperature: 2 ** Number(heat.value) }) });
    const heatName = lm.h("span", { class: "lm-soft-value" });
    const rows = Array.from({ length: n }, (_, i) => {
      const slider = lm.slider({ step: 0.1, "aria-label": `Score of key ${i + 1}`, oninput: () => change({ scores: model.get("scores").map((s, j) => (j === i ? Number(slider.value) : s)) }) });
      const [score, divided, weight] = ["score", "divided", "weight"].map((name) => lm.h("span", { class: `lm-soft-${name} lm-soft-right`, "data-stat": `${name}${i}` }));
      const [bar, ghost] = [lm.h("span", { class: "lm-soft-bar" }), lm.h("span", { class: "lm-soft-ghost" })];
      const node = lm.h("li", { class: "lm-soft-row" }, lm.h("span", { class: "lm-soft-name" }, `Key ${i + 1}`), score, slider, divided,
        lm.h("span", { class: "lm-soft-track", "aria-hidden": "true" }, bar, ghost), weight);
      return { node, slider, score, divided, weight, bar, ghost };
    });
    const meter = (name) => {
      const fill = lm.h("span", { class: `lm-soft-fill lm-soft-fill-${name}` }), text = lm.h("p", { class: "lm-soft-text", "data-stat": name });
      return { fill, text, node: lm.h("div", { class: "lm-soft-meter" }, text, lm.h("span", { class: "lm-soft-track", "aria-hidden": "true" }, fill)) };
    };
    const [mess, slope] = [meter("entropy"), meter("slope")];
    const legend = lm.h("p", { class: "lm-note lm-soft-legend" }), formula = lm.h("p", { class: "lm-soft-formula" });
    const head = ["Key", "q · k", "Move it", "Divided", "Weight"].map((text, i) => lm.h("span", { class: i % 2 ? "lm-soft-right" : null }, text));
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" },
        lm.h("div", { class: "lm-field" }, lm.h("span", {}, "Entries of query and key"),
          lm.h("div", { class: "lm-buttons lm-soft-sizes", role: "group", "aria-label": "Entries of query and key" }, ...sizes)), again,
        lm.h("label", { class: "lm-check" }, scale, "Divide by √d"),
        lm.field(["Temperature T = ", heatName], heat, true)),
      formula, lm.h("div", { class: "lm-soft-head", "aria-hidden": "true" }, ...head), lm.h("ul", { class: "lm-soft-rows" }, ...rows.map((row) => row.node)), legend,
      lm.h("div", { class: "lm-soft-meters" }, mess.node, slope.node));

    const exact = (node, text, value) => { node.textContent = text; node.dataset.value = String(value); };
    const draw = () => {
      const [size, scores, scaled, temperature] = ["size", "scores", "scaled", "temperature"].map((key) => model.get(key));
      const d = dHeads[size], root = Math.sqrt(d);
      const divisor = (withScale) => (withScale ? root : 1) * temperature;
      const divided = scores.map((score) => score / divisor(scaled));
      const weights = softmax(divided), other = softmax(scores.map((score) => score / divisor(!scaled)));
      const nats = entropy(weights), steepest = Math.max(...weights.map((w) => w * (1 - w)));
      sizes.forEach((button, i) => button.setAttribute("aria-pressed", String(i === size)));
      scale.checked = scaled;
      heat.value = Math.log2(temperature);
      heat.setAttribute("aria-valuetext", `temperature ${lm.number(temperature, 2)}`);
      heatName.textContent = lm.number(temperature, 2);
      rows.forEach(({ slider, score, divided: quotient, weight, bar, ghost }, i) => {
        [slider.min, slider.max] = [-reach(size), reach(size)];
        slider.value = scores[i];
        slider.setAttribute("aria-valuetext", `score ${signed(scores[i], 1)}, weight ${lm.number(weights[i], 2)}`);
        exact(score, signed(scores[i], 1), scores[i]);
        exact(quotient, signed(divided[i], 2), divided[i]);
        exact(weight, lm.number(weights[i], 2), weights[i]);
        bar.style.width = `${100 * weights[i]}%`;
        ghost.style.width = `${100 * other[i]}%`;
      });
      formula.textContent = [`softmax(q · k ${scaled ? `/ √${d} ` : ""}/ T)`, scaled ? `√${d} = ${lm.tick(root)}` : null, `T = ${lm.number(temperature, 2)}`].filter(Boolean).map((part) => part.replaceAll(" ", "\u00a0")).join(", ");
      legend.textContent = `Dashed: the weight ${scaled ? "without" : "with"} the division by √${d} = ${lm.tick(root)}.`;
      exact(mess.text, `Entropy ${lm.number(nats, 2)} nats of at most ln ${n} = ${lm.number(evenEntropy, 2)}: as if ${lm.number(Math.exp(nats), 1)} keys were looked at evenly`, nats);
      mess.fill.style.width = `${(100 * nats) / evenEntropy}%`;
      exact(slope.text, `Largest slope w (1 − w): ${lm.number(steepest, 3)} of at most 0.25${steepest < 0.02 ? ". Saturated: hardly any gradient passes" : ""}`, steepest);
      slope.fill.style.width = `${400 * steepest}%`;
      const most = weights.indexOf(Math.max(...weights));
      say(`d = ${d}, ${scaled ? "scaled" : "not scaled"}, temperature ${lm.number(temperature, 2)}: key ${most + 1} has weight ${lm.number(weights[most], 2)}. ${mess.text.textContent}. ${slope.text.textContent}.`);
    };
    const names = "change:size change:draw change:scores change:scaled change:temperature";
    model.on(names, draw);
    draw();
    return () => model.off(names, draw);
  },
};
