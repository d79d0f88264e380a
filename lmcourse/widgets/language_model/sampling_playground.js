// From logits to a token. data: vocab [token], prompts [{prompt, logits [thousandths below the largest]}], presets [[name, temperature, top_k,
// top_p]], shown (rows); state: prompt, temperature (0: greedy), top_k (0: all), top_p (1: all), seed (0: nothing drawn yet).
const DRAWS = 20;

// The law that a token is drawn from: temperature, then top-k, then top-p. What ties with the k-th stays; of equals the first is taken first.
function sampledLaw(logits, temperature, topK, topP) {
  const order = logits.map((_, i) => i).sort((i, j) => logits[j] - logits[i] || i - j);
  if (temperature === 0) return { order, kept: logits.map((_, i) => i === order[0]), law: logits.map((_, i) => (i === order[0] ? 1 : 0)), cut: 0 };
  const scaled = logits.map((logit) => logit / temperature);
  const least = topK && topK < logits.length ? scaled[order[topK - 1]] : -Infinity;
  const after = softmax(scaled.map((logit) => (logit < least ? -Infinity : logit)));
  const kept = logits.map((_, i) => scaled[i] >= least);
  let taken = 0;
  if (topP < 1) for (const i of order) {
    taken += after[i];
    if (taken - after[i] >= topP) kept[i] = false;
  }
  const whole = softmax(scaled);
  return { order, kept, law: softmax(scaled.map((logit, i) => (kept[i] ? logit : -Infinity))), cut: whole.reduce((sum, p, i) => (kept[i] ? sum : sum + p), 0) };
}

// mulberry32: numbers from 0 to 1, the same ones for the same seed.
function randomNumbers(seed, n) {
  let state = seed >>> 0;
  return Array.from({ length: n }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });
}

// For each random number the token at whose share of the law it lies, the most probable token first.
function drawTokens(law, order, seed) {
  return randomNumbers(seed, DRAWS).map((u) => {
    let sum = 0;
    return order.find((i) => (sum += law[i]) > u) ?? order.findLast((i) => law[i] > 0);
  });
}

export default {
  render({ model, el }) {
    const [vocab, prompts, presets, shown] = ["vocab", "prompts", "presets", "shown"].map((key) => model.get(key));
    const change = (values) => { for (const [key, value] of Object.entries(values)) model.set(key, value); model.save_changes(); };
    const ks = [...[1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 300, 500, 1000, 2000].filter((k) => k < vocab.length), 0]; // 0: all

    const picker = lm.select(prompts.map(({ prompt }, i) => [i, prompt || "(nothing)"]), model.get("prompt"), (value) => change({ prompt: Number(value) }));
    const buttons = presets.map(([name, temperature, top_k, top_p]) => lm.button(name, () => change({ temperature, top_k, top_p })));
    const heat = lm.slider({ min: 0, max: 2, step: 0.05, oninput: () => change({ temperature: Number(heat.value) }) });
    const topK = lm.slider({ min: 0, max: ks.length - 1, step: 1, oninput: () => change({ top_k: ks[Number(topK.value)] }) });
    const topP = lm.slider({ min: 0.01, max: 1, step: 0.01, oninput: () => change({ top_p: Number(topP.value) }) });
    const named = () => lm.h("span", { class: "lm-sample-value" });
    const [heatName, kName, pName] = [named(), named(), named()];
    const draw20 = lm.button(`Draw ${DRAWS} tokens`, () => change({ seed: model.get("seed") + 1 }));
    const rows = Array.from({ length: Math.min(shown, vocab.length) + (vocab.length > shown ? 1 : 0) }, () => {
      const [name, before, after, drawn] = ["name", "before", "after", "drawn"].map((part) => lm.h("span", { class: `lm-sample-${part}` }));
      const [bar, ghost] = [lm.h("span", { class: "lm-sample-bar" }), lm.h("span", { class: "lm-sample-ghost" })];
      const node = lm.h("li", { class: "lm-sample-row" }, name, lm.h("span", { class: "lm-sample-track", "aria-hidden": "true" }, bar, ghost), before, after, drawn);
      return { node, name, before, after, drawn, bar, ghost };
    });
    const head = lm.h("div", { class: "lm-sample-head", "aria-hidden": "true" }, ...["Token", "Dashed: before, filled: after", "Before", "After", "Drawn"].map((text) => lm.h("span", {}, text)));
    const stats = lm.stats([["before", "Entropy before"], ["after", "Entropy after"], ["kept", "Tokens kept"], ["cut", "Probability cut"]]);
    const drawnNote = lm.h("p", { class: "lm-heading lm-sample-note" }), drawnList = lm.h("ul", { class: "lm-tokens lm-sample-list" });
    const prompt = lm.h("p", { class: "lm-sample-prompt" });
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Prompt", picker, true),
        lm.h("div", { class: "lm-buttons lm-sample-presets", role: "group", "aria-label": "Strategies" }, ...buttons)),
      lm.h("div", { class: "lm-controls" }, lm.field(["Temperature ", heatName], heat, true), lm.field(["Top-k ", kName], topK, true), lm.field(["Top-p ", pName], topP, true)),
      prompt, head, lm.h("ul", { class: "lm-sample-rows" }, ...rows.map((row) => row.node)), stats.node,
      lm.h("div", { class: "lm-controls lm-sample-draw" }, draw20), drawnNote, drawnList);

    const percent = (p) => (p === 0 ? "0" : p < 0.0005 ? "<0.1\u00a0%" : `${lm.number(100 * p, 1)}\u00a0%`);
    const amounts = (nats) => `${lm.number(nats, 2)}\u00a0nats, ${lm.number(nats / Math.LN2, 2)}\u00a0bits`;
    const draw = () => {
      const [temperature, k, p, seed] = ["temperature", "top_k", "top_p", "seed"].map((key) => model.get(key));
      const { prompt: text, logits: thousandths } = prompts[model.get("prompt")], logits = thousandths.map((logit) => logit / 1000);
      const before = softmax(logits), { order, kept, law, cut } = sampledLaw(logits, temperature, k, p);
      const drawn = seed ? drawTokens(law, order, seed) : [], times = (some) => drawn.filter((i) => some.includes(i)).length;
      picker.value = String(model.get("prompt"));
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(presets[i].slice(1).join() === [temperature, k, p].join())));
      const place = ks.findIndex((one) => one === 0 || (k && one >= k));
      [heat.value, topK.value, topP.value] = [temperature, k ? place : ks.length - 1, p];
      heatName.textContent = temperature ? lm.number(temperature, 2) : "0: greedy, the best token always";
      kName.textContent = k ? String(k) : "off";
      pName.textContent = p < 1 ? lm.number(p, 2) : "off";
      heat.setAttribute("aria-valuetext", `temperature ${heatName.textContent}`);
      topK.setAttribute("aria-valuetext", k ? `the best ${k}` : "all tokens");
      topP.setAttribute("aria-valuetext", p < 1 ? `probability ${pName.textContent}` : "all tokens");
      const first = order.slice(0, shown), rest = order.slice(shown), sum = (values, some) => some.reduce((total, i) => total + values[i], 0);
      const widest = Math.max(before[order[0]], law[order[0]], sum(before, rest), sum(law, rest));
      rows.forEach((row, at) => {
        const some = at < shown ? [first[at]] : rest, [b, a, n] = [sum(before, some), sum(law, some), times(some)];
        const stays = some.some((i) => kept[i]), all = some.filter((i) => kept[i]).length;
        row.name.textContent = at < shown ? lm.visible(vocab[some[0]]) : `${lm.number(rest.length)} others${all ? `, ${lm.number(all)} kept` : ""}`;
        row.node.classList.toggle("lm-sample-cut", !stays);
        row.node.classList.toggle("lm-sample-edge", !stays && at > 0 && kept[first[at - 1]]);
        row.node.classList.toggle("lm-sample-others", at >= shown);
        row.bar.style.width = `${(100 * a) / widest}%`;
        row.ghost.style.width = `${(100 * b) / widest}%`;
        row.before.textContent = percent(b);
        row.after.textContent = stays ? percent(a) : "cut";
        row.drawn.textContent = seed ? (n ? `×${n}` : "–") : "";
        for (const [part, value] of [["before", b], ["after", a], ["drawn", n]]) row[part].dataset.value = String(value);
      });
      const many = kept.filter(Boolean).length;
      stats.set("before", amounts(entropy(before)), entropy(before));
      stats.set("after", amounts(entropy(law)), entropy(law));
      stats.set("kept", `${lm.number(many)} of ${lm.number(vocab.length)}`, many);
      stats.set("cut", percent(cut), cut);
      prompt.replaceChildren(lm.h("span", { class: "lm-sample-label" }, "The text so far: "), lm.h("b", {}, text || "(nothing)"), lm.h("span", { class: "lm-sample-label" }, " … what comes next?"));
      drawnNote.textContent = seed ? `Drawn with seed ${seed}: ${new Set(drawn).size} different tokens${drawn.some((i) => rest.includes(i)) ? "; outlined: from the others" : ""}` : "";
      drawnList.replaceChildren(...drawn.map((i) => lm.h("li", { class: rest.includes(i) ? "lm-token lm-new" : "lm-token", "data-id": i }, lm.visible(vocab[i]))));
      say(`${many} tokens kept, entropy ${amounts(entropy(law))}. Best: ${first.slice(0, 3).map((i) => `${vocab[i]} ${percent(law[i])}`).join(", ")}.${seed ? ` Drawn: ${drawn.map((i) => vocab[i]).join(" ")}.` : ""}`);
    };
    const names = "change:prompt change:temperature change:top_k change:top_p change:seed";
    model.on(names, draw);
    draw();
    return () => model.off(names, draw);
  },
};
