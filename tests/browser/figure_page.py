"""What the tests of all figures have in common: a page to put them on, their numbers, and a live model without a kernel."""

from pathlib import Path

from lmcourse.figures import Figure

LIVE = """async ([esm, values]) => {
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = (await import(url)).default;
  const listeners = {}, saved = [];
  const model = { get: (key) => values[key], save_changes: () => saved.push({ ...values }),
    set(key, value) { values[key] = value; (listeners["change:" + key] ?? []).forEach((f) => f()); },
    on(names, f) { for (const name of names.split(" ")) (listeners[name] ??= []).push(f); },
    off(names, f) { for (const name of names.split(" ")) listeners[name] = listeners[name].filter((g) => g !== f); } };
  const el = document.querySelector("main");
  const stop = await module.render({ model, el });
  Object.assign(window, { model, saved, stop, listeners });
}"""


def write_page(folder: Path, *figures: Figure) -> Path:
    """A page that has nothing but figures; it takes its own colours from the theme as pages do."""
    path = folder / "page.html"
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Figures</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        '<style>body { margin: 0 auto; max-width: 52rem; padding: 0 16px; } html[data-theme="dark"] '
        "{ background: #14181e; color: #ced6dd; }</style></head><body><main><h1>Figures</h1>"
        + "\n".join(figure.html() for figure in figures)
        + "</main></body></html>",
        encoding="utf-8",
    )
    return path


def stat(figure, key: str) -> float:
    return float(figure.locator(f"[data-stat={key}]").get_attribute("data-value"))
