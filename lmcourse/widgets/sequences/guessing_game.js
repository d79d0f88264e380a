// Shannon's guessing game. data: vocab [word], frequencies [p], models [name] (the floor last), confidences
// [[label, p]], sentences [{words, choices, nats, guesses}] with words as places in vocab, and nats and guesses by
// model; state: played {sentence, place, log [[sentence, place, picks, p]]}, confidence (a place in confidences).
const MOST = 12; // words found by a search that are shown

// The reader's law for one word: picks share p equally, the others the rest by frequency. In bits.
function readerBits(picks, p, truth, frequencies) {
  if (!picks.length) return -Math.log2(frequencies[truth]);
  if (picks.includes(truth)) return Math.log2(picks.length / p);
  const others = frequencies.reduce((sum, f, word) => (picks.includes(word) ? sum : sum + f), 0);
  return Math.log2(others / frequencies[truth] / (1 - p));
}

export default {
  render({ model, el }) {
    const [vocab, frequencies, models, sentences, confidences] =
      ["vocab", "frequencies", "models", "sentences", "confidences"].map((key) => model.get(key));
    const rows = ["you", ...models];
    let picks = [];

    const bitsOf = ([at, place, chosen, p]) => {
      const { words, nats } = sentences[at];
      return [readerBits(chosen, p, words[place], frequencies),
        ...nats.map((series) => (series[place] === null ? Infinity : series[place] / Math.LN2))];
    };
    const play = (changes) => {
      picks = [];
      search.value = "";
      model.set("played", { ...model.get("played"), ...changes });
      model.save_changes();
    };
    const answer = () => {
      const { sentence, place, log } = model.get("played");
      if (place >= sentences[sentence].words.length) return;
      play({ place: place + 1, log: [...log, [sentence, place, picks, confidences[model.get("confidence")][1]]] });
      if (place + 1 === sentences[sentence].words.length) next.focus(); // the picker is gone
    };
    const toggle = (word) => {
      picks = picks.includes(word) ? picks.filter((other) => other !== word) : [...picks, word];
      drawChoices();
    };
    const onward = (log) => play({ sentence: (model.get("played").sentence + 1) % sentences.length, place: 0, ...log });

    const progress = lm.h("p", { class: "lm-heading" });
    const text = lm.h("ol", { class: "lm-tokens lm-guess-text" });
    const verdict = lm.h("p", { class: "lm-guess-verdict" });
    const options = lm.h("div", { class: "lm-buttons lm-guess-options", role: "group", "aria-label": "Words to pick" });
    const found = lm.h("p", { class: "lm-note" });
    const search = lm.h("input", { type: "search", class: "lm-guess-search", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "data-lm-suppress-shortcuts": "true", placeholder: "type a word, Enter picks it", oninput: () => drawChoices() });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const typed = search.value.trim();
      search.value = "";
      if (typed && matches(typed).length) toggle(matches(typed)[0]);
      else if (!typed && picks.length) answer();
      drawChoices();
    });
    const levels = lm.h("div", { class: "lm-guess-levels", role: "group", "aria-label": "How sure are you?" },
      lm.h("span", { class: "lm-heading" }, "How sure?"),
      ...confidences.map(([label, p], i) =>
        lm.button(`${label}: ${Math.round(100 * p)} %`, () => { model.set("confidence", i); model.save_changes(); })));
    const show = lm.button("Show the word", () => picks.length && answer(), { class: "lm-guess-show" });
    const skip = lm.button("Skip", () => { picks = []; answer(); });
    const next = lm.button("Next sentence", () => onward());
    const again = lm.button("New game", () => onward({ log: [] }));
    const picker = lm.h("div", { class: "lm-guess-picker" },
      lm.h("p", { class: "lm-heading" }, "What comes next? Pick one word or several"),
      options, found,
      lm.h("div", { class: "lm-controls lm-guess-row" }, lm.field(`Any of the ${vocab.length} words`, search, true), levels));
    const body = lm.h("tbody");
    const column = (name, number) => lm.h("th", { scope: "col", class: number ? "lm-num" : null }, name);
    const table = lm.h("table", { class: "lm-guess-table" }, lm.h("caption"),
      lm.h("thead", {}, lm.h("tr", {}, column("Who, and the guesses"), column("This word", true), column("Average", true), lm.h("td"))), body);
    const say = lm.announcer(el);
    el.append(progress, text, verdict, picker, lm.h("div", { class: "lm-buttons lm-guess-row" }, show, skip, next, again), table);

    // Words that begin as typed, then words that hold it.
    const matches = (typed) => {
      const low = typed.toLowerCase();
      const places = vocab.map((word, i) => [word.toLowerCase().indexOf(low), i]).filter(([at]) => at >= 0);
      return places.sort((a, b) => (a[0] > 0) - (b[0] > 0) || a[1] - b[1]).map(([, i]) => i);
    };
    const drawChoices = () => {
      const { sentence, place } = model.get("played");
      const typed = search.value.trim();
      const hits = typed ? matches(typed) : (sentences[sentence].choices[place] ?? []);
      const words = [...hits.slice(0, MOST), ...picks.filter((word) => !hits.slice(0, MOST).includes(word))];
      const held = el.contains(document.activeElement) ? document.activeElement.dataset.word : undefined;
      options.replaceChildren(...words.map((word) =>
        lm.button(vocab[word], () => toggle(word), { "aria-pressed": String(picks.includes(word)), "data-word": word })));
      if (held !== undefined) options.querySelector(`[data-word="${held}"]`)?.focus();
      found.textContent = typed ? `${hits.length} ${hits.length === 1 ? "word" : "words"} with “${typed}”${hits.length > MOST ? `, ${MOST} of them shown` : ""}` : "";
      lm.able(show, picks.length > 0 && place < sentences[sentence].words.length);
    };
    const percent = (p) => `${lm.number(100 * p, p < 0.0995 ? 1 : 0)} %`;
    const write = (bits) => (bits === Infinity ? "∞" : lm.number(bits, 2));
    const guessesOf = (row, entry) => {
      if (!entry) return "";
      const [at, place, chosen, p] = entry;
      if (row) return sentences[at].guesses[row - 1][place].map(([word, q]) => `${vocab[word]} ${percent(q)}`).join(", ");
      return chosen.length ? `${chosen.map((word) => vocab[word]).join(" ")} ${chosen.length > 1 ? "together " : ""}${percent(p)}` : "skipped: the words' frequencies";
    };

    const draw = () => {
      const { sentence, place, log } = model.get("played");
      const { words } = sentences[sentence];
      const over = place >= words.length;
      const all = log.map(bitsOf);
      const means = rows.map((_, row) => all.reduce((sum, bits) => sum + bits[row], 0) / all.length);
      const last = log.at(-1), bits = all.at(-1);
      const highest = Math.max(1, ...means.filter(Number.isFinite));
      progress.textContent = `Sentence ${sentence + 1} of ${sentences.length}, word ${Math.min(place + 1, words.length)}`;
      text.replaceChildren(...words.slice(0, place).map((word, i) =>
        lm.h("li", { class: `lm-token${i === place - 1 ? " lm-new" : ""}` }, vocab[word])),
        ...(over ? [] : [lm.h("li", { class: "lm-token lm-guess-gap", "aria-label": "the next word" }, "?")]));
      const truth = last ? vocab[sentences[last[0]].words[last[1]]] : "";
      verdict.replaceChildren(...(last
        ? ["It was ", lm.h("b", {}, truth), `. ${last[2].length ? (last[2].includes(sentences[last[0]].words[last[1]]) ? "You had it" : "You did not have it") : "Skipped"}: ${write(bits[0])} bits, a probability of ${percent(2 ** -bits[0])}.`, over ? " The sentence is over." : ""]
        : ["No word has been shown yet."]));
      picker.hidden = show.hidden = skip.hidden = over;
      body.replaceChildren(...rows.map((name, row) => {
        const number = (key, value) => lm.h("td", { class: "lm-num", "data-stat": `${key}${row}`, "data-value": String(value) }, last ? write(value) : "–");
        return lm.h("tr", { class: row ? (row === models.length ? "lm-guess-floor" : null) : "lm-guess-you" },
          lm.h("th", { scope: "row" }, name === "you" ? "You" : name, lm.h("span", { class: "lm-guess-said" }, guessesOf(row, last))),
          number("now", last ? bits[row] : NaN), number("mean", means[row]),
          lm.h("td", { class: "lm-guess-cell" }, last ? lm.h("span", { class: "lm-guess-bar", style: `width:${100 * Math.min(1, means[row] / highest)}%` }) : null));
      }));
      table.caption.textContent = `Bits, lower is better. ${log.length === 1 ? "1 word" : `${log.length} words`} so far`;
      levels.querySelectorAll("button").forEach((button, i) => button.setAttribute("aria-pressed", String(i === model.get("confidence"))));
      drawChoices();
      if (last) say(`${verdict.textContent} Average: you ${write(means[0])}, ${models.map((name, i) => `${name} ${write(means[i + 1])}`).join(", ")} bits per word.`);
    };
    model.on("change:played change:confidence", draw);
    draw();
    return () => model.off("change:played change:confidence", draw);
  },
};
