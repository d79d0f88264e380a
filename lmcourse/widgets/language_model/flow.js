// One sentence through a language model, stage by stage, and round again. data: names [{name, part}] of the stages of a round, rounds [{text, tokens, ids,
// guesses [[token, probability]], chosen, notes, shapes, labels [column], columns (shown), scales, maps}], an entry for each stage in the last six; a map is
// row after row, each value two hexadecimal digits: 128 for 0, 255 for the scale; state: step.
const SHADES = 8; // on each side of 0

// A map as rows of shades from -8 to 8.
function shadesOf(map, columns) {
  const values = Array.from({ length: map.length / 2 }, (_, i) => Math.round(((parseInt(map.slice(2 * i, 2 * i + 2), 16) - 128) / 127) * SHADES));
  return Array.from({ length: values.length / columns }, (_, j) => values.slice(j * columns, (j + 1) * columns));
}

export default {
  render({ model, el }) {
    const [names, rounds] = [model.get("names"), model.get("rounds")];
    // What every round begins and ends with stands with the first and the last stage.
    const [first, last] = [names[0].part, names.at(-1).part];
    const stages = [...["text", "tokens", "ids"].map((name) => ({ name, part: first })), ...names, { name: "next token", part: last }];
    const total = rounds.length * stages.length;
    const go = (step) => { model.set("step", Math.max(0, Math.min(total - 1, step))); model.save_changes(); };
    const now = () => { const step = model.get("step"); return { step, round: Math.floor(step / stages.length), at: step % stages.length }; };

    const slider = lm.slider({ min: 0, max: total - 1, step: 1, oninput: () => go(Number(slider.value)) });
    const [back, next] = [lm.button("Back", () => go(now().step - 1)), lm.button("Next", () => go(now().step + 1))];
    const again = rounds.map((_, i) => lm.button(`Round ${i + 1}`, () => go(i * stages.length + now().at)));
    const strip = lm.h("div", { class: "lm-flow-strip", role: "radiogroup", "aria-label": "Stages; the arrow keys go from one to the next", "data-lm-suppress-shortcuts": "true" });
    const short = (name) => name.slice(name.lastIndexOf(".") + 1);
    const chips = stages.map(({ name }, i) => lm.button(short(name), () => go(now().round * stages.length + i), { class: "lm-flow-chip", role: "radio", "aria-label": name, tabindex: -1 }));
    stages.forEach(({ part }, i) => {
      if (!i || part !== stages[i - 1].part) strip.append(lm.h("div", { class: "lm-flow-part" }, lm.h("span", { class: "lm-flow-label" }, part)));
      strip.lastChild.append(chips[i]);
    });
    const title = lm.h("p", { class: "lm-flow-title" }), note = lm.h("p", { class: "lm-flow-note" }), host = lm.h("div", { class: "lm-flow-host" });
    const say = lm.announcer(el);
    el.append(lm.h("div", { class: "lm-controls" }, lm.field("Stage", slider, true), lm.h("div", { class: "lm-buttons" }, back, next)),
      rounds.length > 1 ? lm.h("div", { class: "lm-controls lm-buttons lm-flow-rounds", role: "group", "aria-label": "Rounds" }, ...again) : null,
      strip, lm.h("div", { class: "lm-flow-words" }, title, note), host);

    const ruler = document.createElement("canvas").getContext("2d");
    const longest = (words) => {
      ruler.font = `650 13px ${getComputedStyle(el).fontFamily}`;
      return Math.max(0, ...words.map((word) => ruler.measureText(word).width));
    };
    const wide = () => Math.max(280, host.getBoundingClientRect().width); // so that a unit is a pixel
    // A row for each token; negative cells carry a dash, so that the sign is seen without colour.
    const heatMap = ({ tokens, maps, columns, labels, scales }, at) => {
      const rows = shadesOf(maps[at], columns[at]), n = columns[at], words = tokens.map(lm.visible), heads = labels[at].map(lm.visible);
      const left = Math.min(110, longest(words) + 10), cell = Math.min(26, (wide() - left - 4) / n), high = 22;
      const top = heads.length ? Math.min(110, longest(heads)) + 12 : 4, paths = new Map();
      const add = (key, d) => paths.set(key, `${paths.get(key) ?? ""}${d}`);
      rows.forEach((row, j) => row.forEach((shade, i) => {
        const [x, y] = [left + i * cell, top + j * high];
        if (shade) add(shade, `M${x},${y}h${cell}v${high}h${-cell}z`);
        if (shade <= -3) add("dash", `M${x + cell * 0.28},${y + high / 2}h${cell * 0.44}`);
      }));
      const end = top + rows.length * high;
      const svg = lm.svg("svg", { viewBox: `0 0 ${wide()} ${end + 4}`, role: "img", "aria-label": `${rows.length} tokens by ${n} columns, values up to ${lm.tick(scales[at])} in size`, "data-columns": n },
        ...[...paths].sort(([a], [b]) => (a === "dash") - (b === "dash")).map(([shade, d]) => lm.svg("path", shade === "dash" ? { class: "lm-flow-dash", d }
          : { class: shade > 0 ? "lm-flow-plus" : "lm-flow-minus", "fill-opacity": Math.abs(shade) / SHADES, "data-shade": shade, d })),
        lm.svg("rect", { class: "lm-flow-frame", x: left, y: top, width: n * cell, height: end - top }),
        ...words.map((word, j) => lm.svg("text", { class: j === words.length - 1 ? "lm-flow-token lm-flow-newest" : "lm-flow-token", x: left - 6, y: top + j * high + 15.5, "text-anchor": "end" }, word)),
        ...heads.map((word, i) => { const [x, y] = [left + (i + 0.5) * cell + 4, top - 6]; return lm.svg("text", { class: "lm-flow-token", x, y, transform: `rotate(-90 ${x} ${y})` }, word); }));
      svg.style.height = `${end + 4}px`;
      return svg;
    };
    const chipList = (texts, from) => lm.h("ol", { class: "lm-tokens" }, ...texts.map((text, i) => lm.h("li", { class: i >= from ? "lm-token lm-new" : i % 2 ? "lm-token lm-b" : "lm-token" }, ...[text].flat())));
    const bars = ({ guesses, chosen }) => lm.h("ul", { class: "lm-flow-guesses" }, ...guesses.map(([token, p]) => lm.h("li", { class: token === chosen ? "lm-flow-guess lm-flow-taken" : "lm-flow-guess", "data-p": p },
      lm.h("span", { class: "lm-flow-name" }, lm.visible(token)), lm.h("span", { class: "lm-flow-track" }, lm.h("span", { class: "lm-flow-bar", style: `width:${100 * p}%` })),
      lm.h("span", { class: "lm-num" }, `${lm.number(100 * p, 1)}\u00a0%`), lm.h("span", { class: "lm-flow-sign" }, token === chosen ? "✓ taken" : ""))));

    // What a stage shows, its shape in words and its line.
    const content = (round, at) => {
      const one = rounds[round], before = round ? rounds[round - 1] : null, n = one.tokens.length;
      const from = before ? before.tokens.length : n; // what is new since the round before
      if (at === 0) {
        const known = before && one.text.startsWith(before.text) ? before.text : before ? "" : one.text;
        return { shape: `${Array.from(one.text).length} characters`, note: round ? "The text has grown by the token that was taken, and goes in again." : "A text goes in.",
          node: lm.h("p", { class: "lm-flow-text" }, known, known === one.text ? null : lm.h("mark", {}, one.text.slice(known.length))) };
      }
      if (at === 1) return { shape: `${n} tokens`, note: "The tokenizer cuts the text into tokens.", node: chipList(one.tokens.map(lm.visible), from) };
      if (at === 2) return { shape: `(${n},)`, note: "Each token has a number: its row in the table of embeddings.", node: chipList(one.ids.map((id, i) => [lm.h("b", {}, String(id)), lm.h("span", { class: "lm-flow-under" }, lm.visible(one.tokens[i]))]), from) };
      if (at === stages.length - 1) return { shape: "one token", note: `“${lm.visible(one.chosen)}” is taken and written behind the text${round + 1 < rounds.length ? "; then everything begins again." : "."}`, node: bars(one) };
      const i = at - 3, shape = one.shapes[i], hidden = shape.at(-1) > one.columns[i];
      return { shape: `(${shape.join(", ")})${hidden ? `, ${one.labels[i].length ? "" : "the first "}${one.columns[i]} of ${lm.number(shape.at(-1))} shown` : ""}`, note: one.notes[i], node: heatMap(one, i),
        legend: `Orange: above 0. Blue with a dash: below 0. Full colour: ${lm.tick(one.scales[i])}.` };
    };
    const draw = () => {
      const { step, round, at } = now(), held = strip.contains(document.activeElement), { shape, note: line, node, legend } = content(round, at);
      slider.value = step;
      slider.setAttribute("aria-valuetext", `round ${round + 1}, ${stages[at].name}`);
      lm.able(back, step > 0);
      lm.able(next, step < total - 1);
      again.forEach((button, i) => button.setAttribute("aria-pressed", String(i === round)));
      chips.forEach((chip, i) => { chip.setAttribute("aria-checked", String(i === at)); chip.setAttribute("tabindex", i === at ? 0 : -1); });
      title.replaceChildren(lm.h("b", {}, stages[at].name), " ", lm.h("span", { class: "lm-flow-shape" }, shape));
      note.textContent = line;
      host.replaceChildren(node, legend ? lm.h("p", { class: "lm-note lm-flow-legend" }, legend) : "");
      if (held) chips[at].focus({ preventScroll: true });
      say(`Round ${round + 1}, ${stages[at].name}, ${shape}. ${line}`);
    };
    strip.addEventListener("keydown", (event) => {
      const { step, round } = now(), begin = round * stages.length;
      const to = { ArrowRight: step + 1, ArrowDown: step + 1, ArrowLeft: step - 1, ArrowUp: step - 1, Home: begin, End: begin + stages.length - 1 }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      go(to);
    });
    let width = 0;
    model.on("change:step", draw);
    draw();
    const watch = new ResizeObserver(() => { if (wide() !== width) { width = wide(); draw(); } });
    watch.observe(host);
    return () => { watch.disconnect(); model.off("change:step", draw); };
  },
};
