// A map of words. data: words, beyond (neighbours that are not on the map), classes, class_of [class by word],
// neighbours [[[word, cosine]] by word], layouts {name: [[x, y]] between 0 and 1}; state: word, projection.
const COLOURS = 5;
// Shapes of radius r around (x, y), so that classes differ without colour.
const poly = (...points) => (x, y, r) => `M${points.map(([dx, dy]) => `${(x + dx * r).toFixed(1)},${(y + dy * r).toFixed(1)}`).join("L")}Z`;
const SHAPES = [
  (x, y, r) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`,
  poly([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]), poly([0, -1.2], [1.1, 0.9], [-1.1, 0.9]),
  poly([0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]), poly([0, 1.2], [1.1, -0.9], [-1.1, -0.9]),
  poly([-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4], [0.4, 1.1], [-0.4, 1.1], [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]),
];
const shapeOf = (kind) => SHAPES[kind % SHAPES.length]; // 5 colours and 6 shapes: 30 classes that differ

export default {
  render({ model, el }) {
    const [words, beyond, classes, classOf, neighbours, layouts] =
      ["words", "beyond", "classes", "class_of", "neighbours", "layouts"].map((key) => model.get(key));
    const nameOf = (i) => words[i] ?? beyond[i - words.length];
    let hovered = -1, points = [], width = 0, height = 0;
    const chosen = () => Math.max(0, words.indexOf(model.get("word")));
    const choose = (i) => { hovered = -1; model.set("word", words[i]); model.save_changes(); };

    let id = "lm-map-words";
    for (let copy = 2; document.getElementById(id); copy += 1) id = `lm-map-words-${copy}`; // the figure may come twice
    const search = lm.h("input", { type: "text", class: "lm-map-search", list: id, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "data-lm-suppress-shortcuts": "true", placeholder: "type a word, Enter finds it", oninput: () => find(false), onchange: () => find(true) });
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") find(true); });
    const layout = Object.keys(layouts).map((name) => lm.button(name, () => { model.set("projection", name); model.save_changes(); }));
    const missing = lm.h("p", { class: "lm-note lm-map-missing" });
    const lines = lm.svg("g", { "aria-hidden": "true" }), dots = lm.svg("g", { role: "presentation" }), labels = lm.svg("g", { "aria-hidden": "true" });
    const svg = lm.svg("svg", { class: "lm-map-svg", role: "listbox", "aria-label": "Words on the map; arrow keys go to the next word in that direction",
      "data-lm-suppress-shortcuts": "true" }, lines, dots, labels);
    const nodes = words.map((word, i) => lm.svg("g", { class: `lm-map-word lm-map-c${classOf[i] % COLOURS}`, role: "option", "aria-label": `${word}, ${classes[classOf[i]]}`, "data-index": i }, lm.svg("path")));
    dots.append(...nodes);
    const host = lm.h("div", { class: "lm-map-host" }, svg);
    const heading = lm.h("p", { class: "lm-map-name" });
    const list = lm.h("ol", { class: "lm-map-list" });
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Find a word", search, true),
        layout.length > 1 ? lm.h("div", { class: "lm-buttons lm-map-layouts", role: "group", "aria-label": "Projection" }, ...layout) : null),
      lm.h("datalist", { id }, ...words.map((word) => lm.h("option", { value: word }))), missing,
      lm.h("ul", { class: "lm-map-legend" }, ...classes.map((name, kind) => lm.h("li", {},
        lm.svg("svg", { viewBox: "0 0 14 14", class: `lm-map-swatch lm-map-c${kind % COLOURS}`, "aria-hidden": "true" }, lm.svg("path", { d: shapeOf(kind)(7, 7, 5) })), name))),
      lm.h("div", { class: "lm-map-columns" }, host, lm.h("div", {}, heading, list)));

    const find = (now) => {
      const typed = search.value.trim().toLowerCase();
      let at = words.findIndex((word) => word.toLowerCase() === typed);
      if (at < 0 && now && typed) at = words.findIndex((word) => word.toLowerCase().startsWith(typed));
      missing.textContent = at < 0 && now && typed ? `No word of the map begins with “${search.value.trim()}”.` : "";
      if (at >= 0) choose(at);
      if (at >= 0 && now) search.value = "";
    };
    // The nearest word whose direction is within 45 degrees of the arrow; those off the line count as farther.
    const step = (from, dx, dy) => {
      let best = from, least = Infinity;
      points.forEach(([x, y], i) => {
        const along = (x - points[from][0]) * dx + (y - points[from][1]) * dy;
        const aside = Math.abs((x - points[from][0]) * dy) + Math.abs((y - points[from][1]) * dx);
        if (i !== from && along > 0 && aside <= along && along + 2 * aside < least) [best, least] = [i, along + 2 * aside];
      });
      return best;
    };
    svg.addEventListener("keydown", (event) => {
      const arrow = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      const to = arrow ? step(chosen(), ...arrow) : { Home: 0, End: words.length - 1 }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      choose(to);
      nodes[to].focus();
    });
    const pointed = (event) => {
      const box = svg.getBoundingClientRect();
      const far = points.map(([x, y]) => Math.hypot(x - event.clientX + box.left, y - event.clientY + box.top));
      const least = Math.min(...far);
      return least < 24 ? far.indexOf(least) : -1;
    };
    const hover = (i) => { if (i !== hovered) { hovered = i; mark(); } };
    svg.addEventListener("pointermove", (event) => event.pointerType === "mouse" && hover(pointed(event)));
    svg.addEventListener("pointerleave", () => hover(-1));
    svg.addEventListener("click", (event) => { const i = pointed(event); if (i >= 0) { choose(i); nodes[i].focus({ preventScroll: true }); } });

    // Labels in order of importance, each where it covers no label and no marked point; what finds no room has none.
    const ruler = document.createElement("canvas").getContext("2d");
    const wideness = (text, strong) => {
      ruler.font = `${strong ? "650 12.5px" : "400 12px"} ${getComputedStyle(el).fontFamily}`;
      return ruler.measureText(text).width + 2;
    };
    const write = (first, rest) => {
      const taken = first.map((i) => [points[i][0] - 6, points[i][1] - 6, points[i][0] + 6, points[i][1] + 6, i]);
      const place = (i, spots, strong) => {
        const wide = wideness(words[i], strong), [x, y] = points[i];
        for (const [side, dx, dy] of spots) {
          const left = side === "start" ? x + dx : side === "end" ? x + dx - wide : x - wide / 2;
          const box = [left, y + dy - 11, left + wide, y + dy + 3];
          if (box[0] < 0 || box[2] > width || box[1] < 0 || box[3] > height) continue;
          if (taken.some((t) => t[4] !== i && t[0] < box[2] && t[2] > box[0] && t[1] < box[3] && t[3] > box[1])) continue;
          taken.push([...box, -1]);
          return lm.svg("text", { class: strong ? "lm-map-label lm-map-marked" : "lm-map-label", x: side === "start" ? x + dx : side === "end" ? x + dx : x, y: y + dy,
            "text-anchor": side, "data-label": words[i] }, words[i]);
        }
        return null;
      };
      const spots = [["start", 8, 4], ["end", -8, 4], ["middle", 0, -9], ["middle", 0, 17]];
      const more = [...spots, ["start", 7, -6], ["end", -7, -6], ["start", 7, 14], ["end", -7, 14], ["start", 16, 4], ["end", -16, 4], ["middle", 0, -20], ["middle", 0, 28]];
      const marked = first.map((i) => place(i, more, true));
      nodes.forEach((_, i) => taken.push([points[i][0] - 4, points[i][1] - 4, points[i][0] + 4, points[i][1] + 4, i]));
      return [...rest.map((i) => place(i, spots.slice(0, 2), false)), ...marked].filter(Boolean);
    };

    const mark = () => {
      const at = hovered >= 0 ? hovered : chosen();
      const near = neighbours[at].map(([i]) => i).filter((i) => i < words.length);
      const first = [at, ...near];
      lines.replaceChildren(...near.map((i) => lm.svg("line", { class: "lm-map-edge", x1: points[at][0], y1: points[at][1], x2: points[i][0], y2: points[i][1] })));
      nodes.forEach((node, i) => {
        node.classList.toggle("lm-map-near", near.includes(i));
        node.classList.toggle("lm-map-chosen", i === at);
        node.setAttribute("aria-selected", String(i === chosen()));
        node.setAttribute("tabindex", i === chosen() ? 0 : -1);
        node.firstChild.setAttribute("d", shapeOf(classOf[i])(...points[i], i === at ? 7 : near.includes(i) ? 5.5 : 3.6));
      });
      labels.replaceChildren(...write(first, words.map((_, i) => i).filter((i) => !first.includes(i))));
      heading.replaceChildren(lm.h("b", {}, words[at]), `, ${classes[classOf[at]]}: nearest by cosine`);
      const held = list.contains(document.activeElement);
      list.replaceChildren(...neighbours[at].map(([i, cosine]) => lm.h("li", { "data-word": nameOf(i), "data-cosine": cosine },
        i < words.length ? lm.button(words[i], () => choose(i)) : lm.h("span", { class: "lm-map-off" }, nameOf(i), lm.h("span", { class: "lm-note" }, " not on the map")),
        lm.h("span", { class: "lm-map-cosine" }, lm.number(cosine, 2).replace("-", "−")),
        lm.h("span", { class: "lm-map-track" }, lm.h("span", { class: "lm-map-bar", style: `width:${100 * Math.max(0, cosine)}%` })))));
      if (held) (list.querySelector("button") ?? search).focus();
    };

    const wide = () => Math.max(280, host.getBoundingClientRect().width); // so that a unit is a pixel
    const draw = () => {
      width = wide();
      height = Math.round(Math.min(520, Math.max(width * 0.8, 300)));
      const spots = layouts[model.get("projection")];
      const span = [0, 1].map((axis) => Math.max(...spots.map((p) => p[axis]), 1e-9));
      const scale = Math.min((width - 40) / span[0], (height - 40) / span[1]); // one scale: distances stay true
      points = spots.map(([x, y]) => [(width - scale * span[0]) / 2 + scale * x, (height + scale * span[1]) / 2 - scale * y]);
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      layout.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === model.get("projection"))));
      mark();
      const at = chosen();
      say(`${words[at]}, ${classes[classOf[at]]}. Nearest: ${neighbours[at].map(([i, cosine]) => `${nameOf(i)} ${lm.number(cosine, 2)}`).join(", ")}.`);
    };
    model.on("change:word change:projection", draw);
    draw();
    const watch = new ResizeObserver(() => wide() !== width && draw());
    watch.observe(host);
    return () => { watch.disconnect(); model.off("change:word change:projection", draw); };
  },
};
