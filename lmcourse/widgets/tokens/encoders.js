// The encoders of lmcourse.tokens once more: same text, same ids. Each maker takes what tokenizer_lab.py sends
// and gives text -> [[id, source], ...], where `source` is the text that the token stands for when it is
// unknown, and null when its own name shows it. Strings are handled by code point, as Python does.

// GPT-2's pattern; \s is Unicode's White_Space, which JavaScript's own \s is not.
const GPT2 = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

// GPT-2's table: bytes that print keep their character, the others take those from U+0100 on.
const BYTE_CHARACTERS = (() => {
  const table = [];
  let hidden = 256;
  for (let byte = 0; byte < 256; byte += 1) {
    const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table.push(String.fromCharCode(prints ? byte : hidden++));
  }
  return table;
})();

const idsOf = (vocab) => new Map(vocab.map((token, id) => [token, id]));

// Characters and words: a list of pieces. Without an unknown token Python refuses a piece that is not in the
// list; the page gives it no id.
const WORDS = /[\p{L}\p{M}\p{N}_]+(?:['’\-][\p{L}\p{M}\p{N}_]+)*|[^\p{White_Space}\p{L}\p{M}\p{N}_]/gu;

function makeList({ vocab, unk }, split) {
  const ids = idsOf(vocab);
  const idOrUnknown = (piece) => (ids.has(piece) ? [ids.get(piece), null] : [ids.get(unk) ?? null, piece]);
  return (text) => split(text).map(idOrUnknown);
}
const makeChar = (spec) => makeList(spec, (text) => Array.from(text));
const makeWord = (spec) => makeList(spec, (text) => text.match(WORDS) ?? []);

function makeBpe({ vocab, merges }) {
  const ids = idsOf(vocab);
  const made = []; // by rank, the id that a merge gives; pieces that merges make may be missing at first
  for (let i = 0; i < merges.length; i += 2) {
    const piece = vocab[merges[i]] + vocab[merges[i + 1]];
    if (!ids.has(piece)) ids.set(piece, vocab.push(piece) - 1);
    made.push(ids.get(piece));
  }
  const ranks = new Map(made.map((_, rank) => [`${merges[2 * rank]} ${merges[2 * rank + 1]}`, rank]));
  const encoder = new TextEncoder();
  const known = new Map();
  const encodeWord = (word) => {
    const parts = Array.from(encoder.encode(word), (byte) => ids.get(BYTE_CHARACTERS[byte]));
    for (;;) {
      let best = Infinity, place = 0; // the lowest rank, and of equal ranks the leftmost
      for (let i = 0; i + 1 < parts.length; i += 1) {
        const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Infinity;
        if (rank < best) [best, place] = [rank, i];
      }
      if (best === Infinity) return parts;
      parts.splice(place, 2, made[best]);
    }
  };
  return (text) =>
    (text.match(GPT2) ?? []).flatMap((word) => {
      if (!known.has(word)) known.set(word, encodeWord(word).map((id) => [id, null]));
      return known.get(word);
    });
}

// BERT's clean-up: spaces for white space, no controls, Chinese characters apart, no accents, lower case.
const CJK = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/u;

function bertNormalize(text, lowercase, stripAccents) {
  const cleaned = Array.from(text, (c) => {
    if (/[\t\n\r\p{Zs}\p{Zl}\p{Zp}]/u.test(c)) return " ";
    if (/[\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(c)) return "";
    return CJK.test(c) ? ` ${c} ` : c;
  }).join("");
  const bare = (stripAccents ?? lowercase) ? cleaned.normalize("NFD").replace(/\p{Mn}/gu, "") : cleaned;
  return lowercase ? Array.from(bare, (c) => c.toLowerCase()).join("") : bare;
}

const BERT_WORDS = /[!-/:-@[-`{-~\p{P}]|[^\p{White_Space}!-/:-@[-`{-~\p{P}]+/gu;

function makeWordPiece({ vocab, unk, lowercase, strip_accents: stripAccents, longest_word: longestWord }) {
  const ids = idsOf(vocab);
  const encodeWord = (word) => {
    const signs = Array.from(word);
    const unknown = [[ids.get(unk), word]];
    if (signs.length > longestWord) return unknown;
    const pieces = [];
    for (let start = 0; start < signs.length; ) {
      let end = signs.length;
      const piece = () => (start ? "##" : "") + signs.slice(start, end).join("");
      while (end > start && !ids.has(piece())) end -= 1;
      if (end === start) return unknown;
      pieces.push([ids.get(piece()), null]);
      start = end;
    }
    return pieces;
  };
  return (text) => (bertNormalize(text, lowercase, stripAccents).match(BERT_WORDS) ?? []).flatMap(encodeWord);
}

// Viterbi over log-probabilities. A stretch is scored by itself, between places that no piece crosses, because
// sums of doubles depend on where they begin.
function makeUnigram({ vocab, scores, unk, byte_fallback: byteFallback, nfkc, prefix, words }) {
  const SPACE = "▁", OWN = "\udc00"; // the second is for a ▁ in the text itself
  const ids = idsOf(vocab);
  const score = new Map(scores.flatMap((value, id) => (value === null ? [] : [[vocab[id], value]])));
  const longest = Math.max(...Array.from(score.keys(), (piece) => Array.from(piece).length));
  const unknownScore = Math.min(...score.values()) - 10;
  const neighbours = new Set();
  for (const piece of score.keys()) {
    const signs = Array.from(piece);
    for (let i = 0; i + 1 < signs.length; i += 1) neighbours.add(signs[i] + signs[i + 1]);
  }
  const toStream = (text) => {
    if (nfkc) text = text.normalize("NFKC");
    if (words) text = text.split(/\p{White_Space}+/u).filter(Boolean).join(" ");
    const stream = Array.from(text, (c) => (c === SPACE ? OWN : c === " " ? SPACE : c));
    const wanted = prefix === "always" || (prefix === "unless_space" && stream[0] !== SPACE);
    return stream.length && wanted ? [SPACE, ...stream] : stream;
  };
  const viterbi = (signs) => {
    const best = [0], from = [0];
    for (let end = 1; end <= signs.length; end += 1) {
      best.push(-Infinity);
      from.push(0);
      for (let start = Math.max(0, end - longest); start < end; start += 1) {
        const arc = score.get(signs.slice(start, end).join("")) ?? (end - start === 1 ? unknownScore : null);
        if (arc !== null && best[start] + arc > best[end]) [best[end], from[end]] = [best[start] + arc, start];
      }
    }
    const pieces = [];
    for (let end = signs.length; end; end = from[end]) pieces.push(signs.slice(from[end], end).join(""));
    return pieces.reverse();
  };
  const spell = (pieces) => {
    const tokens = [];
    let afterUnknown = false;
    for (const piece of pieces) {
      const known = score.has(piece), source = piece === OWN ? SPACE : piece;
      if (known) tokens.push([ids.get(piece), null]);
      else if (byteFallback)
        for (const byte of new TextEncoder().encode(source))
          tokens.push([ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`), null]);
      else if (afterUnknown) tokens.at(-1)[1] += source;
      else tokens.push([ids.get(unk), source]);
      afterUnknown = !known;
    }
    return tokens;
  };
  const isCut = (before, after) => !neighbours.has(before + after) && (score.has(before) || score.has(after));
  return (text) => {
    const stream = toStream(text), tokens = [];
    let start = 0;
    for (let i = 1; i <= stream.length; i += 1)
      if (i === stream.length || isCut(stream[i - 1], stream[i])) {
        tokens.push(...spell(viterbi(stream.slice(start, i))));
        start = i;
      }
    return tokens;
  };
}
