// Gives a module the part of anywidget's model that it needs when there is no kernel: values inlined in the
// page, and change events for what the reader does. `set` tells listeners at once; there is nobody to save to.
function lmStaticHost(module, hash) {
  const root = document.querySelector(`[data-lm-figure="${hash}"]:not(.lm-ready):not(.lm-failed)`);
  if (!root) return;
  if (document.getElementById(root.id) !== root) root.removeAttribute("id"); // the same figure twice on a page
  const values = JSON.parse(root.querySelector(".lm-data").textContent);
  const listeners = new Map();
  const emit = (name, ...args) => [...(listeners.get(name) ?? [])].forEach((listener) => listener(...args));
  const model = {
    get: (key) => values[key],
    set(key, value) {
      if (Object.is(values[key], value)) return;
      values[key] = value;
      emit(`change:${key}`, model, value);
      emit("change", model);
    },
    on(names, listener) {
      for (const name of names.split(/\s+/)) listeners.set(name, [...(listeners.get(name) ?? []), listener]);
    },
    off(names, listener) {
      for (const name of (names ?? [...listeners.keys()].join(" ")).split(/\s+/))
        listeners.set(name, listener ? (listeners.get(name) ?? []).filter((f) => f !== listener) : []);
    },
    save_changes() {},
    send() {},
  };
  const el = root.querySelector(".lm-body");
  try {
    module.initialize?.({ model });
    module.render({ model, el });
    root.classList.add("lm-ready");
  } catch (error) {
    el.replaceChildren(); // the still version below it stays in sight
    root.classList.add("lm-failed");
    console.error(`figure ${hash}:`, error);
  }
}
