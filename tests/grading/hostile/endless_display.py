"""Displays without end: pictures, HTML, updates."""

# %% merge_pair
from IPython.display import HTML, clear_output, display

handle = display(HTML("0"), display_id=True)
while True:
    display(HTML("<b>x</b>" * 1000), {"image/png": "x" * 100_000}, raw=False)
    handle.update(HTML("1"))
    clear_output(wait=True)
