// Put in front of every module. Text only ever becomes a text node, so a token "<b>" is shown, not obeyed.
function lmFill(node, attrs, children) {
  for (const [key, value] of Object.entries(attrs)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const lm = {
  // lm.h("button", {class: "x", onclick: f}, "text", child) -> HTML element
  h: (tag, attrs = {}, ...children) => lmFill(document.createElement(tag), attrs, children),
  svg: (tag, attrs = {}, ...children) =>
    lmFill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, children),

  // Native controls. JupyterLab folds a section on ArrowLeft unless the control says hands off.
  button: (text, onclick, attrs = {}) =>
    lm.h("button", { type: "button", "data-lm-suppress-shortcuts": "true", onclick, ...attrs }, text),
  slider: (attrs) => lm.h("input", { type: "range", "data-lm-suppress-shortcuts": "true", ...attrs }),
  select: (options, value, onchange) => {
    const node = lm.h("select", { "data-lm-suppress-shortcuts": "true", onchange: () => onchange(node.value) });
    for (const [key, text] of options) node.append(lm.h("option", { value: key }, text));
    node.value = String(value);
    return node;
  },
  field: (text, control, wide = false) =>
    lm.h("label", { class: wide ? "lm-field lm-field-wide" : "lm-field" }, lm.h("span", {}, text), control),
  // A button that is off stays focusable, so that the keyboard does not lose its place.
  able: (button, on) => (on ? button.removeAttribute("aria-disabled") : button.setAttribute("aria-disabled", "true")),

  // <dl> of numbers: stats([["tokens", "Tokens"]]) -> {node, set(key, text, exact value)}
  stats: (entries) => {
    const cells = {};
    const node = lm.h("dl", { class: "lm-stats" });
    for (const [key, label] of entries) {
      cells[key] = lm.h("dd", { "data-stat": key });
      node.append(lm.h("div", {}, lm.h("dt", {}, label), cells[key]));
    }
    const set = (key, text, value) => {
      cells[key].textContent = text;
      cells[key].dataset.value = String(value);
    };
    return { node, set };
  },

  // A live region that speaks once the reader has stopped moving a control.
  announcer: (el) => {
    const region = lm.h("div", { class: "lm-sr", role: "status", "aria-live": "polite" });
    let timer = 0;
    el.append(region);
    return (text) => {
      clearTimeout(timer);
      timer = setTimeout(() => (region.textContent = text), 350);
    };
  },

  number: (value, digits = 0) =>
    value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  compact: (value, words = ["", " thousand", " million", " billion", " trillion"]) => {
    let power = 0;
    while (power < words.length - 1 && Math.abs(value) >= 1000 ** (power + 1) * 0.9995) power += 1;
    const scaled = value / 1000 ** power;
    return lm.number(scaled, power === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2) + words[power];
  },
  // The same for an axis: [divisor, "million"], so that every tick has one unit.
  unit: (highest) => {
    const names = ["", "thousand", "million", "billion", "trillion", "quadrillion"];
    const power = Math.max(0, Math.min(names.length - 1, Math.floor(Math.log10(highest) / 3 + 1e-9)));
    return [1000 ** power, names[power]];
  },
  tick: (value) => value.toLocaleString("en-GB", { maximumSignificantDigits: 3 }),
  // Spaces and line ends as marks the eye can see; what is invisible altogether by its number.
  visible: (text) => {
    const marked = text.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/\r/g, "␍");
    const number = (sign) => `U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    return /^[\p{Cc}\p{Cf}\p{Z}]+$/u.test(marked) ? Array.from(marked, number).join(" ") : marked;
  },
};
