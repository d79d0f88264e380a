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
# # Exercises: recurrence
#
# Eight exercises: 20 points, and 4 by hand for an answer in words. They climb: the first takes a few minutes, the last
# is one to be proud of. Each is judged as soon as you run the cell below it: you see which cases pass, the first that
# does not, and often what was misunderstood. Try as often as you like; only the last state counts.
#
# Write the functions yourself, with Python's standard library, NumPy or torch. Importing the answer from `lmcourse`
# or another library is refused, in words, at once. Tensors come as float32 and go back as float32; what you do in
# between, float64 for example, is up to you. Leave the arguments as they are.

# %% tags=["imports"]
import heapq
import itertools
import math

import torch
from torch import Tensor

# %%
from lmcourse.exercises import open_exercises

check = open_exercises("03_recurrence")

# %% [markdown]
# ## 1. One vector a sentence · 2 points · 8 minutes
#
# An encoder has read a batch of sentences in both directions. To classify them you want one vector a sentence: the
# state of each direction after it has read the **whole** sentence, side by side.
#
# `sentence_vectors(outputs, lengths)` gets
#
# - `outputs`, float32 (batch, time, 2 d): at each word the first d numbers are the state of the cell that reads from
#   left to right, the last d that of the cell that reads from right to left. Each stands at the word it has just read.
# - `lengths`, int64 (batch,): how many words each sentence has, at least one. Behind them comes padding, and what
#   stands there means nothing. (Both cells skip it.)
#
# and returns float32 (batch, 2 d). By hand, with d = 1:
#
# - `outputs = [[[1, 10], [2, 20], [9, 90]]]` and `lengths = [2]`: the third column is padding, so `[[2, 10]]`


# %% exercise="sentence_vectors"
def sentence_vectors(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Return the last state of both directions for each sentence,
    [batch, 2 d].
    """
    ### BEGIN SOLUTION
    d = outputs.shape[2] // 2
    rows = torch.arange(len(outputs))
    forwards = outputs[rows, lengths - 1, :d]  # (batch, d)
    backwards = outputs[:, 0, d:]  # it ends where the sentence begins
    return torch.cat([forwards, backwards], dim=1)
    ### END SOLUTION


# %% check="sentence_vectors"
check(sentence_vectors)

# %% [markdown]
# ## 2. Predict what is left · 2 points · 12 minutes
#
# With pencil and paper, before any code. Change something early in a network a little: how many times as large is the
# change that arrives later? That is a derivative. Here are five of them.
#
# 1. Linear: h_t = 0.5 h_{t-1} + x_t, all single numbers. What is dh₅ / dx₂?
# 2. h_t = relu(2 h_{t-1} + x_t) from h₀ = 0, with x = 1, -3, 2, 1. What is dh₄ / dx₁?
# 3. h_t = tanh(2 h_{t-1} + x_t). The states came out as h₁ = 0.9, h₂ = 0.5, h₃ = -0.5. What is dh₃ / dh₁? (The
#    slope of tanh where its value is h is 1 - h².)
# 4. Linear with two numbers: h_t = W h_{t-1} + x_t, where W has the rows (0, 4) and (0.25, 0). A change of h₁ that is
#    one unit long, in the worst direction: how long is it in h₄?
# 5. The memory of an LSTM: c_t = f_t c_{t-1} + i_t g_t. The gates at steps 1 to 4 were f = 0.75, 0.5, 1.0, 0.25 and
#    i = 0.5, 0.25, 0.0, 0.5; take them as given numbers that do not change. What is dc₄ / dg₁?
#
# Put the five numbers into the list `answers`, such as `answers = [1, 0.5, -2, 8, 0.75]`. None has more than four
# decimals. The panel says whether all are right, and which is not when only one is left.


# %% exercise="predict_what_is_left"
def predict_what_is_left() -> list[float]:
    """Return the five derivatives, found by hand: fill the list `answers`."""
    ### BEGIN SOLUTION
    answers = [0.125, 0, 2.25, 4, 0.0625]
    ### END SOLUTION
    return [round(float(answer), 4) for answer in answers]


# %% check="predict_what_is_left"
check(predict_what_is_left)

# %% [markdown]
# ## 3. What the decoder reads, and what it should say · 2 points · 20 minutes
#
# Under teacher forcing a decoder reads `<bos>` and the true words, and at each step should say the next one, at last
# `<eos>`. So a batch is two tensors of the same shape, one step apart.
#
# `decoder_batch(sentences, bos_id, eos_id, pad_id, max_steps)` gets the sentences as lists of ids, without special
# tokens, and returns `(inputs, labels)`, int64 (batch, steps). `steps` is as many as the longest row needs. Shorter
# rows are filled up on the right: the inputs with `pad_id`, the labels with `-100`, which the loss leaves out.
#
# No row has more than `max_steps` steps. What goes beyond is cut off at the end. Mind what follows: a sentence that
# was cut does not end where the row ends, so its row has no `<eos>`.
#
# There is at least one sentence; a sentence may be empty: the decoder should say `<eos>` at once. `pad_id` may be any
# id: in some models it is also `<bos>`, in others `<eos>`, and a word of a sentence may have it, too. Only what was
# filled up is left out of the loss. By hand, with `bos_id=1`, `eos_id=2`, `pad_id=0`:
#
# - sentences `[[5, 6], [7]]`, `max_steps=10`: inputs `[[1, 5, 6], [1, 7, 0]]`, labels `[[5, 6, 2], [7, 2, -100]]`
# - the same with `max_steps=2`: inputs `[[1, 5], [1, 7]]`, labels `[[5, 6], [7, 2]]`


# %% exercise="decoder_batch"
def decoder_batch(
    sentences: list[list[int]],
    bos_id: int,
    eos_id: int,
    pad_id: int,
    max_steps: int,
) -> tuple[Tensor, Tensor]:
    """Return what a decoder reads and what it should say, each
    [batch, steps].
    """
    ### BEGIN SOLUTION
    reads = [[bos_id, *sentence][:max_steps] for sentence in sentences]
    says = [[*sentence, eos_id][:max_steps] for sentence in sentences]
    steps = max(len(row) for row in reads)
    inputs = torch.full((len(reads), steps), pad_id, dtype=torch.int64)
    labels = torch.full((len(reads), steps), -100, dtype=torch.int64)
    for i, (read, say) in enumerate(zip(reads, says, strict=True)):
        inputs[i, : len(read)] = torch.tensor(read)
        labels[i, : len(say)] = torch.tensor(say)
    return inputs, labels
    ### END SOLUTION


# %% check="decoder_batch"
check(decoder_batch)

# %% [markdown]
# ## 4. An LSTM from another house · 3 points · 30 minutes
#
# You inherit the weights of an LSTM that was trained with TensorFlow 1. There is no manual, but there is this summary
# of its `BasicLSTMCell`. With [x, h] the input and the old output side by side, **in this order**:
#
# $$[x_t, h_{t-1}]\, K + b \;=\; \text{four parts, each of } d \text{ numbers, in the order } i, j, f, o$$
#
# $$c_t = \sigma(f + \text{forget\_bias})\; c_{t-1} + \sigma(i) \tanh(j), \qquad h_t = \sigma(o) \tanh(c_t)$$
#
# `forget_bias` is not in the checkpoint: it is added at every step, on top of b. torch has another order (i, f, g, o),
# two matrices that stand the other way round, and no such addition.
#
# `run_checkpoint(x, kernel, bias, forget_bias)` gets `x`, float32 (batch, time, d_in), `kernel`, (d_in + d, 4 d), and
# `bias`, (4 d,), starts from zeros and returns `(outputs, memory)`: all h, float32 (batch, time, d), and the **last**
# c, float32 (batch, d). Write the steps yourself, or bring the weights into torch's order and let `torch.nn.LSTM` run
# them: both are right. By hand, with d_in = d = 1, a kernel of zeros, `bias = [0, 1, -1, 0]`, `forget_bias=1` and two
# steps:
#
# - the gates are all σ(0) = 0.5 and tanh(j) = tanh 1 = 0.7616. So c = 0.3808 and then 0.5 · 0.3808 + 0.3808 =
#   `0.5712`, and the outputs are 0.5 tanh(c), `0.1817` and `0.2581`


# %% exercise="run_checkpoint"
def run_checkpoint(
    x: Tensor, kernel: Tensor, bias: Tensor, forget_bias: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return all outputs [batch, time, d] and the last memory [batch, d] of
    an LSTM with TensorFlow's weights.
    """
    ### BEGIN SOLUTION
    d = kernel.shape[1] // 4
    h = c = x.new_zeros(len(x), d)
    outputs = []
    for x_t in x.unbind(1):
        gates = torch.cat([x_t, h], dim=1) @ kernel + bias  # (batch, 4 d)
        i, j, f, o = gates.chunk(4, dim=1)
        c = (f + forget_bias).sigmoid() * c + i.sigmoid() * j.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs, dim=1), c
    ### END SOLUTION


# %% check="run_checkpoint"
check(run_checkpoint)

# %% [markdown]
# ## 5. Repair the GRU · 3 points · 30 minutes
#
# A colleague wrote the GRU of Chung et al. (2014) for a batch of padded sequences, from memory. It runs, it even
# learns, and it is not that GRU. **Three** things are wrong with it.


# %%
def gru_last_wrong(x, lengths, W, U, b):
    h = torch.zeros(len(x), U.shape[1])
    for t in range(x.shape[1]):
        r_x, z_x, n_x = (x[:, t] @ W.T + b).chunk(3, dim=1)
        r_h, z_h, n_h = (h @ U.T).chunk(3, dim=1)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        h = z * h + (1 - z) * n
    return h


x = torch.tensor([[[1.0], [2.0]]])
W, U, b = torch.tensor([[0.0], [9.0], [1.0]]), torch.zeros(3, 1), torch.zeros(3)
print(gru_last_wrong(x, torch.tensor([2]), W, U, b))
print(gru_last_wrong(x, torch.tensor([1]), W, U, b))

# %% [markdown]
# Write it right. In the paper z says how much of the state is **renewed**, and r acts on the old state **before** the
# matrix. With each of W, U and b cut into three parts in the order r, z, n:
#
# $$r = \sigma(W_r x_t + U_r h_{t-1} + b_r), \qquad z = \sigma(W_z x_t + U_z h_{t-1} + b_z)$$
#
# $$n = \tanh(W_n x_t + U_n (r \odot h_{t-1}) + b_n), \qquad h_t = (1 - z) \odot h_{t-1} + z \odot n$$
#
# `gru_last(x, lengths, W, U, b)` starts from zeros and returns the state after the last **real** step of each
# sequence, float32 (batch, d). `x` is (batch, time, d_in), `lengths` int64 (batch,), from 1 to time; `W` is
# (3 d, d_in), `U` (3 d, d), `b` (3 d,). What stands in `x` behind a sequence means nothing. By hand, with the weights
# above, where z is as good as 1, so that the state is renewed each time:
#
# - `x = [[[1], [2]]]`, lengths `[2]`: tanh 2 = `0.9640`
# - the same with lengths `[1]`: tanh 1 = `0.7615` (z is 0.9999 and not quite 1)


# %% exercise="gru_last"
def gru_last(
    x: Tensor, lengths: Tensor, W: Tensor, U: Tensor, b: Tensor
) -> Tensor:
    """Return the state [batch, d] of the GRU of Chung et al. after the last
    real step of each sequence.
    """
    ### BEGIN SOLUTION
    U_r, U_z, U_n = U.chunk(3)
    h = torch.zeros(len(x), U.shape[1])
    for t in range(x.shape[1]):
        r_x, z_x, n_x = (x[:, t] @ W.T + b).chunk(3, dim=1)
        r, z = torch.sigmoid(r_x + h @ U_r.T), torch.sigmoid(z_x + h @ U_z.T)
        n = torch.tanh(n_x + (r * h) @ U_n.T)
        real = (t < lengths)[:, None]  # (batch, 1)
        h = torch.where(real, (1 - z) * h + z * n, h)
    return h
    ### END SOLUTION


# %% check="gru_last"
check(gru_last)

# %% [markdown]
# ## 6. Design a memory · 2 points · 20 minutes
#
# An LSTM should carry something over very many steps, and you set the bias of its forget gate **before** training, so
# that it can. (Training alone would hardly find it: what is forgotten sends next to no gradient back.) Which bias is
# enough, and no larger than needed?
#
# The gate at step t is σ(bias + a_t). What the input and the state say to it, a_t, is not known beforehand, only that
# it lies between `-push` and `+push`. After n steps the product of the n gates is left of the memory.
#
# `forget_bias(share, steps, push)` returns the smallest bias that **guarantees** that at least `share` of the memory
# is left after `steps` steps, a `float`. `share` lies between 0 and 1, neither included; `steps` is at least 1;
# `push` is not negative. By hand:
#
# - `forget_bias(0.25, 2, 0.0)`: each gate must be at least 0.5, so the bias is `0.0`
# - `forget_bias(0.81, 2, 1.5)`: each gate must be at least 0.9, whose inverse under σ is log(0.9 / 0.1) = 2.1972.
#   With the push against it: `3.6972`
#
# Steps may be a billion. There the gate is so near to 1 that a float64 has hardly a digit left for 1 - gate: work with
# the logarithm of the gate, and look up `math.expm1`.


# %% exercise="forget_bias"
def forget_bias(share: float, steps: int, push: float) -> float:
    """Return the smallest bias with which at least `share` of a memory is
    left after `steps` steps, whatever pushes the gate.
    """
    ### BEGIN SOLUTION
    log_gate = math.log(share) / steps
    # The inverse of the logistic function: log(gate) - log(1 - gate).
    return push + log_gate - math.log(-math.expm1(log_gate))
    ### END SOLUTION


# %% check="forget_bias"
check(forget_bias)

# %% [markdown]
# ## 7. The gradient that truncation leaves · 2 points · 30 minutes
#
# A long text is read in pieces: the state is carried from one to the next, the gradient is not. What gradient does a
# weight then get? Not the true one: what would reach back further is missing. Compute it, for a linear network
#
# $$h_t = W h_{t-1} + x_t, \qquad h_0 = 0, \qquad L = \tfrac{1}{2} \sum_t \lVert h_t - y_t \rVert^2$$
#
# `truncated_gradient(x, y, W, piece)` gets `x` and `y`, float32 (time, d), and `W`, (d, d). It returns what W has
# collected after **one** pass over the text, float32 (d, d): the sum over all pieces of the gradient of the piece's
# loss, where the state that a piece starts with counts as a given number. W is the same all the time. The pieces have
# `piece` steps each; the last may be shorter. Autograd may help you, or do it with the chain rule. By hand,
# with `x = [[1], [1], [1], [1]]`, `y` of zeros and `W = [[2]]`, where the states are 1, 3, 7 and 15:
#
# - `piece=4` cuts nothing. dh₂/dW = h₁ = 1, dh₃/dW = h₂ + 2 · 1 = 5, dh₄/dW = h₃ + 2 · 5 = 17, so that
#   3 · 1 + 7 · 5 + 15 · 17 = `[[293]]`
# - `piece=2` takes h₂ for a given number: dh₃/dW is only 3, and dh₄/dW = 7 + 2 · 3 = 13, so `[[219]]`
# - `piece=1`: 3 · 1 + 7 · 3 + 15 · 7 = `[[129]]`


# %% exercise="truncated_gradient"
def truncated_gradient(x: Tensor, y: Tensor, W: Tensor, piece: int) -> Tensor:
    """Return the gradient [d, d] of W, summed over pieces that each take
    their first state as given.
    """
    ### BEGIN SOLUTION
    W = W.clone().requires_grad_()
    h = torch.zeros(x.shape[1])
    loss = torch.zeros(())
    for t in range(len(x)):
        if t % piece == 0:
            h = h.detach()  # the number goes on, its history does not
        h = W @ h + x[t]
        loss = loss + 0.5 * (h - y[t]).square().sum()
    return torch.autograd.grad(loss, W)[0]
    ### END SOLUTION


# %% check="truncated_gradient"
check(truncated_gradient)

# %% [markdown]
# ## 8. What the beam misses · 4 points · 75 minutes
#
# Greedy decoding and beam search drop the beginnings of sentences that look poor. So they may miss the most probable
# sentence. Then a bad translation has two possible causes: the model ranks badly, or the search did not find what the
# model ranks first. To tell which, one needs the **exact** answer. There are far too many sentences to try them all.
# But each further token can only lower the probability of a sentence, and that is enough: a beginning that is less
# probable than a *complete* sentence already in hand need not be followed.
#
# The decoder is a small RNN. In state h it says the next token with the probabilities softmax(`output` @ h); when it
# has said token w, its state becomes tanh(`W` @ h + `embedding[w]`). It says its **first** token in the state `h`
# that the encoder has handed over. When it says `eos_id`, the sentence is complete.
#
# `most_probable(h, embedding, W, output, eos_id, max_length)` gets `h`, float32 (d,), `embedding` and `output`,
# (vocab, d), and `W`, (d, d). Among all complete sentences of at most `max_length` tokens before the `eos_id` it
# returns the most probable, as `(tokens, log_prob)`: a list of ids without the `eos_id`, which may be empty, and a
# `float`, the natural logarithm of the sentence's probability, `eos_id` included. In the cases no two sentences tie.
# Sentences may have 16 tokens: trying all of them takes longer than you live. Here is a decoder whose state remembers
# only the last token:

# %%
PROBABILITIES = torch.tensor(  # of <eos>, 1 and 2
    [
        [0.90, 0.05, 0.05],  # unused: nothing follows <eos>
        [0.30, 0.30, 0.40],  # after 1
        [0.90, 0.05, 0.05],  # after 2
        [0.20, 0.50, 0.30],  # at the beginning
    ]
)
output = PROBABILITIES.log().T  # (vocab, d): the state picks a column
embedding = 20 * torch.eye(4)[:3]  # tanh(20) is 1
start, W = torch.eye(4)[3], torch.zeros(4, 4)

# %% [markdown]
# By hand, `most_probable(start, embedding, W, output, 0, 5)`:
#
# - greedy decoding says 1, then 2, then `<eos>`: 0.5 · 0.4 · 0.9 = 0.18
# - the empty sentence has 0.2, `[1]` has 0.15, and `[2]` has 0.3 · 0.9 = 0.27: the answer is `([2], -1.3093)`, for
#   log 0.27 is -1.3093. What else begins with 1 has 0.5 · 0.4 = 0.2 at most, so it need not be followed


# %% exercise="most_probable"
def most_probable(
    h: Tensor,
    embedding: Tensor,
    W: Tensor,
    output: Tensor,
    eos_id: int,
    max_length: int,
) -> tuple[list[int], float]:
    """Return the most probable sentence of a recurrent decoder, and the
    natural logarithm of its probability.
    """
    ### BEGIN SOLUTION
    # Best first: what has been said so far, the most probable on top. The first complete sentence to get there has won.
    number = itertools.count()  # so that the heap never compares tensors
    waiting = [(0.0, next(number), [], h.double())]
    while True:
        cost, _, tokens, state = heapq.heappop(waiting)
        if tokens and tokens[-1] == eos_id:
            return tokens[:-1], -cost
        if tokens:
            state = torch.tanh(W.double() @ state + embedding[tokens[-1]])
        costs = -torch.log_softmax(output.double() @ state, dim=0)
        for token, more in enumerate(costs.tolist()):
            if token == eos_id or len(tokens) < max_length:
                entry = (cost + more, next(number), [*tokens, token], state)
                heapq.heappush(waiting, entry)
    ### END SOLUTION


# %% check="most_probable"
check(most_probable)

# %% [markdown]
# ## 9. In words · 4 points, graded by hand · 15 minutes
#
# A firm translates letters with an encoder-decoder of LSTMs. Short letters come out well. In long ones the first
# sentences are right, then names go missing and the ending repeats itself. Two colleagues explain it. One says: the
# last state of the encoder cannot hold a long letter. The other says: the decoder was trained on true words and now
# stumbles over its own mistakes. In 100 to 200 words: explain both causes, say for each what would improve and what
# would not if it alone were true, and propose **one** experiment with the trained model, without training anew, whose
# outcome tells them apart.

# %% [markdown] written="bottleneck_or_exposure"
# ### BEGIN SOLUTION
# A good answer says, in its own words:
#
# The first cause is the bottleneck: however long the letter, the decoder gets one vector of fixed size, and the more
# words, the less room for each. It is also the decoder's state that must keep it while it writes. A larger state or
# looking back at all encoder states (attention) helps; better decoding does not. The second is exposure bias: under
# teacher forcing the decoder read only true prefixes. In use, a mistake leads to a prefix, and a state, it has never
# seen; mistakes follow from mistakes, the more the longer the output. Scheduled sampling may help, and somewhat a beam,
# which keeps other beginnings; a larger state alone does not. An experiment: score long letters under **teacher
# forcing**, position by position, and compare with the model's own decoding. If the loss on late words is high
# although every word before was the true one, the information is not there: the bottleneck. It must be read off the
# words that a true beginning does not give away, names above all, and off equal places in short and long letters: the
# rest can be guessed from what was said. If under teacher forcing those words are predicted as well as in short
# letters and go wrong only with the model's own words, it is exposure bias. Another that counts: short target, long
# source (or the reverse); or forcing the true first half and looking at the rest.
#
# Rubric: 1 point for the bottleneck with its mechanism (fixed size, grows with length); 1 for exposure bias with its
# mechanism (true prefixes in training, own ones in use, errors add up); 1 for a remedy that helps one and not the
# other, for each; 1 for an experiment without training whose two possible outcomes are both read. Half a point off
# for a claim that is wrong, such as "vanishing gradients make a trained model forget while it translates": they make
# it *learn* badly.
# ### END SOLUTION
