# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: a language model, end to end
#
# Seven exercises: 20 points, and 4 by hand for an answer in words. They climb: the first takes a few minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the first that
# does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library, NumPy or torch. Importing the answer from `lmcourse` or
# another library is refused, in words, at once; in exercise 6 alone you may use the course's model and its training loop.
# Where nothing else is said, tensors come as float32 and go back as float32; what you do in between is up to you. Leave the
# arguments as they are.

# %% tags=["imports"]
import math

import torch
import torch.nn.functional as F
from torch import Tensor

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("06_language_model")

# %% [markdown]
# ## 1. What is left to draw from · 2 points · 8 minutes
#
# With pencil and paper, before any code. After "the wheel of the" a model gives
#
# | token | `mill` | `cart` | `ship` | `moon` |
# |---|---|---|---|---|
# | probability | 6/12 | 3/12 | 2/12 | 1/12 |
#
# The logits are the logarithms of these. In questions 4 and 5, top-p takes the most probable tokens until their mass
# is **at least** p, and temperature comes first where both are used, as in the lesson.
#
# 1. Temperature 1/2: what is the probability of `mill`?
# 2. The temperature grows and grows. Towards which number does the probability of `mill` go?
# 3. Temperature 1, top-k with k = 2: the probability of `cart`?
# 4. Temperature 1, top-p with p = 0.8: the probability of `ship`?
# 5. Temperature 1/2 **and** top-p with p = 0.7: the probability of `mill`?
#
# Put the five numbers into the list `answers`, such as `answers = [0.5, 0.25, 1 / 3, 0, 1]`; they are rounded to two
# decimals. The panel says only whether all five are right, and what was misunderstood if it knows.


# %% exercise="predict_draws"
def predict_draws() -> list[float]:
    """Return the five probabilities, found by hand: fill the list `answers`."""
    ### BEGIN SOLUTION
    # Temperature 1/2 squares the probabilities: 36, 9, 4 and 1, in all 50. The first alone has 0.72 then, more than 0.7.
    answers = [36 / 50, 1 / 4, 3 / 9, 2 / 11, 1]
    ### END SOLUTION
    return [round(float(answer), 2) for answer in answers]


# %% check="predict_draws"
check(predict_draws)

# %% [markdown]
# ## 2. What the model still reads · 2 points · 12 minutes
#
# A chat has outgrown the context. The model reads at most `context_length` tokens when it predicts the next one. Many
# programs then drop the oldest tokens; but the oldest say what the program is for. So this one keeps the first `n_keep`
# tokens of the prompt for good, and behind them the **newest** of the rest, in order, as many as there is room for.
#
# `contexts(prompt, answer, context_length, n_keep)` gets the ids of the prompt and those that the model then
# said, one after the other. It returns a list with one entry for each token of the answer: the list of ids that
# the model read to predict **that** token. As long as all that stands before it has at most `context_length` tokens,
# nothing is dropped. The prompt has at least `n_keep` tokens, perhaps more than fit, and `n_keep` is less
# than `context_length`. By hand:
#
# - prompt `[1, 2, 3]`, answer `[4, 5, 6]`, context_length 4, n_keep 1: the model reads `[1, 2, 3]` and says 4, reads
#   `[1, 2, 3, 4]` and says 5, reads `[1, 3, 4, 5]` and says 6. These three lists are the result


# %% exercise="contexts"
def contexts(
    prompt: list[int], answer: list[int], context_length: int, n_keep: int
) -> list[list[int]]:
    """Return, for each token of the answer, the ids that the model read to
    predict it.
    """
    ### BEGIN SOLUTION
    read = []
    for said in range(len(answer)):
        tokens = prompt + answer[:said]
        if len(tokens) > context_length:
            tokens = tokens[:n_keep] + tokens[n_keep - context_length :]
        read.append(tokens)
    return read
    ### END SOLUTION


# %% check="contexts"
check(contexts)

# %% [markdown]
# ## 3. Repair the sampler · 3 points · 30 minutes
#
# A colleague wrote a sampler that takes its random numbers from outside, so that the same draw can be made in another
# program. It says odd things. **Four** things are wrong with it.


# %%
def draw_wrong(logits, temperature, top_k, top_p, u):
    law = logits.softmax(dim=-1) / temperature
    law, order = law.sort(dim=-1, descending=True, stable=True)
    law[:, top_k:] = 0
    law = law.masked_fill(law.cumsum(dim=-1) > top_p, 0)
    law = law / law.sum(dim=-1, keepdim=True)
    tokens = (law.cumsum(dim=-1) <= u[:, None]).sum(dim=-1)
    return tokens, law


logits = torch.tensor([[1.0, 3.0, 6.0, 2.0]]).log()
print(draw_wrong(logits, 1.0, 3, 0.7, torch.tensor([0.5])))
print(draw_wrong(logits, 0.5, 4, 1.0, torch.tensor([0.5])))

# %% [markdown]
# Write it right. `draw(logits, temperature, top_k, top_p, u)` gets
#
# - `logits`, (batch, vocab), and `u`, (batch,), a random number from 0 to below 1 for each row,
# - `temperature` > 0, `top_k` ≥ 1, which may be more than there are tokens, and `top_p`, above 0 and at most 1,
#
# and returns `(tokens, law)`, int64 (batch,) and float32 (batch, vocab). `law` holds, **in the order of the ids**, the
# probabilities that the token is drawn with; what cannot be drawn has 0. Each step works on what the one before it has left,
# as a law that adds up to 1: first the temperature; then the `top_k` most probable tokens; then of these the most
# probable ones until their mass is at least `top_p`. Of equal tokens the one with the smaller id comes first: exactly
# `top_k` are kept. `tokens[b]` is the first id at which the probabilities of row b, added up in the order of the ids, are
# **more** than `u[b]`. Logits may be 1000 or -1000. By hand, with logits log 1, log 3, log 6, log 2 and u = 0.5:
#
# - temperature 1, top_k 3, top_p 0.7: of 3, 6 and 2 in 11, the 6 alone is not enough, the 3 reaches 9/11: the law is
#   `[[0, 1/3, 2/3, 0]]`, and the sums 0, 1/3, 1 are more than 0.5 first at id `2`
# - temperature 1/2, top_k 4, top_p 1: the squares 1, 9, 36 and 4 over 50, `[[0.02, 0.18, 0.72, 0.08]]`, and again id `2`


# %% exercise="draw"
def draw(
    logits: Tensor, temperature: float, top_k: int, top_p: float, u: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the tokens [batch] that `u` draws, and the law [batch, vocab]
    that they are drawn from.
    """
    ### BEGIN SOLUTION
    law = (logits / temperature).softmax(dim=-1)
    ranked, order = law.sort(dim=-1, descending=True, stable=True)
    ranked[:, top_k:] = 0
    ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    before = ranked.cumsum(dim=-1) - ranked  # the mass when its turn comes
    ranked = ranked.masked_fill(before >= top_p, 0)
    ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    law = torch.zeros_like(law).scatter(-1, order, ranked)
    more = law.cumsum(dim=-1) > u[:, None]
    # argmax finds the first; where rounding leaves the sum a trace below 1, the last that can be drawn.
    last = law.shape[1] - 1 - (law > 0).int().flip(-1).argmax(-1)
    return torch.where(more.any(-1), more.int().argmax(-1), last), law
    ### END SOLUTION


# %% check="draw"
check(draw)

# %% [markdown]
# ## 4. Half a block, in half precision · 3 points · 25 minutes
#
# The second half of a Llama block: a norm, a gated feed-forward network, and the residual stream that passes both by.
#
# $$n = \frac{x}{\sqrt{\mathrm{mean}(x^2) + \epsilon}} \odot g, \qquad y = x + \bigl(\mathrm{silu}(n\,W_{gate}) \odot (n\,W_{up})\bigr)\, W_{down}$$
#
# with the mean over the d_model numbers of each token, and silu(z) = z · σ(z).
# `half_block(x, gain, W_gate, W_up, W_down, eps)` gets
#
# - `x`, (batch, time, d_model), and `gain`, g, (d_model,),
# - matrices that stand on the **right**: `W_gate` and `W_up` (d_model, d_ff), `W_down` (d_ff, d_model),
#
# and returns y, (batch, time, d_model), in the **type of x**: everything comes in as float32, or everything as float16.
# In a residual stream some numbers grow large, and the largest float16 is 65,504. So the norm, at least, is computed in
# float32. By hand, with d_model 2, d_ff 1, `eps=0`:
#
# - `x = [[[1, 7]]]`, `gain = [5, 5]`: the mean of the squares is 25, so n = `[1, 7]`. With `W_gate = [[0], [0]]` silu
#   is 0 and y = `[1, 7]`
# - `W_gate = [[2], [0]]`, `W_up = [[0], [1]]`, `W_down = [[1, 0]]`: silu(2) = 1.7616, times 7 is 12.3312, so
#   y = `[13.3312, 7]`


# %% exercise="half_block"
def half_block(
    x: Tensor,
    gain: Tensor,
    W_gate: Tensor,
    W_up: Tensor,
    W_down: Tensor,
    eps: float,
) -> Tensor:
    """Return x and what a gated feed-forward network adds to it after
    RMSNorm, [batch, time, d_model].
    """
    ### BEGIN SOLUTION
    wide = x.float()
    size = (wide.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    n = wide / size * gain.float()
    # What fits into float32 may not fit into float16 on the way, so all of it is done in float32.
    hidden = F.silu(n @ W_gate.float()) * (n @ W_up.float())
    return (wide + hidden @ W_down.float()).to(x.dtype)
    ### END SOLUTION


# %% check="half_block"
check(half_block)

# %% [markdown]
# ## 5. A model without its card · 3 points · 25 minutes
#
# Someone hands you a file of weights and no card. The names and shapes say nearly everything. They are those of Llama and its
# kin on the hub, matrices as torch keeps them, (numbers out, numbers in):
#
# | name | shape |
# |---|---|
# | `model.embed_tokens.weight` | (vocab_size, d_model) |
# | `model.layers.7.self_attn.q_proj.weight` | (n_heads · d_head, d_model) |
# | `model.layers.7.self_attn.k_proj.weight`, `v_proj` | (n_kv_heads · d_head, d_model) |
# | `model.layers.7.self_attn.o_proj.weight` | (d_model, n_heads · d_head) |
# | `model.layers.7.mlp.gate_proj.weight`, `up_proj` | (d_ff, d_model) |
# | `model.layers.7.mlp.down_proj.weight` | (d_model, d_ff) |
# | `model.layers.7.input_layernorm.weight`, `post_attention_layernorm` | (d_model,) |
# | `model.norm.weight` | (d_model,) |
# | `lm_head.weight` | (vocab_size, d_model) |
#
# and so on for each layer, counted from 0. There may be biases, named `...bias`. Where the head is **tied** to the embedding, the
# file holds no `lm_head.weight`. Old files hold `...rotary_emb.inv_freq` in each layer: the fixed frequencies of
# RoPE, which are no parameters.
#
# `read_card(shapes, d_head)` gets a dict from names to shapes, in any order, and the length of a head, which
# cannot be seen. It returns a dict with the keys `"n_layers"`, `"d_model"`, `"n_heads"`, `"n_kv_heads"`, `"d_ff"`,
# `"vocab_size"`, each an `int`; `"tied"`, a `bool`; `"parameters"`, how many numbers were learned; and `"cache_bytes"`, the bytes
# that the KV cache needs for **one** token of **one** text, in all layers, with 2 bytes a number. n_heads · d_head need not be
# d_model. By hand:
#
# - one layer, `q_proj` (8, 6), `k_proj` and `v_proj` (4, 6) and d_head 2: four heads, two of keys and values. The cache
#   keeps two keys and two values of 2 numbers each: 16 bytes. (The embedding (10, 6) alone has 60 parameters, and
#   if it is tied, the head has no more.)


# %% exercise="read_card"
def read_card(
    shapes: dict[str, tuple[int, ...]], d_head: int
) -> dict[str, int | bool]:
    """Return the card of a Llama-style model, from the shapes of its weights."""
    ### BEGIN SOLUTION
    learned = {k: s for k, s in shapes.items() if not k.endswith("inv_freq")}
    layers = {k.split(".")[2] for k in learned if ".layers." in k}
    vocab_size, d_model = shapes["model.embed_tokens.weight"]
    first = "model.layers.0."
    queries = shapes[first + "self_attn.q_proj.weight"][0]
    keys = shapes[first + "self_attn.k_proj.weight"][0]
    return {
        "n_layers": len(layers),
        "d_model": d_model,
        "n_heads": queries // d_head,
        "n_kv_heads": keys // d_head,
        "d_ff": shapes[first + "mlp.gate_proj.weight"][0],
        "vocab_size": vocab_size,
        "tied": "lm_head.weight" not in shapes,
        "parameters": sum(math.prod(s) for s in learned.values()),
        "cache_bytes": len(layers) * 2 * keys * 2,
    }
    ### END SOLUTION


# %% check="read_card"
check(read_card)

# %% [markdown]
# ## 6. Reach the bar · 3 points · 60 minutes
#
# Now train one. The text comes from the course's grammar of agreement (`lmcourse.corpora.filler`), in versions of its
# own: the words have other numbers, and other shares. You have **30,000 tokens and 200 steps, each on at most 1,024 tokens**. The
# bar: on contexts that the model has not seen, its loss may be at most **0.3 nats** a token above the floor. Counting pairs
# of words comes to twice that on average, so does a learning rate that is far off; a good recipe comes to 0.15. Each context
# length is judged by itself, and the other texts differ by up to 0.1: aim for 0.2.
#
# `next_log_probs(text, end_id, contexts)` gets
#
# - `text`, uint8 (tokens,): sentences one after the other, from the beginning of one; each ends with the full stop, `end_id`,
# - `contexts`, uint8 (n, time): in each row the first `time` tokens of a text that begins with a sentence; `time` is at most 16,
#
# and returns float32 (n, 91): the natural logarithms of the probabilities that each of the 91 tokens comes **next**. Fill in
# `train_on`, which makes the model, and the end of `next_log_probs`. What stands between them keeps the model of a text, so
# that several questions train once. (While you try recipes, run the cell anew: it empties the store.) You may use
# `LanguageModel`, `train` and `batches_of_rows`, which the next cell brings, or write your own in torch. `train` takes
# pairs (inputs, targets), int64, (rows, time).
#
# How it is judged: by what comes back, not by a loss that you print. The judge knows the true law after each context. It
# checks that each row is a law, takes the mean of the cross-entropy over the contexts and subtracts the
# entropy of the true laws. After handing in, the text may be another, too. A call is stopped after 20 seconds.
# The default sizes are too large; `d_model=64` and one or two layers are enough. (That you made 200 steps and no more, it
# cannot see; that is a matter of honour.)

# %% tags=["imports"]
from lmcourse.language_model import LanguageModel, LanguageModelConfig
from lmcourse.training import (
    TrainConfig,
    batches_of_rows,  # noqa: F401
    next_token_loss,
    train,
)

# %% exercise="next_log_probs"
MODELS = {}  # the trained model of each text


def train_on(text: Tensor, end_id: int) -> torch.nn.Module:
    """Return a model that was trained on `text` in 200 steps."""
    ### BEGIN SOLUTION
    ids = text.long()
    # Rows that begin with a sentence, as the contexts do: a row from the middle lacks what its words refer to.
    starts = (ids == end_id).nonzero()[:, 0] + 1
    starts = starts[starts + 17 <= len(ids)]
    order = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(200):
        chosen = starts[torch.randint(len(starts), (64,), generator=order)]
        rows = ids[chosen[:, None] + torch.arange(17)]  # (64, 17)
        batches.append((rows[:, :-1], rows[:, 1:]))
    # In so few steps one layer comes as far as two, in half the time.
    sizes = {"d_model": 64, "n_heads": 4, "n_layers": 1, "max_length": 16}
    model = LanguageModel(LanguageModelConfig(vocab_size=91, **sizes))
    recipe = TrainConfig(
        steps=200, batch_size=64, lr=7e-3, warmup=30, schedule="cosine"
    )
    train(model, batches, next_token_loss, recipe, progress=False)
    return model
    ### END SOLUTION


def next_log_probs(text: Tensor, end_id: int, contexts: Tensor) -> Tensor:
    """Return the log-probabilities [n, 91] of what comes after each context."""
    key = text.numpy().tobytes()
    if key not in MODELS:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # matrices this small gain nothing from more
        try:
            MODELS[key] = train_on(text, end_id)
        finally:
            torch.set_num_threads(threads)
    ### BEGIN SOLUTION
    with torch.no_grad():
        logits = MODELS[key](contexts.long())  # (n, time, vocab)
    return logits[:, -1].log_softmax(dim=-1)
    ### END SOLUTION


# %% check="next_log_probs"
check(next_log_probs)

# %% [markdown]
# ## 7. One step for texts of different lengths · 4 points · 75 minutes
#
# A server writes many answers at once, and each is somewhere else: one has read 3 tokens, another 3,000. One step of
# decoding takes the newest token of each, puts its key and value into the cache, and lets its query look at all that
# **its own** text has so far. Write the attention of that step: grouped heads, RoPE, and a length for each text.
#
# `decode_step(x, W_q, W_k, W_v, W_o, keys, values, lengths, base)` gets
#
# - `x`, (batch, d_model), what the layer reads for the newest tokens,
# - matrices that stand on the **right**: `W_q` (d_model, n_heads · d_head), `W_k` and `W_v` (d_model, n_kv_heads · d_head),
#   `W_o` (n_heads · d_head, d_model); each head has d_head columns side by side, and neighbouring heads share
#   one head of keys and values, as in chapter 04,
# - the cache: `keys` and `values`, (batch, n_kv_heads, room, d_head). Text b has `lengths[b]` tokens in it, at the places 0, 1, ...
#   What stands behind them is left from other texts and means nothing: it may be **anything, nan included**. There is room for
#   one more in each,
# - `lengths`, int64 (batch,), from 0; `base`, of RoPE,
#
# and returns `(output, keys, values)`: (batch, d_model) and the cache with the new token in it, at place `lengths[b]`; all other
# places come back as they came. They are copies, for the old cache stays as it is. RoPE turns queries and keys by the place
# of their token in its text; the cache keeps keys that have **been turned**. At place p the pair of numbers (2i, 2i + 1) of a head is turned by the angle
# p · base^(-2i / d_head): (a, b) becomes (a cos - b sin, a sin + b cos). Scores are divided by the root of d_head. By hand, with
# d_model = d_head = 2, one head, all matrices the unit matrix and x = `[[1, 0]]`:
#
# - `lengths = [0]`: nothing to turn. The token sees itself alone: the output is `[[1, 0]]`, and place 0 of keys and values is (1, 0)
# - `lengths = [1]`, with the key (1, 0) and the value (0, 1) at place 0: query and key become (cos 1, sin 1) = (0.5403,
#   0.8415), the scores are 0.5403 / √2 and 1 / √2, the weights 0.4194 and 0.5806: the output is `[[0.5806, 0.4194]]`


# %% exercise="decode_step"
def decode_step(
    x: Tensor,
    W_q: Tensor,
    W_k: Tensor,
    W_v: Tensor,
    W_o: Tensor,
    keys: Tensor,
    values: Tensor,
    lengths: Tensor,
    base: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what attention gives to the newest token of each text,
    [batch, d_model], and the cache with that token in it.
    """
    ### BEGIN SOLUTION
    batch, n_kv_heads, room, d_head = keys.shape
    group = W_q.shape[1] // W_k.shape[1]
    pair = torch.arange(0, d_head, 2)
    angle = lengths[:, None] * base ** (-pair / d_head)  # (batch, d_head / 2)
    turn = torch.polar(torch.ones_like(angle), angle)[:, None]

    def turned(y):  # (batch, heads, d_head): a pair as one complex number
        z = torch.view_as_complex(y.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(z * turn).flatten(-2)

    q = turned((x @ W_q).view(batch, -1, d_head))
    k = turned((x @ W_k).view(batch, -1, d_head))
    v = (x @ W_v).view(batch, -1, d_head)

    text = torch.arange(batch)
    keys, values = keys.clone(), values.clone()
    keys[text, :, lengths], values[text, :, lengths] = k, v
    behind = torch.arange(room) > lengths[:, None]  # (batch, room)
    q = q.view(batch, n_kv_heads, group, d_head)
    scores = q @ keys.mT / math.sqrt(d_head)  # (batch, kv, group, room)
    scores = scores.masked_fill(behind[:, None, None], -torch.inf)
    # A weight of 0 does not help against nan: 0 * nan is nan.
    seen = values.masked_fill(behind[:, None, :, None], 0)
    output = (scores.softmax(-1) @ seen).flatten(1) @ W_o
    return output, keys, values
    ### END SOLUTION


# %% check="decode_step"
check(decode_step)

# %% [markdown]
# ## 8. In words · 4 points, graded by hand · 15 minutes
#
# Two language models are for sale. The first says: perplexity 14 per token. The second says: perplexity 22 per token, with a
# vocabulary five times as large. Both were measured on "a test set of news". The buyer, who will use the model for
# letters in Finnish, wants to take the first, "for 14 is less than 22". In 100 to 200 words: explain why the two numbers
# cannot be compared as they stand, and how they are made comparable (say which quantities you need and what you
# compute); name two more things that must be the same for both before the comparison is fair; and say what the buyer
# should measure for the purpose at hand.

# %% [markdown] written="which_perplexity"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# Perplexity per token is the exponential of the mean loss per *token*, and a token is whatever the tokenizer made. A larger vocabulary makes fewer and
# longer tokens; each is harder to guess, yet there are fewer of them. So 22 per token may be the better
# model of the same text. Comparable is what the whole text costs: the sum of the losses in nats, over all tokens, divided by
# the number of bytes (or characters, or words) of the text, and by ln 2 for bits per byte. From perplexity P and the number of tokens T:
# T ln P / (bytes · ln 2). With 4 bytes a token 14 means 0.95 bits per byte; with 5 bytes a token 22 means 0.89, which is less.
# The text must be the same, byte by byte, with nothing normalized away or mapped to <unk>; the context that each token had, too (windows
# that begin anew make first tokens dear; overlap or not), how special tokens are counted; and neither model may have been trained on it.
# For Finnish letters: bits per byte on letters in Finnish that are newer than both models, since a tokenizer made for English may cut
# Finnish words into many pieces, which costs context, time and money (tokens per word); and, since loss is not usefulness, the task itself, judged
# blindly by readers.
#
# Rubric: 1 point for the unit: a token is another piece of text for each model; 1 for a right computation of bits per byte (total
# loss, not perplexity, divided by bytes; also per character or word); 1 for two further conditions, half a point each: same text,
# same context or stride, no contamination, no <unk> or lower-casing, special tokens; 1 for a measurement on the buyer's own kind of text, with
# a number. Half a point off for a claim that is wrong, such as "divide the perplexity by the length of a token" or "a larger vocabulary is
# always better".
# ### END SOLUTION
