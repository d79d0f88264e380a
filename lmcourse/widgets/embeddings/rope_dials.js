// RoPE as dials. data: query, key (entries 2i and 2i + 1 are pair i), speeds [radians per position], max_position;
// state: m, n. A pair (a, b) is drawn as a hand with a upwards and b to the right, so that turning is clockwise.
const turn = ([a, b], angle) => [a * Math.cos(angle) - b * Math.sin(angle), a * Math.sin(angle) + b * Math.cos(angle)];

// What each pair adds to the dot product of the query at m and the key at n: both are really turned.
function products(query, key, speeds, m, n) {
  return speeds.map((speed, i) => {
    const q = turn(query.slice(2 * i, 2 * i + 2), m * speed);
    const k = turn(key.slice(2 * i, 2 * i + 2), n * speed);
    return q[0] * k[0] + q[1] * k[1];
  });
}
const sum = (values) => values.reduce((total, value) => total + value, 0);
// A number without a minus sign before zero, and with a true minus sign.
const signed = (value, digits) => lm.number(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value, digits).replace("-", "−");

export default {
  render({ model, el }) {
    const [query, key, speeds, last] = ["query", "key", "speeds", "max_position"].map((name) => model.get(name));
    const pair = (vector, i) => vector.slice(2 * i, 2 * i + 2);
    const longest = Math.max(...speeds.flatMap((_, i) => [Math.hypot(...pair(query, i)), Math.hypot(...pair(key, i))]));
    const go = (m, n) => { model.set("m", m); model.set("n", n); model.save_changes(); };
    const mSlider = lm.slider({ min: 0, max: last, step: 1, oninput: () => go(Number(mSlider.value), model.get("n")) });
    const nSlider = lm.slider({ min: 0, max: last, step: 1, oninput: () => go(model.get("m"), Number(nSlider.value)) });
    // The value of this one is the smaller of the two positions; the distance stays.
    const both = lm.slider({ min: 0, step: 1, oninput: () => {
      const shift = Number(both.value) - Math.min(model.get("m"), model.get("n"));
      go(model.get("m") + shift, model.get("n") + shift);
    } });
    const dials = lm.h("div", { class: "lm-rope-dials" });
    const plot = lm.h("div", { class: "lm-rope-plot" });
    const stats = lm.stats([["m", "Query's position m"], ["n", "Key's position n"], ["distance", "Distance n − m"], ["dot", "Dot product"]]);
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Query's position m", mSlider, true), lm.field("Key's position n", nSlider, true),
        lm.field("Shift both, the distance stays", both, true)),
      lm.h("p", { class: "lm-note lm-rope-key" }, lm.h("span", { class: "lm-rope-q" }, "q: query, solid"), lm.h("span", { class: "lm-rope-k" }, "k: key, dashed"),
        "the wedge is the angle from q to k"),
      dials, stats.node, plot);

    const drawDial = (i, m, n) => {
      const radius = 58, cx = 84, cy = 82, speed = speeds[i];
      const ends = [[query, m, "q"], [key, n, "k"]].map(([vector, position, name]) => {
        const [up, right] = turn(pair(vector, i), position * speed);
        return { name, angle: Math.atan2(right, up), size: Math.hypot(up, right) / longest };
      });
      const at = (angle, r) => [cx + r * Math.sin(angle), cy - r * Math.cos(angle)];
      const delta = Math.atan2(Math.sin(ends[1].angle - ends[0].angle), Math.cos(ends[1].angle - ends[0].angle));
      const [from, to] = [at(ends[0].angle, 30), at(ends[0].angle + delta, 30)].map((p) => p.map((v) => v.toFixed(2)).join(","));
      const svg = lm.svg("svg", { viewBox: "0 0 168 160", "aria-hidden": "true" },
        lm.svg("circle", { class: "lm-rope-face", cx, cy, r: radius }),
        ...Array.from({ length: 12 }, (_, hour) => {
          const [a, b] = [at((hour * Math.PI) / 6, radius - (hour % 3 ? 4 : 8)), at((hour * Math.PI) / 6, radius)];
          return lm.svg("line", { class: "lm-rule", x1: a[0], y1: a[1], x2: b[0], y2: b[1] });
        }),
        Math.abs(delta) > 1e-9 ? lm.svg("path", { class: "lm-rope-wedge", d: `M${cx},${cy}L${from}A30,30 0 0 ${delta > 0 ? 1 : 0} ${to}Z` }) : "");
      // Names keep clear of each other where the hands lie together.
      const gap = Math.max(0, 0.36 - Math.abs(delta)) / 2, side = delta < 0 ? 1 : -1;
      ends.forEach(({ name, angle, size }, which) => {
        const [x, y] = at(angle, size * (radius - 6));
        const [tx, ty] = at(angle + (which ? -side : side) * gap, radius + 13);
        svg.append(lm.svg("line", { class: `lm-rope-hand-${name}`, x1: cx, y1: cy, x2: x, y2: y }),
          lm.svg("circle", { class: `lm-rope-tip-${name}`, cx: x, cy: y, r: 4.5 }),
          lm.svg("text", { class: `lm-rope-name-${name}`, x: tx, y: ty + 4.5, "text-anchor": "middle" }, name));
      });
      const difference = (n - m) * speed, product = products(query, key, speeds, m, n)[i];
      return lm.h("div", { class: "lm-rope-dial" }, svg,
        lm.h("p", { class: "lm-rope-label" }, lm.h("b", {}, `Pair ${i + 1}`), `: w = ${lm.tick(speed)}`),
        lm.h("p", { class: "lm-rope-angle", "data-stat": `angle${i}`, "data-value": String(difference) },
          `(n − m) w = ${signed(difference, 2)} rad`),
        lm.h("p", { class: "lm-rope-angle", "data-stat": `product${i}`, "data-value": String(product) }, `${signed((difference * 180) / Math.PI, 0)}°, adds ${signed(product, 2)}`));
    };

    const drawPlot = (m, n) => {
      const width = Math.max(260, plot.getBoundingClientRect().width), height = 208, left = 44, right = width - 10, top = 44, bottom = 168;
      // By distance: the query stays at 0 and the key goes to n - m.
      const dots = Array.from({ length: 2 * last + 1 }, (_, i) => sum(products(query, key, speeds, 0, i - last)));
      const [low, high] = [Math.min(0, ...dots), Math.max(0, ...dots)];
      const x = (distance) => left + ((distance + last) / (2 * last)) * (right - left);
      const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
      const here = sum(products(query, key, speeds, m, n));
      const svg = lm.svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Dot product against distance: ${signed(here, 3)} at n − m = ${signed(n - m, 0)}` },
        lm.svg("text", { class: "lm-strong", x: 0, y: 12 }, "Dot product against the distance n − m"));
      for (const value of [0, low, high].filter((value, i) => !i || Math.abs(y(value) - y(0)) > 15))
        svg.append(lm.svg("line", { class: "lm-rule", x1: left, x2: right, y1: y(value), y2: y(value) }),
          lm.svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, signed(value, 1)));
      for (const distance of [-last, -last / 2, 0, last / 2, last].filter(Number.isInteger))
        svg.append(lm.svg("text", { x: x(distance), y: bottom + 18, "text-anchor": distance === -last ? "start" : distance === last ? "end" : "middle" }, signed(distance, 0)));
      const [px, py] = [x(n - m), y(here)];
      svg.append(
        lm.svg("text", { x: (left + right) / 2, y: height - 4, "text-anchor": "middle" }, "distance n − m, key minus query"),
        lm.svg("line", { class: "lm-rope-mark", x1: px, x2: px, y1: top - 7, y2: bottom }),
        lm.svg("path", { class: "lm-rope-line", d: dots.map((value, i) => `${i ? "L" : "M"}${x(i - last).toFixed(1)},${y(value).toFixed(1)}`).join("") }),
        ...dots.map((value, i) => lm.svg("circle", { class: "lm-rope-dot", cx: x(i - last), cy: y(value), r: 2.2 })),
        lm.svg("circle", { class: "lm-rope-now", cx: px, cy: py, r: 6.5 }),
        lm.svg("text", { class: "lm-strong", x: px, y: top - 11, "text-anchor": n - m > 0.9 * last ? "end" : n - m < -0.9 * last ? "start" : "middle" }, signed(here, 3)));
      plot.replaceChildren(svg);
    };

    const draw = () => {
      const [m, n] = [model.get("m"), model.get("n")];
      const dot = sum(products(query, key, speeds, m, n));
      both.max = last - Math.abs(n - m);
      for (const [slider, value, text] of [[mSlider, m, `m = ${m}`], [nSlider, n, `n = ${n}`], [both, Math.min(m, n), `m = ${m}, n = ${n}`]]) {
        slider.value = value;
        slider.setAttribute("aria-valuetext", text);
      }
      dials.replaceChildren(...speeds.map((_, i) => drawDial(i, m, n)));
      stats.set("m", lm.number(m), m);
      stats.set("n", lm.number(n), n);
      stats.set("distance", signed(n - m, 0), n - m);
      stats.set("dot", signed(dot, 4), dot);
      drawPlot(m, n);
      say(`Query at ${m}, key at ${n}, distance ${n - m}: dot product ${signed(dot, 4)}.`);
    };
    model.on("change:m change:n", draw);
    draw();
    const watch = new ResizeObserver(() => drawPlot(model.get("m"), model.get("n")));
    watch.observe(plot);
    return () => { watch.disconnect(); model.off("change:m change:n", draw); };
  },
};
