"""Raises exceptions whose text, name and class do harm to whoever looks at them."""


# %% merge_pair
class NotImplementedError(Exception):
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__

    @property
    def __traceback__(self):
        raise KeyboardInterrupt

    @property
    def __class__(self):
        return type("x" * 10_000_000, (), {})


def merge_pair(ids, pair, new_id):
    raise NotImplementedError


# %% bpe_encode
class Slow(Exception):
    def __str__(self):
        while True:
            pass


def bpe_encode(word, merges):
    raise Slow


# %% cut_word
def cut_word(word, vocab, unk="[UNK]"):
    raise type("\0\ud800<script>alert(1)</script>" * 50, (KeyboardInterrupt,), {})("x" * 10**8)


# %% batch_for_generation
def batch_for_generation(prompts, pad_id, context_length, max_new_tokens):
    raise ExceptionGroup("ValueError", [ValueError() for _ in range(100_000)])


# %% last
raise Slow
