"""Prints and returns text that breaks files and terminals: half characters, zeros, escapes, all line ends."""

# %% first
import sys

odd = "\ud800\0\x1b[2J\x1b]0;HACKED\x07\u202e\r\n\u2028\x85" * 3
sys.stdout.write(odd)


# %% all
def NAME(*args, text=odd, **kwargs):
    print(text)
    if "NAME" == "bpe_encode":
        raise ValueError(text)
    if "NAME" == "cut_word":
        raise type(text, (Exception,), {})(text)
    return {text: text.encode("utf-16", "surrogatepass")}


raise ValueError(odd)
