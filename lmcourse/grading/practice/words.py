"""Answers in words, from careful to none, as a person has to read them. Keyed by the name of the written answer."""

from __future__ import annotations

import re

WRITTEN = {
    "why_languages": [
        # Good.
        "Two things come together. First, the vocabulary was learned from text that is nearly all English, so common English words "
        "are one token each, and Thai has to be put together from short pieces or bytes. Second, a Thai letter is three bytes "
        "in UTF-8 and there are no spaces, so the splitting rule, which looks for spaces, never finds a word.\n\nThai patients pay three times as much, "
        "but also the letter fills three times as much of the context, so an older letter may be cut off at the front and the answer "
        "stops in the middle when `max_new_tokens` is used up. It is slower, too.\n\nRemedy: train the tokenizer on a balanced mix. Cost: with the same number of "
        "tokens English gets longer, or the vocabulary gets larger and with it the embedding and the output layer; and the "
        "model has to be trained anew.",
        "**Causes.** (1) merges are counted on the training text and that is English; (2) UTF-8 needs 3 bytes for each Thai character, one for English.\n\n"
        "**Harm.** Thai speakers, because 4,096 tokens of context hold only a third of the letter. Whatever stands at the beginning (allergies!) is lost.\n\n"
        "**Remedy.** Add Thai tokens to the vocabulary and train a little more. It costs memory for the new rows of the embedding and the output layer, and the training.",
        # Fair: something is missing.
        "The tokenizer saw little Thai when it was trained, so it did not learn merges for it. Also Thai is written without spaces. Thai people pay more "
        "and they wait longer for an answer because more tokens have to be generated. One could train a new tokenizer with more Thai.",
        "English has one byte per letter and Thai three, so three times as many tokens. The clinic in Thailand runs into the context limit with long letters. "
        "A solution is a byte-level tokenizer.",
        "I think it is the training data. If the corpus was 90 % English then BPE spends its merges on English words. A fairer corpus would help but English would then need a bit more tokens.",
        # Weak or wrong.
        "Thai words have more meaning per word, therefore they need more tokens. The hospital should translate everything into English first, which is free.",
        "Because of unicode.",
        "Tokens are expensive. They should use a cheaper model.",
    ]
}  # fmt: skip


def written_answers(name: str, model_answer: str) -> list[str]:
    """Return answers from good to weak. For a question that is not known here, ever less of the model answer."""
    if name in WRITTEN:
        return WRITTEN[name]
    text = re.sub(r"### (?:BEGIN|END) SOLUTION", "", model_answer).split("Rubric")[0]
    sentences = re.findall(r"[^.:]+[.:]", " ".join(text.split()))
    shares = (1.0, 0.8, 0.5, 0.25)
    return [
        "".join(sentences[: max(1, round(share * len(sentences)))]).strip() for share in shares if sentences
    ] + ["I am not sure."]
