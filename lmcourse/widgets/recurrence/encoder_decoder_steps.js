// A sentence through encoder and decoder. data: source_vocab, target_vocab [word], glosses, directions (1 or 2), units (shown of
// each direction), width (of each direction), top (guesses a step), and COLUMNS, an entry for each sentence; chances are in per
// cent, and the first guess is what was written. state: shown {sentence, step}.
// Step s: s tokens are read; one step behind the last one the state is handed over; then the decoder writes token after token.

const COLUMNS = ["source", "reference", "right", "met", "encoder", "decoder", "guesses", "chances"];

// Levels from -4 to 4 for each block, time and cell. A character is two digits to the base 9; a digit is the
// difference from the level one step before.
function levelsOf(text, blocks, times, cells) {
  const digits = Array.from(text, (sign) => sign.charCodeAt(0) - 35).flatMap((code) => [Math.floor(code / 9), code % 9]);
  return Array.from({ length: blocks }, (_, block) => {
    let now = Array(cells).fill(0);
    return Array.from({ length: times }, (_, t) => (now = now.map((level, i) => ((level + 4 + digits[(block * times + t) * cells + i]) % 9) - 4)));
  });
}

// A row of cells; all of one level in one path. Negative cells carry a dash, so that the sign is seen without colour.
function bandOf(levels) {
  const paths = new Map();
  levels.forEach((level, i) => level && paths.set(level, `${paths.get(level) ?? ""}M${i},0h1v1h-1z`));
  const dashes = levels.map((level, i) => (level <= -2 ? `M${i + 0.28},.5h.44` : "")).join("");
  return lm.svg("svg", { class: "lm-steps-band", viewBox: `0 0 ${levels.length} 1`, preserveAspectRatio: "none", role: "img" },
    ...[...paths].map(([level, d]) => lm.svg("path", { class: level > 0 ? "lm-steps-plus" : "lm-steps-minus", "fill-opacity": Math.abs(level) / 4, d })),
    dashes ? lm.svg("path", { class: "lm-steps-dash", d: dashes }) : "");
}

export default {
  render({ model, el }) {
    const [sourceVocab, targetVocab, glosses, directions, units, width, top] =
      ["source_vocab", "target_vocab", "glosses", "directions", "units", "width", "top"].map((key) => model.get(key));
    const columns = COLUMNS.map((key) => model.get(key));
    const sentences = columns[0].map((_, i) => Object.fromEntries(COLUMNS.map((key, k) => [key, columns[k][i]])));
    const special = (word) => word === "<eos>";
    const words = sentences.map(({ source }) => source.map((id) => sourceVocab[id]).filter((word) => !special(word)));
    const writtenOf = ({ guesses }) => guesses.map(([id]) => targetVocab[id]);
    const lastStep = ({ source, guesses }) => source.length + 1 + guesses.length;
    const isRight = (one) => special(writtenOf(one).at(-1)) && ![...one.right, ...one.met].includes(0);
    let timer = 0, built = -1, rows = null;

    const shown = () => model.get("shown");
    const go = (step, sentence = shown().sentence) => {
      model.set("shown", { sentence, step: Math.max(0, Math.min(lastStep(sentences[sentence]), step)) });
      model.save_changes();
    };
    const pause = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
    const choose = (sentence) => { pause(); go(0, sentence); };
    const move = (change) => { pause(); go(shown().step + change); };
    const atEnd = () => shown().step >= lastStep(sentences[shown().sentence]);

    // Which sentence: by length, by a word in it, from the list, or by chance.
    const lengths = [...new Set(words.map((text) => text.length))];
    const length = lm.select([["", "any"], ...lengths.map((n) => [n, `${n} words`])], "", () => filter(true));
    const search = lm.h("input", { type: "search", class: "lm-steps-search", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "data-lm-suppress-shortcuts": "true", placeholder: "a word, then Enter", oninput: () => filter(false) });
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); filter(true); } });
    const list = lm.select([], "", (value) => choose(Number(value)));
    const random = lm.button("Random", () => {
      const others = found().filter((i) => i !== shown().sentence);
      if (others.length) choose(others[Math.floor(Math.random() * others.length)]);
    });
    const matches = lm.h("p", { class: "lm-note lm-steps-found" });
    const found = () => {
      const typed = search.value.trim().toLowerCase();
      return sentences.map((_, i) => i).filter((i) => (!length.value || words[i].length === Number(length.value)) && ` ${words[i].join(" ")}`.toLowerCase().includes(typed));
    };
    const filter = (take) => {
      const hits = found();
      matches.textContent = hits.length === sentences.length ? "" : `${hits.length} of ${sentences.length} sentences${hits.length ? "" : ": no such sentence here"}`;
      list.replaceChildren(...lengths.map((n) => [n, hits.filter((i) => words[i].length === n)]).filter(([, some]) => some.length).map(([n, some]) =>
        lm.h("optgroup", { label: `${n} words: ${some.filter((i) => isRight(sentences[i])).length} of ${some.length} right` },
          ...some.map((i) => lm.h("option", { value: i }, `${isRight(sentences[i]) ? "✓" : "✗"} ${words[i].join(" ")}`)))));
      list.value = String(shown().sentence);
      if (take && hits.length && !hits.includes(shown().sentence)) choose(hits[0]);
    };

    const back = lm.button("Back", () => move(-1)), next = lm.button("Step", () => move(1));
    const play = lm.button("Play", () => {
      if (timer) return pause();
      if (atEnd()) go(0);
      play.textContent = "Pause";
      timer = setInterval(() => {
        if (!el.isConnected) return clearInterval(timer);
        go(shown().step + 1);
        if (atEnd()) pause();
      }, 700);
    });
    const restart = lm.button("Restart", () => { pause(); go(0); });
    const slider = lm.slider({ min: 0, step: 1, oninput: () => { pause(); go(Number(slider.value)); } });

    const headline = lm.h("p", { class: "lm-steps-headline" });
    const guesses = lm.h("ol", { class: "lm-steps-guesses" });
    const guessTitle = lm.h("p", { class: "lm-heading" });
    const stats = lm.stats([["read", "Tokens read"], ["written", "Tokens written"], ["wrong", "Wrong so far"], ["missing", "Missing"]]);
    const encoder = lm.h("table", { class: "lm-steps-table" }), decoder = lm.h("table", { class: "lm-steps-table" });
    const written = lm.h("ol", { class: "lm-tokens lm-steps-text" }), truth = lm.h("ol", { class: "lm-tokens lm-steps-text" });
    const say = lm.announcer(el);
    const scale = bandOf(Array.from({ length: 9 }, (_, i) => i - 4));
    scale.setAttribute("aria-label", "Colours from −1, blue, over 0, blank, to +1, orange");
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Length", length), lm.field("Find", search, true), lm.field("Sentence", list, true), random), matches,
      lm.h("div", { class: "lm-controls" }, lm.h("div", { class: "lm-buttons" }, back, next, play, restart), lm.field("Step", slider, true)),
      lm.h("div", { class: "lm-steps-now" }, headline, lm.h("div", {}, guessTitle, guesses)), stats.node,
      lm.h("div", { class: "lm-steps-columns" }, encoder, lm.h("div", {}, decoder,
        lm.h("p", { class: "lm-note lm-steps-scale" }, "−1", scale, "+1"),
        lm.h("p", { class: "lm-note" }, `${directions * units} of ${directions * width} units are shown.`))),
      lm.h("p", { class: "lm-heading lm-steps-gap" }, "Written so far (dashed: wrong)"), written,
      lm.h("p", { class: "lm-heading lm-steps-gap" }, "True translation (tinted: written; dashed: missing)"), truth);

    const chip = (word, kind = "") => lm.h("span", { class: `lm-token ${kind}` }, word);
    const header = (...names) => lm.h("thead", {}, lm.h("tr", {}, ...names.map(([name, kind]) => lm.h("th", { scope: "col", class: `lm-steps-${kind}` }, name))));

    // All rows of a sentence, once; `draw` shows and hides.
    const build = (sentence) => {
      const one = sentences[sentence], n = one.source.length, wide = directions * units;
      const read = levelsOf(one.encoder, directions, n, units), [wrote] = levelsOf(one.decoder, 1, one.guesses.length, wide);
      const bands = one.source.map((_, t) => read.map((direction) => bandOf(direction[t])));
      const states = [[...read[0][n - 1], ...(read[1]?.[0] ?? [])], ...wrote].map(bandOf);
      const lines = one.source.map((id, t) => lm.h("tr", {}, lm.h("th", { scope: "row" }, chip(sourceVocab[id])), ...bands[t].map((band) => lm.h("td", {}, band))));
      encoder.replaceChildren(lm.h("caption", {}, "The encoder reads"), header(["Token", "word"], ...(directions === 2 ? [["from left ↓", "state"], ["from right ↑", "state"]] : [["state", "state"]])), lm.h("tbody", {}, ...lines));
      const fed = ["", "<bos>", ...writtenOf(one)];
      const steps = states.map((band, j) => ({ fed: lm.h("th", { scope: "row" }), out: lm.h("td"), band, word: fed[j], says: fed[j + 1] }));
      decoder.replaceChildren(lm.h("caption", {}, "The decoder writes"), header(["Fed", "fed"], ["state", "state"], ["Writes", "out"]),
        lm.h("tbody", {}, ...steps.map((row) => lm.h("tr", {}, row.fed, lm.h("td", {}, row.band), row.out))));
      [slider.max, built] = [lastStep(one), sentence];
      return { bands, lines, steps };
    };
    // A state that is there, the newest, or one that is handed over.
    const light = (band, there, newest, given, label) => {
      band.classList.toggle("lm-steps-empty", !there);
      band.classList.toggle("lm-steps-newest", there && newest);
      band.classList.toggle("lm-steps-context", given);
      band.setAttribute("aria-label", there ? `${label}${given ? ", handed over" : ""}` : "not yet");
    };
    const percent = (p) => (p < 1 ? "< 1 %" : p > 99 ? "> 99 %" : `${p} %`);

    const draw = () => {
      const { sentence, step } = shown(), one = sentences[sentence], n = one.source.length;
      if (built !== sentence) rows = build(sentence);
      const given = step > n, j = step - n - 1, done = j === one.guesses.length; // j tokens are written
      const source = one.source.map((id) => sourceVocab[id]), said = writtenOf(one);
      rows.bands.forEach((both, t) => both.forEach((band, d) => {
        const age = d ? n - t : t + 1; // the step at which this state comes to be
        light(band, step >= age, step === age, given && age === n, `state after “${source[t]}”${d ? " from the right" : ""}`);
      }));
      rows.lines.forEach((line, t) => line.classList.toggle("lm-steps-here", step === t + 1));
      rows.steps.forEach(({ fed, out, band, word, says }, row) => {
        light(band, given && row <= j, row === j, row === 0 && given, row ? `state after “${word}”` : "first state");
        fed.replaceChildren(row ? (row <= j ? chip(word) : "") : lm.h("span", { class: "lm-steps-soft" }, "context"));
        out.replaceChildren(row && row <= j ? chip(says, one.right[row - 1] ? "" : "lm-unk") : "");
        fed.parentElement.classList.toggle("lm-steps-here", given && row === j);
      });
      const wrong = one.right.slice(0, Math.max(0, j)).filter((ok) => !ok).length, missing = one.met.filter((ok) => !ok).length;
      headline.textContent = step === 0 ? "Nothing has been read: the state is all zeros."
        : step <= n ? `Token ${step} of ${n} is read: “${source[step - 1]}”${directions === 2 ? ` from the left, “${source[n - step]}” from the right` : ""}.`
        : j === 0 ? `The sentence is read. The last state, ${directions * width} numbers, is handed over; the decoder never sees a word of it.`
        : `${j === 1 ? "The decoder is fed “<bos>”" : `Fed back: “${said[j - 2]}”. The decoder`}${j === 1 ? " and" : ""} writes “${said[j - 1]}”${one.right[j - 1] ? "" : ", which is wrong"}.` +
          (done ? ` The end: ${isRight(one) ? "the translation is right." : special(said.at(-1)) ? "the translation has mistakes." : "it was cut off, no <eos> came."}` : "");
      const best = j > 0 ? one.guesses[j - 1] : [];
      guessTitle.textContent = j > 0 ? `Its ${top} most probable tokens` : "What may come next: nothing is written yet";
      guesses.replaceChildren(...best.map((id, k) => lm.h("li", { class: k === 0 ? "lm-steps-taken" : null, "data-word": targetVocab[id], "data-chance": one.chances[j - 1][k] },
        lm.h("span", {}, chip(targetVocab[id]), " ", lm.h("span", { class: "lm-steps-soft" }, glosses[id])),
        lm.h("span", { class: "lm-num" }, percent(one.chances[j - 1][k])),
        lm.h("span", {}, lm.h("span", { class: "lm-steps-bar", style: `width:${one.chances[j - 1][k]}%` })))));
      const token = (id, kind, note) => lm.h("li", {}, chip(targetVocab[id], kind), lm.h("span", { class: "lm-steps-gloss" }, glosses[id] || " "), note ? lm.h("span", { class: "lm-sr" }, note) : null);
      written.replaceChildren(...(j > 0 ? one.guesses.slice(0, j).map(([id], i) => token(id, one.right[i] ? (i === j - 1 ? "lm-new" : "") : "lm-unk", one.right[i] ? "" : "wrong"))
        : [lm.h("li", { class: "lm-note" }, "nothing yet")]));
      let place = -1; // the k-th right word stands for the k-th word met
      const partner = one.right.flatMap((ok, i) => (ok ? [i] : []));
      truth.replaceChildren(...one.reference.map((id, i) => {
        if (one.met[i]) place += 1;
        const has = one.met[i] && partner[place] < j;
        return token(id, has ? "" : done && !one.met[i] ? "lm-unk" : "lm-steps-open", done && !one.met[i] ? "missing" : "");
      }));
      stats.set("read", `${Math.min(step, n)} of ${n}`, Math.min(step, n));
      stats.set("written", `${Math.max(0, j)}`, Math.max(0, j));
      stats.set("wrong", j > 0 ? lm.number(wrong) : "–", wrong);
      stats.set("missing", done ? lm.number(missing) : "–", missing);
      slider.value = step;
      slider.setAttribute("aria-valuetext", `${step} of ${lastStep(one)}`);
      if (list.value !== String(sentence)) list.value = String(sentence);
      lm.able(back, step > 0);
      lm.able(restart, step > 0);
      lm.able(next, !done);
      say(`${headline.textContent}${best.length ? ` ${best.map((id, k) => `${targetVocab[id]} ${percent(one.chances[j - 1][k])}`).join(", ")}.` : ""}`);
    };
    filter(false);
    model.on("change:shown", draw);
    draw();
    return () => { clearInterval(timer); model.off("change:shown", draw); };
  },
};
