// An LSTM cell with fixed gates beside a plain recurrent cell. data: presets [[name, f, i, g, o]], steps, longest (how far
// the loss of half is looked for); state: forget, input, candidate, output, weight, start, step.
const GATES = ["forget", "input", "candidate", "output"];

// Step by step, from step 0 on: the memory c, the output h and what is kept of a small change of c_0.
function lstmRun({ forget, input, candidate, output, start }, steps) {
  const c = [start], kept = [1];
  for (let t = 1; t <= steps; t += 1) {
    c.push(forget * c[t - 1] + input * candidate);
    kept.push(kept[t - 1] * forget);
  }
  return { c, h: c.map((value) => output * Math.tanh(value)), kept };
}

// h_t = tanh(w h_(t-1)); a change passes through w and the slope 1 - h^2. `linear` is the same without the tanh.
function plainRun({ weight, start }, steps) {
  const h = [start], kept = [1], linear = [1];
  for (let t = 1; t <= steps; t += 1) {
    h.push(Math.tanh(weight * h[t - 1]));
    kept.push(kept[t - 1] * weight * (1 - h[t] * h[t]));
    linear.push(linear[t - 1] * weight);
  }
  return { h, kept, linear };
}

const firstHalf = (kept) => kept.findIndex((share) => share <= 0.5);
const halfText = (kept) => {
  const at = firstHalf(kept);
  return at >= 0 ? `${lm.number(at)} ${at === 1 ? "step" : "steps"}` : kept.at(-1) >= 1 ? "for ever" : `over ${lm.number(kept.length - 1)}`;
};
// A number without a minus sign before zero, and with a true minus sign.
const signed = (value, digits) => lm.number(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value, digits).replace("-", "−");
const low = (t) => String(t).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]); // as a subscript
const share = (value) => (value > 0 && value < 0.0005 ? "< 0.001" : value > 1000 ? "> 1,000" : lm.number(value, 3));

export default {
  render({ model, el }) {
    const [presets, steps, longest] = ["presets", "steps", "longest"].map((key) => model.get(key));
    const controls = [
      ["forget", "Forget gate f", 0, 1, 0.01], ["input", "Input gate i", 0, 1, 0.01], ["candidate", "Candidate g", -1, 1, 0.01],
      ["output", "Output gate o", 0, 1, 0.01], ["start", "First value of both cells", -1, 1, 0.05],
      ["weight", "Plain cell: weight w", 0, 1.5, 0.01], ["step", "Look at step t", 0, steps, 1],
    ];
    const sliders = {}, values = {};
    const fields = controls.map(([key, label, min, max, step]) => {
      sliders[key] = lm.slider({ min, max, step, oninput: () => { model.set(key, Number(sliders[key].value)); model.save_changes(); } });
      values[key] = lm.h("span", { class: "lm-gate-value", "aria-hidden": "true" });
      const field = lm.field(label, sliders[key], true);
      field.firstChild.append(" ", values[key]);
      return field;
    });
    const buttons = presets.map(([name, ...gates]) => lm.button(name, () => {
      GATES.forEach((key, k) => model.set(key, gates[k]));
      model.save_changes();
    }));
    const formula = lm.h("p", { class: "lm-gate-formula" });
    const stats = lm.stats([
      ["c", "Memory c"], ["h", "Output h"], ["kept", "LSTM keeps"], ["half", "LSTM half-life"], ["plainKept", "Plain cell keeps"], ["plainHalf", "Plain half-life"],
    ]);
    const keptHost = lm.h("div", { class: "lm-gate-plot" }), valueHost = lm.h("div", { class: "lm-gate-plot" });
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-buttons lm-gate-presets", role: "group", "aria-label": "Gates to begin with" }, ...buttons),
      lm.h("div", { class: "lm-controls lm-gate-controls" }, ...fields), formula, stats.node,
      lm.h("div", { class: "lm-gate-columns" }, keptHost, valueHost));

    // A plot over the steps. lines: [name, values, class]; names stand at the right end, kept apart.
    const plot = (host, title, low, high, ticks, lines, step) => {
      const width = Math.max(260, host.getBoundingClientRect().width), height = 216, left = 34, right = width - 78, top = 30, bottom = 172;
      const x = (t) => left + (t / steps) * (right - left);
      const y = (value) => bottom - ((Math.max(low, Math.min(high, value)) - low) / (high - low)) * (bottom - top);
      const said = lines.map(([name, , run]) => `${name} ${signed(run[step], 3)}`).join(", ");
      const svg = lm.svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. At step ${step}: ${said}` },
        lm.svg("text", { class: "lm-strong", x: 0, y: 12 }, title));
      for (const tick of ticks)
        svg.append(lm.svg("line", { class: "lm-rule", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
          lm.svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, lm.tick(tick).replace("-", "−")));
      for (let part = 0; part <= 4; part += 1) {
        const t = Math.round((steps * part) / 4);
        svg.append(lm.svg("text", { x: x(t), y: bottom + 20, "text-anchor": "middle" }, lm.number(t)));
      }
      svg.append(lm.svg("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, "step"),
        lm.svg("line", { class: "lm-gate-now", x1: x(step), x2: x(step), y1: top - 6, y2: bottom }));
      const ends = lines.map(([, , run], k) => ({ k, at: y(run[steps]) })).sort((a, b) => a.at - b.at);
      ends.forEach((end, place) => { if (place) end.at = Math.max(end.at, ends[place - 1].at + 15); });
      const over = Math.max(0, ends.at(-1).at - bottom + 2);
      ends.forEach((end, place) => (end.at = Math.min(end.at, bottom - 2 - 15 * (ends.length - 1 - place), end.at + over)));
      for (const { k, at } of ends.sort((a, b) => a.k - b.k)) {
        const [name, kind, run] = lines[k];
        const inside = (t) => run[t] >= low && run[t] <= high; // what leaves the plot is drawn up to its edge
        const seen = Array.from({ length: steps + 1 }, (_, t) => inside(t) || inside(t - 1) || inside(t + 1));
        svg.append(
          lm.svg("path", { class: `lm-gate-line lm-gate-${kind}`, d: seen.map((there, t) => (there ? `${seen[t - 1] ? "L" : "M"}${x(t).toFixed(1)},${y(run[t]).toFixed(1)}` : "")).join("") }),
          lm.svg("circle", { class: `lm-gate-dot lm-gate-${kind}`, cx: x(step), cy: y(run[step]), r: 4.5, visibility: inside(step) ? null : "hidden" }),
          lm.svg("text", { class: `lm-gate-name lm-gate-${kind}`, x: right + 7, y: at + 4 }, name));
      }
      host.replaceChildren(svg);
    };

    const drawPlots = () => {
      const gates = Object.fromEntries(controls.map(([key]) => [key, model.get(key)]));
      const lstm = lstmRun(gates, longest), plain = plainRun(gates, longest);
      const wide = Math.max(1, ...lstm.c.slice(0, steps + 1).map(Math.abs));
      const end = wide > 1 ? Math.ceil(wide) : 1;
      plot(keptHost, "Kept of the first value", 0, 1.2, [0, 0.5, 1],
        [["LSTM, fᵗ", "lstm", lstm.kept], ["plain", "plain", plain.kept], ["wᵗ, no tanh", "linear", plain.linear]], gates.step);
      plot(valueHost, "Values in the cells", -end, end, [-end, 0, end],
        [["LSTM c", "lstm", lstm.c], ["LSTM h", "out", lstm.h], ["plain h", "plain", plain.h]], gates.step);
      return { gates, lstm, plain };
    };
    const draw = () => {
      const { gates, lstm, plain } = drawPlots();
      const { step, forget } = gates;
      const logit = Math.log(forget / (1 - forget));
      for (const [key, , , , size] of controls) {
        const text = key === "step" ? lm.number(step) : signed(gates[key], size < 1 ? 2 : 0);
        sliders[key].value = gates[key];
        values[key].textContent = text;
        sliders[key].setAttribute("aria-valuetext", text);
      }
      const bias = Number.isFinite(logit) ? signed(logit, 1) : logit > 0 ? "+∞" : "−∞";
      values.forget.textContent += ` = s(${bias})`;
      buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(GATES.every((key, at) => gates[key] === presets[k][at + 1]))));
      formula.replaceChildren(step
        ? `c${low(step)} = f c${low(step - 1)} + i g = ${signed(forget, 2)} × ${signed(lstm.c[step - 1], 3)} + ${signed(gates.input, 2)} × ${signed(gates.candidate, 2)} = ${signed(lstm.c[step], 3)},   h${low(step)} = o tanh c${low(step)} = ${signed(lstm.h[step], 3)}`
        : `Step 0: both cells hold the first value, ${signed(gates.start, 2)}.`);
      stats.set("c", signed(lstm.c[step], 3), lstm.c[step]);
      stats.set("h", signed(lstm.h[step], 3), lstm.h[step]);
      stats.set("kept", share(lstm.kept[step]), lstm.kept[step]);
      stats.set("plainKept", share(plain.kept[step]), plain.kept[step]);
      stats.set("half", halfText(lstm.kept), firstHalf(lstm.kept));
      stats.set("plainHalf", halfText(plain.kept), firstHalf(plain.kept));
      say(`Step ${step}: memory ${signed(lstm.c[step], 3)}, output ${signed(lstm.h[step], 3)}. Kept of the first value: LSTM ${share(lstm.kept[step])}, ` +
        `plain cell ${share(plain.kept[step])}. Half-life: LSTM ${halfText(lstm.kept)}, plain cell ${halfText(plain.kept)}.`);
    };
    const names = controls.map(([key]) => `change:${key}`).join(" ");
    model.on(names, draw);
    draw();
    const watch = new ResizeObserver(drawPlots);
    watch.observe(keptHost);
    return () => { watch.disconnect(); model.off(names, draw); };
  },
};
