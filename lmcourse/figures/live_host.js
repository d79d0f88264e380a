// With a kernel: the same frame around the same module, in anywidget's hands.
export default {
  initialize: (context) => lmModule.initialize?.(context),
  render({ model, el }) {
    const { title, caption, alt } = model.get("figure_texts");
    const body = lm.h("div", { class: "lm-body" });
    el.append(
      lm.h("figure", { class: "lm-figure lm-ready", "aria-label": title },
        lm.h("p", { class: "lm-title" }, title), body, lm.h("p", { class: "lm-alt" }, alt),
        lm.h("figcaption", { class: "lm-caption" }, caption)),
    );
    return lmModule.render({ model, el: body });
  },
};
