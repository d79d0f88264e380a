// The reader's own sentence under several tokenizers. data: tokenizers [{name, kind, vocab, ...}], samples
// [[label, text], ...]; state: sentence, show_ids.
const MAKERS = { bpe: makeBpe, wordpiece: makeWordPiece, unigram: makeUnigram, char: makeChar, word: makeWord };

// Special tokens are cut out first, the leftmost, the longest where several begin; the rest is encoded.
function makeEncoder(spec) {
  const encode = MAKERS[spec.kind](spec);
  const ids = idsOf(spec.vocab);
  const longestFirst = [...spec.special].sort((a, b) => b.length - a.length);
  const pattern = longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|\/-]/g, "\\$&")).join("|");
  if (!pattern) return (text) => (text ? encode(text) : []);
  const cuts = new RegExp(`(${pattern})`);
  return (text) =>
    text.split(cuts).flatMap((part, i) => (i % 2 ? [[ids.get(part), null]] : part ? encode(part) : []));
}

// Byte characters as the text they spell, with spaces made visible; a piece of a character as its bytes.
const BYTE_OF = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));
function spellBytes(token) {
  const bytes = Uint8Array.from(token, (character) => BYTE_OF.get(character) ?? 0);
  try {
    return lm.visible(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
  }
}

export default {
  render({ model, el }) {
    const rest = "Point at a token, or move through the tokens with the arrow keys, to see its id.";
    const specs = model.get("tokenizers").map((spec) => ({ ...spec, vocab: [...spec.vocab] }));
    const encoders = specs.map(makeEncoder);
    const change = (key, value) => { model.set(key, value); model.save_changes(); };
    const box = lm.h("textarea", { rows: 2, maxlength: 600, spellcheck: "false", autocomplete: "off", autocapitalize: "off",
      "data-lm-suppress-shortcuts": "true", oninput: () => change("sentence", box.value) });
    const showIds = lm.h("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true", onchange: () => change("show_ids", showIds.checked) });
    const say = lm.announcer(el);
    const samples = model.get("samples").map(([label, text]) => lm.button(label, () => change("sentence", text)));
    const panels = specs.map((spec, index) => makePanel(spec, encoders[index], index ? "" : rest));
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Your sentence", box, true)),
      lm.h("div", { class: "lm-controls lm-lab-samples" }, lm.h("span", { class: "lm-heading" }, "Or try"), lm.h("div", { class: "lm-buttons" }, ...samples),
        lm.h("label", { class: "lm-check" }, showIds, "Show ids")),
      ...panels.map((panel) => panel.node));

    const draw = () => {
      const sentence = model.get("sentence");
      const words = sentence.split(/\p{White_Space}+/u).filter(Boolean).length;
      if (box.value !== sentence) box.value = sentence;
      showIds.checked = model.get("show_ids");
      const counts = panels.map((panel) => panel.show(sentence, words, model.get("show_ids")));
      say(`Tokens: ${counts.map((count, i) => `${specs[i].name} ${count}`).join(", ")}.`);
    };
    model.on("change:sentence change:show_ids", draw);
    draw();
    return () => model.off("change:sentence change:show_ids", draw);
  },
};

// One tokenizer's line: name, counts, tokens (one tab stop, then arrow keys), and what the chosen token is.
function makePanel(spec, encode, rest) {
  const counts = lm.h("p", { class: "lm-lab-counts" });
  const list = lm.h("div", { class: "lm-tokens", "data-lm-suppress-shortcuts": "true" });
  const detail = lm.h("p", { class: "lm-note lm-lab-detail" }, rest);
  const node = lm.h("section", { class: "lm-lab-panel", "data-tokenizer": spec.name, "aria-label": spec.name },
    lm.h("div", { class: "lm-lab-head" },
      lm.h("p", { class: "lm-lab-name" }, spec.name, lm.h("span", { class: "lm-note" }, ` ${lm.number(spec.vocab.length)} entries`)), counts),
    list, detail);
  let tokens = [];

  const nameOf = ([id, source]) => {
    const token = spec.vocab[id];
    if (source === null && spec.kind === "bpe" && !spec.special.includes(token)) return spellBytes(token);
    return lm.visible(source ?? token);
  };
  const choose = (index, focus) => {
    [...list.children].forEach((option, i) => {
      option.tabIndex = i === index ? 0 : -1;
      option.setAttribute("aria-selected", String(i === index));
    });
    if (focus) list.children[index].focus();
    const [id, source] = tokens[index];
    const written = (text) => lm.h("span", { class: "lm-lab-written" }, lm.visible(text));
    detail.replaceChildren(`Token ${index + 1} of ${tokens.length} `,
      ...(id === null ? ["is not in the vocabulary and has no id: "] : [`has id ${id}: `, written(spec.vocab[id])]),
      ...(source === null ? [] : [id === null ? "" : " in place of ", written(source)]));
  };
  const indexOf = (event) => [...list.children].indexOf(event.target.closest(".lm-token"));
  for (const name of ["mouseover", "click", "focusin"])
    list.addEventListener(name, (event) => { if (indexOf(event) >= 0) choose(indexOf(event), false); });
  list.addEventListener("keydown", (event) => {
    const now = indexOf(event), last = tokens.length - 1;
    const to = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: last }[event.key];
    if (to === undefined || now < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.max(0, Math.min(last, to)), true);
  });

  const show = (sentence, words, withIds) => {
    tokens = encode(sentence);
    const unknown = tokens.filter(([, source]) => source !== null).length;
    const perWord = words ? lm.number(tokens.length / words, 2) : "–";
    const count = (key, text, label) => lm.h("span", {}, lm.h("b", { "data-stat": key }, text), ` ${label}`);
    counts.replaceChildren(count("tokens", lm.number(tokens.length), tokens.length === 1 ? "token" : "tokens"),
      count("perWord", perWord, "per word"), count("unknown", lm.number(unknown), "unknown"));
    list.replaceChildren(...tokens.map((token, i) =>
      lm.h("span", { class: `lm-token${i % 2 ? " lm-b" : ""}${token[1] === null ? "" : " lm-unk"}`, role: "option",
        tabindex: i ? -1 : 0, "aria-selected": "false", "data-id": token[0] ?? "none",
        "aria-label": `${nameOf(token)}, ${token[1] === null ? "" : "unknown, "}id ${token[0] ?? "none"}` },
      nameOf(token), withIds ? lm.h("span", { class: "lm-lab-id" }, String(token[0] ?? "none")) : null)));
    list.toggleAttribute("hidden", tokens.length === 0);
    for (const [key, value] of [["role", "listbox"], ["aria-orientation", "horizontal"], ["aria-label", `${spec.name}: ${tokens.length} tokens`]])
      if (tokens.length) list.setAttribute(key, value);
      else list.removeAttribute(key);
    detail.textContent = tokens.length ? rest : "Nothing to cut yet.";
    return tokens.length;
  };
  return { node, show };
}
