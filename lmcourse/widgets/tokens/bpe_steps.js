// Byte-pair encoding, one merge at a time. data: words [[symbols, count], ...], merges [[left, right], ...];
// state: step, the number of merges done.
const ROWS = 8; // pairs shown in the table
const WORDS = 40; // different words shown

function countPairs(words) {
  const counts = new Map(); // JSON of the pair -> [left, right, count]; keeps the order of first sight
  for (const [symbols, count] of words)
    for (let i = 0; i + 1 < symbols.length; i += 1) {
      const key = JSON.stringify([symbols[i], symbols[i + 1]]);
      const entry = counts.get(key) ?? [symbols[i], symbols[i + 1], 0];
      entry[2] += count;
      counts.set(key, entry);
    }
  return counts;
}

function mergePair(symbols, [left, right]) {
  const merged = [];
  for (let i = 0; i < symbols.length; i += 1)
    if (symbols[i] === left && symbols[i + 1] === right) {
      merged.push(left + right);
      i += 1;
    } else merged.push(symbols[i]);
  return merged;
}

// Everything there is to show, for every number of merges.
function allSteps(words, merges) {
  const vocabulary = new Set(words.flatMap(([symbols]) => symbols));
  const steps = [];
  for (let step = 0; step <= merges.length; step += 1) {
    const pairs = countPairs(words);
    const next = merges[step] ? (pairs.get(JSON.stringify(merges[step])) ?? [...merges[step], 0]) : null;
    steps.push({
      words, next,
      pairs: [...pairs.values()].filter((pair) => pair !== next).sort((a, b) => b[2] - a[2]),
      vocabulary: vocabulary.size,
      tokens: words.reduce((sum, [symbols, count]) => sum + symbols.length * count, 0),
    });
    if (!merges[step]) break;
    vocabulary.add(merges[step].join(""));
    words = words.map(([symbols, count]) => [mergePair(symbols, merges[step]), count]);
  }
  return steps;
}

export default {
  render({ model, el }) {
    const merges = model.get("merges");
    const last = merges.length;
    const steps = allSteps(model.get("words"), merges);
    const total = steps[0].words.reduce((sum, [, count]) => sum + count, 0);
    let timer = 0;

    const go = (step) => {
      model.set("step", Math.max(0, Math.min(last, step)));
      model.save_changes();
    };
    const pause = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    const move = (change) => {
      pause();
      go(model.get("step") + change);
    };
    const first = lm.button("Restart", () => { pause(); go(0); });
    const previous = lm.button("Previous", () => move(-1));
    const next = lm.button("Next", () => move(1));
    const play = lm.button("Play", () => {
      if (timer) return pause();
      if (model.get("step") === last) go(0);
      play.textContent = "Pause";
      timer = setInterval(() => {
        if (!el.isConnected) return clearInterval(timer);
        go(model.get("step") + 1);
        if (model.get("step") === last) pause();
      }, 1100);
    });
    const slider = lm.slider({ min: 0, max: last, step: 1, oninput: () => { pause(); go(Number(slider.value)); } });

    const headline = lm.h("p", { class: "lm-bpe-headline" });
    const words = lm.h("ul", { class: "lm-bpe-words" });
    const rows = lm.h("tbody");
    const more = lm.h("p", { class: "lm-note" });
    const stats = lm.stats([["vocabulary", "Vocabulary"], ["tokens", "Tokens in the text"], ["perWord", "Tokens per word"]]);
    const say = lm.announcer(el);
    const head = lm.h("tr", {}, ...["Pair", "Count"].map((text, i) => lm.h("th", { scope: "col", class: i ? "lm-num" : null }, text)), lm.h("td"));
    const hidden = Math.max(0, steps[0].words.length - WORDS);
    el.append(
      lm.h("div", { class: "lm-controls" },
        lm.h("div", { class: "lm-buttons" }, previous, next, play, first),
        lm.field("Merges done", slider, true)),
      headline,
      stats.node,
      lm.h("div", { class: "lm-bpe-columns" },
        lm.h("div", {}, lm.h("p", { class: "lm-heading" }, "The words of the text, cut into tokens"), words,
          hidden ? lm.h("p", { class: "lm-note" }, `and ${lm.number(hidden)} more different words, counted but not shown`) : null),
        lm.h("div", {}, lm.h("table", {}, lm.h("caption", {}, "Neighbouring pairs, most frequent first"), lm.h("thead", {}, head), rows), more)),
    );

    const chip = (symbol, index, fresh) =>
      lm.h("span", { class: `lm-token${index % 2 ? " lm-b" : ""}${fresh ? " lm-new" : ""}` }, lm.visible(symbol));
    const pairRow = (pair, wins, highest) =>
      lm.h("tr", { class: wins ? "lm-bpe-winner" : null },
        lm.h("td", {}, lm.h("span", { class: "lm-tokens" }, chip(pair[0], 0), chip(pair[1], 1))),
        lm.h("td", { class: "lm-num" }, lm.number(pair[2])),
        lm.h("td", {}, lm.h("span", { class: "lm-bpe-bar", style: `width:${(100 * pair[2]) / highest}%` }),
          wins ? lm.h("span", { class: "lm-bpe-mark" }, "merged next") : null));

    const draw = () => {
      const step = model.get("step");
      const now = steps[step];
      const done = step ? merges[step - 1] : null;
      const made = done ? done.join("") : null;
      slider.value = step;
      slider.setAttribute("aria-valuetext", `${step} of ${last}`);
      lm.able(previous, step > 0);
      lm.able(first, step > 0);
      lm.able(next, step < last);
      const times = done ? steps[step - 1].next[2] : 0;
      headline.replaceChildren(...(done
        ? [`Merge ${step} of ${last}: `, chip(done[0], 0), " + ", chip(done[1], 1), " → ", chip(made, 0, true), ` ${lm.number(times)} ${times === 1 ? "time" : "times"}`]
        : [`Before the first of ${last} merges: every character is a token.`]));
      words.replaceChildren(...now.words.slice(0, WORDS).map(([symbols, count]) =>
        lm.h("li", {}, lm.h("span", { class: "lm-bpe-count" }, `${lm.number(count)} ×`),
          lm.h("span", { class: "lm-tokens" }, ...symbols.map((symbol, i) => chip(symbol, i, symbol === made))))));
      const shown = now.next ? [now.next, ...now.pairs] : now.pairs;
      const highest = Math.max(1, ...shown.map((pair) => pair[2]));
      rows.replaceChildren(...shown.slice(0, ROWS).map((pair) => pairRow(pair, pair === now.next, highest)));
      more.textContent = shown.length > ROWS ? `and ${lm.number(shown.length - ROWS)} more pairs` : step === last ? "No merge is left." : "";
      stats.set("vocabulary", lm.number(now.vocabulary), now.vocabulary);
      stats.set("tokens", lm.number(now.tokens), now.tokens);
      stats.set("perWord", lm.number(now.tokens / total, 2), now.tokens / total);
      say(`${headline.textContent}. Vocabulary ${now.vocabulary}, ${now.tokens} tokens.` +
        (now.next ? ` Next: ${lm.visible(now.next[0])} and ${lm.visible(now.next[1])}, ${now.next[2]} times.` : ""));
    };
    model.on("change:step", draw);
    draw();
    return () => { clearInterval(timer); model.off("change:step", draw); };
  },
};
