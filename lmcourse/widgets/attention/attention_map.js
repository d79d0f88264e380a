// Attention maps against the true alignment. data: sentences [{source, target, weights [head][target][source] in
// ten-thousandths, links [target][places in source]}], heads [name]; state: sentence, word (a row), head, truth.
const PER_ONE = 10000;

export default {
  render({ model, el }) {
    const [sentences, heads] = [model.get("sentences"), model.get("heads")];
    const change = (key, value) => { model.set(key, value); model.save_changes(); };
    const open = (at) => { model.set("word", 0); change("sentence", at); };
    const named = sentences.map(({ source }, i) => [i, source.join(" ")]);
    const picker = lm.select(named, model.get("sentence"), (value) => open(Number(value)));
    const head = lm.select(heads.map((name, i) => [i, name]), model.get("head"), (value) => change("head", Number(value)));
    const truth = lm.h("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true", onchange: () => change("truth", truth.checked) });
    const stats = lm.stats([["right", "Right, whole sentence"], ["neighbour", "One place beside it"], ["elsewhere", "Elsewhere"], ["sofar", "Right up to this word"]]);
    const map = weightMap(el, {
      current: () => {
        const { source, target, weights, links } = sentences[model.get("sentence")];
        const rows = weights[model.get("head")].map((row) => row.map((weight) => weight / PER_ONE));
        return { source, target, rows, links, at: Math.min(model.get("word"), target.length - 1), truth: model.get("truth"), judged: true };
      },
      choose: (j) => change("word", j),
      marked: (at, verdicts) => {
        for (const verdict of ["right", "neighbour", "elsewhere"]) showShare(stats, verdict, verdicts, verdict);
        showShare(stats, "sofar", verdicts.slice(0, at + 1), "right");
      },
    });
    el.append(
      lm.h("div", { class: "lm-controls" }, lm.field("Sentence", picker, true), heads.length > 1 ? lm.field("Head", head) : null,
        lm.h("label", { class: "lm-check" }, truth, "True alignment (outlined cells)")),
      map.headline, map.host, stats.node);

    const draw = () => {
      picker.value = String(model.get("sentence"));
      head.value = String(model.get("head"));
      truth.checked = model.get("truth");
      map.draw();
    };
    const names = "change:sentence change:word change:head change:truth";
    model.on(names, draw);
    draw();
    return () => { map.stop(); model.off(names, draw); };
  },
};
