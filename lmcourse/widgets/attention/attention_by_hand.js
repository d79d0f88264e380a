// Three words with vectors of two numbers. data: words, longest (the range of an entry); state: query, key, value [[x, y]] by
// word, looks (the word whose query is used), moves [kind, word] (what the sliders move).

// What word `looks` sees: its scores, the scaled ones, the weights and the weighted mean of the values.
function attend(query, key, value, looks) {
  const scores = key.map(([x, y]) => query[looks][0] * x + query[looks][1] * y);
  const scaled = scores.map((score) => score / Math.SQRT2);
  const weights = softmax(scaled);
  const output = [0, 1].map((axis) => weights.reduce((sum, w, j) => sum + w * value[j][axis], 0));
  return { scores, scaled, weights, output };
}
const two = (value) => signed(value, 2);
const bracket = (value) => (two(value).startsWith("−") ? `(${two(value)})` : two(value));
const pair = ([x, y]) => `(${two(x)}, ${two(y)})`;

export default {
  render({ model, el }) {
    const [words, longest] = [model.get("words"), model.get("longest")];
    const start = JSON.stringify(["query", "key", "value"].map((kind) => model.get(kind)));
    const change = (values) => { for (const [key, value] of Object.entries(values)) model.set(key, value); model.save_changes(); };
    const put = (kind, word, vector) => change({ [kind]: model.get(kind).map((old, i) => (i === word ? vector : old)), moves: [kind, word] });
    const look = (word) => change({ looks: word, ...(model.get("moves")[0] === "query" ? { moves: ["query", word] } : {}) });

    const lookers = words.map((word, i) => lm.button(word, () => look(i)));
    const choices = () => [["query", model.get("looks")], ...["key", "value"].flatMap((kind) => words.map((_, i) => [kind, i]))];
    const chooser = lm.select([], "", (name) => { const [kind, word] = name.split(" "); change({ moves: [kind, Number(word)] }); });
    const slide = (axis) => {
      const [kind, word] = model.get("moves");
      put(kind, word, model.get(kind)[word].map((old, i) => (i === axis ? Number(sliders[axis].value) : old)));
    };
    const sliders = [0, 1].map((axis) => lm.slider({ min: -longest, max: longest, step: 0.1, oninput: () => slide(axis) }));
    const names = sliders.map(() => lm.h("span", { class: "lm-hand-number" }));
    const again = lm.button("Start again", () => { const [query, key, value] = JSON.parse(start); change({ query, key, value }); });
    const planes = ["fit", "take"].map((name) => lm.svg("svg", { class: `lm-hand-plane lm-hand-${name}`, viewBox: "0 0 340 300", role: "img" }));
    // What is drawn anew at each step, and above it the tips that fingers hold: those stay, or a drag would end.
    const drawings = planes.map(() => lm.svg("g"));
    const grips = [["query", 0], ...["key", "value"].flatMap((kind) => words.map((_, i) => [kind, i]))].map(([kind, i]) => {
      const node = lm.svg("circle", { class: "lm-hand-grip", r: 17, "data-grip": kind === "query" ? kind : `${kind} ${i}` });
      return { node, plane: kind === "value" ? 1 : 0, name: () => [kind, kind === "query" ? model.get("looks") : i] };
    });
    planes.forEach((plane, p) => plane.append(drawings[p], ...grips.filter((grip) => grip.plane === p).map((grip) => grip.node)));
    const cards = lm.h("div", { class: "lm-hand-cards" }), result = lm.h("p", { class: "lm-hand-result", "data-stat": "output" });
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" },
        lm.h("div", { class: "lm-field" }, lm.h("span", {}, "Who looks?"), lm.h("div", { class: "lm-buttons lm-hand-lookers", role: "group", "aria-label": "Who looks?" }, ...lookers)),
        lm.field("Move the", chooser), again),
      lm.h("div", { class: "lm-controls" }, lm.field(["first entry, to the right ", names[0]], sliders[0], true), lm.field(["second entry, upwards ", names[1]], sliders[1], true)),
      lm.h("div", { class: "lm-hand-planes" },
        lm.h("div", {}, lm.h("p", { class: "lm-heading" }, "Who fits: the query (solid) and the keys (dashed)"), planes[0]),
        lm.h("div", {}, lm.h("p", { class: "lm-heading" }, "What is taken: values, their weighted sum (dotted)"), planes[1])),
      cards, result);

    const UNIT = 150 / (longest + 0.35), at = ([x, y]) => [170 + UNIT * x, 150 - UNIT * y];
    const line = (from, to, name) => lm.svg("line", { class: name, x1: from[0], y1: from[1], x2: to[0], y2: to[1] });
    const arrow = (vector, name, which) => {
      const [tip, angle] = [at(vector), Math.atan2(-vector[1], vector[0])];
      const wing = (turn) => [tip[0] - 11 * Math.cos(angle + turn), tip[1] - 11 * Math.sin(angle + turn)].map((v) => v.toFixed(2)).join(",");
      return lm.svg("g", { class: `lm-hand-arrow lm-hand-${name}`, "data-vector": which },
        line(at([0, 0]), tip, "lm-hand-shaft"), lm.svg("path", { class: "lm-hand-tip", d: `M${tip.map((v) => v.toFixed(2)).join(",")}L${wing(0.42)}L${wing(-0.42)}Z` }));
    };
    // Names beyond the tips, each moved down or up until it covers no tip and no name before it.
    const label = (entries) => {
      const placed = entries.map(([vector]) => [at(vector)[0], at(vector)[1] + 4, 5]);
      return entries.map(([vector, text, name]) => {
        const [x, y] = at(vector), size = Math.hypot(...vector) || 1, half = 4 * text.length;
        const cx = Math.min(338 - half, Math.max(2 + half, x + ((half + 9) * vector[0]) / size));
        const wish = Math.min(294, Math.max(13, y - (16 * vector[1]) / size + 4));
        const free = (cy) => cy > 10 && cy < 296 && placed.every(([px, py, other]) => Math.abs(px - cx) > half + other || Math.abs(py - cy) > 14);
        const cy = [0, 15, -15, 22, -22, 30, -30, 45, -45].map((shift) => wish + shift).find(free) ?? wish;
        placed.push([cx, cy, half]);
        return lm.svg("text", { class: `lm-hand-name lm-hand-name-${name}`, x: cx, y: cy, "text-anchor": "middle" }, text);
      });
    };
    const grid = () => Array.from({ length: 2 * longest + 1 }, (_, i) => i - longest).flatMap((v) => [
      line(at([v, -longest]), at([v, longest]), v ? "lm-rule" : "lm-hand-axis"), line(at([-longest, v]), at([longest, v]), v ? "lm-rule" : "lm-hand-axis")]);

    const drawPlanes = (query, key, value, looks, { weights, output }) => {
      drawings[0].replaceChildren(...grid(), ...key.map((k, j) => arrow(k, "key", `key ${j}`)), arrow(query[looks], "query", `query ${looks}`),
        ...label([[query[looks], `q ${words[looks]}`, "query"], ...key.map((k, j) => [k, `k ${words[j]}`, "key"])]));
      // The weighted values one after the other lead from the origin to the output.
      const stops = weights.reduce((list, w, j) => [...list, list.at(-1).map((c, axis) => c + w * value[j][axis])], [[0, 0]]);
      drawings[1].replaceChildren(...grid(), lm.svg("polygon", { class: "lm-hand-hull", points: value.map((v) => at(v).join(",")).join(" ") }),
        ...value.map((v, j) => arrow(v, "value", `value ${j}`)),
        lm.svg("polyline", { class: "lm-hand-chain", points: stops.map((stop) => at(stop).map((v) => v.toFixed(3)).join(",")).join(" ") }), arrow(output, "output", "output"),
        ...label([[output, `output ${words[looks]}`, "output"], ...value.map((v, j) => [v, `v ${words[j]}`, "value"])]));
      planes[0].setAttribute("aria-label", `The query of ${words[looks]} ${pair(query[looks])} and the keys: ${words.map((word, j) => `${word} ${pair(key[j])}`).join(", ")}`);
      planes[1].setAttribute("aria-label", `The values: ${words.map((word, j) => `${word} ${pair(value[j])}`).join(", ")}; the output ${pair(output)}`);
    };

    const step = (name, formula, key, number) => lm.h("div", { class: "lm-hand-step" }, lm.h("span", { class: "lm-hand-what" }, name),
      lm.h("span", { class: "lm-hand-formula" }, formula), lm.h("b", { "data-stat": key, "data-value": String(number) }, `= ${two(number)}`));
    const card = (j, query, key, looks, { scores, scaled, weights }) => {
      const powers = scaled.map((score) => `e^${bracket(score)}`);
      return lm.h("div", { class: "lm-hand-card" },
        lm.h("p", { class: "lm-hand-word" }, words[looks], " → ", lm.h("b", {}, words[j])),
        step("score q · k", `${two(query[looks][0])} · ${bracket(key[j][0])} + ${bracket(query[looks][1])} · ${bracket(key[j][1])}`.replaceAll(" · ", "\u00a0·\u00a0"), `score${j}`, scores[j]),
        step("scaled, ÷ √2", `${two(scores[j])} / 1.41`, `scaled${j}`, scaled[j]),
        step("weight", `${powers[j]} / (${powers.join(" + ")})`, `weight${j}`, weights[j]),
        lm.h("span", { class: "lm-hand-track", "aria-hidden": "true" }, lm.h("span", { class: "lm-hand-bar", style: `width:${100 * weights[j]}%` })));
    };

    const draw = () => {
      const [query, key, value, looks, [kind, word]] = ["query", "key", "value", "looks", "moves"].map((name) => model.get(name));
      const seen = attend(query, key, value, looks), { weights, output } = seen;
      lookers.forEach((button, i) => button.setAttribute("aria-pressed", String(i === looks)));
      chooser.replaceChildren(...choices().map(([k, i]) => lm.h("option", { value: `${k} ${i}` }, `${k} of “${words[i]}”`)));
      chooser.value = `${kind} ${word}`;
      sliders.forEach((slider, axis) => {
        slider.value = model.get(kind)[word][axis];
        slider.setAttribute("aria-valuetext", `${kind} of ${words[word]}: ${pair(model.get(kind)[word])}`);
        names[axis].textContent = two(model.get(kind)[word][axis]);
      });
      drawPlanes(query, key, value, looks, seen);
      for (const { node, name } of grips) {
        const [which, i] = name(), [x, y] = at(model.get(which)[i]);
        node.setAttribute("cx", x);
        node.setAttribute("cy", y);
        node.classList.toggle("lm-hand-moved", which === kind && i === word);
      }
      cards.replaceChildren(...words.map((_, j) => card(j, query, key, looks, seen)));
      result.replaceChildren(`output of “${words[looks]}” = ${weights.map((w, j) => `${two(w)} · ${pair(value[j])}`).join(" + ")} `, lm.h("b", {}, `= ${pair(output)}`));
      result.dataset.value = JSON.stringify(output);
      say(`${words[looks]} looks at ${words.map((w, j) => `${w} ${two(weights[j])}`).join(", ")}. Output ${pair(output)}.`);
    };

    // Dragging: the grip under the pointer, then wherever the pointer goes, in steps of a tenth.
    let held = null;
    for (const plane of planes) {
      plane.addEventListener("pointerdown", (event) => {
        held = grips.find((grip) => grip.node === event.target)?.name() ?? null;
        if (!held) return;
        plane.setPointerCapture(event.pointerId);
        event.preventDefault();
        change({ moves: held });
      });
      plane.addEventListener("pointermove", (event) => {
        if (!held) return;
        const box = plane.getBoundingClientRect(), pixel = box.width / 340;
        const raw = [(event.clientX - box.left) / pixel - 170, 150 - (event.clientY - box.top) / pixel].map((v) => v / UNIT);
        put(...held, raw.map((v) => Math.max(-longest, Math.min(longest, Math.round(10 * v) / 10)) + 0));
      });
      // A finger that holds a tip does not scroll the page; touch-action is not heeded inside a drawing.
      plane.addEventListener("touchstart", (event) => grips.some(({ node }) => node === event.target) && event.preventDefault(), { passive: false });
      for (const end of ["pointerup", "pointercancel"]) plane.addEventListener(end, () => { held = null; });
    }
    const heard = "change:query change:key change:value change:looks change:moves";
    model.on(heard, draw);
    draw();
    return () => model.off(heard, draw);
  },
};
