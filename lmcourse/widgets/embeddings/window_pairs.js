// Pairs of a centre and the words around it. data: sentence [word], keep [p] and chances [[u]] by place (a word stays
// in a draw if u < p), longest; state: place (of the centre), window, subsample, draw (a place in chances).

// For each place the places of its context words; null where the word itself was dropped.
function contexts(kept, window) {
  const left = kept.flatMap((stays, place) => (stays ? [place] : []));
  return kept.map((stays, place) => {
    if (!stays) return null;
    const at = left.indexOf(place);
    return left.slice(Math.max(0, at - window), at + window + 1).filter((other) => other !== place);
  });
}

export default {
  render({ model, el }) {
    const [sentence, keep, chances, longest] = ["sentence", "keep", "chances", "longest"].map((key) => model.get(key));
    const change = (key, value) => { model.set(key, value); model.save_changes(); };
    const slider = lm.slider({ min: 0, max: sentence.length - 1, step: 1, oninput: () => change("place", Number(slider.value)) });
    const sizes = Array.from({ length: longest }, (_, i) => [i + 1, `${i + 1} ${i ? "words" : "word"} to each side`]);
    const size = lm.select(sizes, model.get("window"), (value) => change("window", Number(value)));
    const subsample = lm.h("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true", onchange: () => change("subsample", subsample.checked) });
    const again = lm.button("Draw again", () => model.get("subsample") && change("draw", (model.get("draw") + 1) % chances.length));
    const text = lm.h("ol", { class: "lm-tokens lm-pairs-text" });
    const headline = lm.h("p", { class: "lm-pairs-headline" });
    const stats = lm.stats([["kept", "Words kept"], ["here", "Pairs of this centre"], ["sofar", "Pairs so far"], ["all", "Pairs of the sentence"]]);
    const rows = lm.h("tbody");
    const column = (name, number) => lm.h("th", { scope: "col", class: number ? "lm-num" : null }, name);
    const table = lm.h("table", { class: "lm-pairs-table" }, lm.h("caption", {}, "Pairs so far, the newest first"),
      lm.h("thead", {}, lm.h("tr", {}, column("Centre"), column("Context words"), column("Pairs", true))), rows);
    const say = lm.announcer(el);
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Centre of the window", slider, true), lm.field("Window", size)),
      lm.h("div", { class: "lm-controls lm-pairs-drop" }, lm.h("label", { class: "lm-check" }, subsample, "Sub-sample frequent words"), again),
      text, headline, stats.node, table);

    const draw = () => {
      const [place, window, drops] = [model.get("place"), model.get("window"), model.get("subsample")];
      const kept = keep.map((p, i) => !drops || chances[model.get("draw")][i] < p);
      const near = contexts(kept, window);
      const count = (list) => list.reduce((sum, places) => sum + (places ? places.length : 0), 0);
      const mine = near[place] ?? [];
      slider.value = place;
      slider.setAttribute("aria-valuetext", `${sentence[place]}, word ${place + 1} of ${sentence.length}`);
      size.value = String(window);
      subsample.checked = drops;
      lm.able(again, drops);
      text.replaceChildren(...sentence.map((word, i) => {
        const role = !kept[i] ? "dropped" : i === place ? "centre" : mine.includes(i) ? "context" : "other";
        const shown = lm.h("span", { class: `lm-token lm-pairs-${role}${role === "centre" ? " lm-new" : role === "context" ? " lm-b" : ""}` }, word);
        return lm.h("li", { class: i === place ? "lm-pairs-here" : null, onclick: () => change("place", i) }, shown,
          lm.h("span", { class: "lm-pairs-role" }, role === "other" ? "" : role),
          drops ? lm.h("span", { class: "lm-pairs-keep" }, lm.number(keep[i], 2)) : null);
      }));
      headline.textContent = near[place] === null
        ? `“${sentence[place]}” was dropped (it is kept with probability ${lm.number(keep[place], 2)}) and makes no pairs.`
        : `“${sentence[place]}” is paired with ${mine.length ? mine.map((i) => `“${sentence[i]}”`).join(", ") : "nothing: no other word is left"}.`;
      stats.set("kept", `${kept.filter(Boolean).length} of ${sentence.length}`, kept.filter(Boolean).length);
      stats.set("here", lm.number(mine.length), mine.length);
      stats.set("sofar", lm.number(count(near.slice(0, place + 1))), count(near.slice(0, place + 1)));
      stats.set("all", lm.number(count(near)), count(near));
      rows.replaceChildren(...near.slice(0, place + 1).flatMap((places, i) => (places === null ? [] : [
        lm.h("tr", { class: i === place ? "lm-pairs-now" : null, "data-centre": i },
          lm.h("td", {}, lm.h("span", { class: `lm-token${i === place ? " lm-new" : ""}` }, sentence[i])),
          lm.h("td", {}, lm.h("span", { class: "lm-tokens" }, ...places.map((other) => lm.h("span", { class: "lm-token lm-b", "data-context": other }, sentence[other])))),
          lm.h("td", { class: "lm-num" }, String(places.length)))])).reverse());
      say(`${headline.textContent} ${count(near.slice(0, place + 1))} pairs so far, ${count(near)} in the sentence.`);
    };
    const names = "change:place change:window change:subsample change:draw";
    model.on(names, draw);
    draw();
    return () => model.off(names, draw);
  },
};
