"""English sentences with agreement, relative clauses, conjunctions, pronouns and words with two senses.

What a sentence must keep in mind: a verb agrees with its subject in number, also across a relative clause; what shines is a
thing and what sleeps is not; pronouns agree in number and gender. Five words have two senses (bark, watch; bat, crane,
seal: an animal or a thing) and every sentence tells which, some before the word and some after it.

The grammar is unambiguous, so its entropy is that of its sentences. Two decisions make it so: a relative clause or a phrase with
"near" belongs to the noun right before it, of which there is one; clauses are joined at the top only.
"""

from __future__ import annotations

from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.rules import choice

NUMBERS = ("singular", "plural")
# kind -> nouns as (singular, plural, sense)
NOUNS = {
    "woman": (("girl", "girls", "girl"), ("woman", "women", "woman"), ("queen", "queens", "queen")),
    "man": (("boy", "boys", "boy"), ("man", "men", "man"), ("king", "kings", "king")),
    "barker": (("dog", "dogs", "dog"), ("seal", "seals", "seal, the animal")),
    "animal": (("cat", "cats", "cat"), ("bat", "bats", "bat, the animal"), ("crane", "cranes", "crane, the bird")),
    "thing": (
        ("lamp", "lamps", "lamp"),
        ("gate", "gates", "gate"),
        ("watch", "watches", "watch, the clock"),
        ("seal", "seals", "seal, the stamp"),
        ("bat", "bats", "bat, the club"),
        ("crane", "cranes", "crane, the machine"),
        ("bark", "bark", "bark of a tree"),
    ),
}  # fmt: skip
HOMONYMS = ("bark", "watch", "watches", "bat", "bats", "crane", "cranes", "seal", "seals")
SHARE = {"woman": 0.3, "man": 0.3, "barker": 0.2, "animal": 0.2}  # of the animate kinds
PRONOUNS = {"woman": ("she", "they"), "man": ("he", "they"), "barker": ("it", "they"), "animal": ("it", "they"), "thing": ("it", "they")}  # fmt: skip
REFLEXIVES = {"woman": "herself", "man": "himself", "barker": "itself", "animal": "itself"}
DETERMINERS = ("the a this every", "the these two some")


def filler(*, relative: float = 0.25, clauses: float = 0.3, skew: float | int = 0.2) -> Grammar:
    """Return the grammar as a source.

    Args:
        relative: the share of subjects and of objects that have a relative clause.
        clauses: the share of sentences with two clauses or more.
        skew: how uneven the words of a class are: probability proportional to 1 / rank ** skew.

    >>> source = filler()
    >>> print(source.sample(18, seed=2).text())
    some small cranes fall .
    these hungry boys that every clever dog feeds hurt themselves .
    a king behind the house admires himself .

    Raises:
        ValueError: a share that is not between 0 and 1.
    """
    for name, share in {"relative": relative, "clauses": clauses}.items():
        if not 0 < share < 1:
            raise ValueError(f"'{name}' must be between 0 and 1, got {share}")
    return Grammar(_sentences(clauses) | _phrases(relative) | _words(skew))


def noun_features() -> dict[str, dict[str, str]]:
    """Return number, gender and animacy of each noun that has one sense: the labels for probes of word vectors.

    >>> noun_features()["queens"]
    {'number': 'plural', 'gender': 'feminine', 'animacy': 'animate'}
    """
    genders = {"woman": "feminine", "man": "masculine"}
    return {
        form: {
            "number": number,
            "gender": genders.get(kind, "neuter"),
            "animacy": "inanimate" if kind == "thing" else "animate",
        }
        for kind, nouns in NOUNS.items()
        for *forms, _ in nouns
        for number, form in zip(NUMBERS, forms, strict=True)
        if form not in HOMONYMS
    }


def _each() -> list[tuple[str, str]]:
    return [(kind, number) for kind in NOUNS for number in NUMBERS]


def _share(kind: str, number: str, things: float = 0.0) -> float:
    """The share of a kind and number where a share `things` of the nouns are things."""
    return (things if kind == "thing" else (1 - things) * SHARE[kind]) * (
        0.6 if number == "singular" else 0.4
    )


def _sentences(clauses: float) -> dict[str, dict[str, float]]:
    """S, its clauses, and the second clause whose pronoun takes up the first one's subject."""
    subjects = {(kind, number): _share(kind, number, things=0.25) for kind, number in _each()}
    with_lead = 0.3 * clauses  # sentences that begin with because or when
    more = (clauses - with_lead) / (1 - with_lead)  # of the others, those that go on after a clause
    rules = {
        "S": {
            "MAIN": 1 - with_lead,
            "because/SCONJ CLAUSE ,/PUNCT CLAUSE": with_lead / 2,
            "when/SCONJ LEAD": with_lead / 2,
        },
        "MAIN": {f"NP_{k}_{n} VP_{k}_{n} MORE_{k}_{n}": 0.92 * p for (k, n), p in subjects.items()}
        | {"PAIR MORE": 0.08},
        "CLAUSE": {f"NP_{k}_{n} VP_{k}_{n}": 0.92 * p for (k, n), p in subjects.items()} | {"PAIR": 0.08},
        "LEAD": {f"NP_{k}_{n} VP_{k}_{n} ,/PUNCT SAME_{k}_{n}": p for (k, n), p in subjects.items()},
        "PAIR": {
            "ANIMATE and/CCONJ ANIMATE VP_animal_plural": 0.75,
            "SIMPLE_thing_singular and/CCONJ SIMPLE_thing_singular VP_thing_plural": 0.25,
        },
        "ANIMATE": {f"SIMPLE_{kind}_singular": share for kind, share in SHARE.items()},
        "MORE": {"": 1 - more, ",/PUNCT JOIN S": more},
        "JOIN": choice("and/CCONJ but/CCONJ", skew=1),
    }
    for kind, number in _each():
        pronoun = PRONOUNS[kind][NUMBERS.index(number)]
        rules[f"MORE_{kind}_{number}"] = {
            "": 1 - more,
            ",/PUNCT JOIN S": 0.4 * more,
            f",/PUNCT JOIN SAME_{kind}_{number}": 0.6 * more,
        }
        rules[f"SAME_{kind}_{number}"] = {f"{pronoun}/PRON VP_{kind}_{number}": 1}
    return rules


def _phrases(relative: float) -> dict[str, dict[str, float]]:
    """Noun and verb phrases, for each kind and number."""
    rules = {
        "OBJECT_animate": {f"NP_{k}_{n}": _share(k, n) for k, n in _each() if k != "thing"},
        "OBJECT_thing": {f"NP_thing_{n}": _share("thing", n, things=1.0) for n in NUMBERS},
    }
    for target in ("animate", "thing"):
        rules[f"AGENT_{target}"] = {
            f"SIMPLE_{k}_{n} HANDLE_{target}_{n}": _share(k, n) for k, n in _each() if k != "thing"
        }
        rules[f"ADJECTIVE_{target}"] = {"": 0.5, f"ADJ_{target}": 0.5}
    for kind, number in _each():
        target = "thing" if kind == "thing" else "animate"
        rules[f"NP_{kind}_{number}"] = {f"SIMPLE_{kind}_{number} POST_{kind}_{number}": 1}
        rules[f"SIMPLE_{kind}_{number}"] = {f"DET_{number} ADJECTIVE_{target} N_{kind}_{number}": 1}
        rules[f"POST_{kind}_{number}"] = {
            "": 0.8 * (1 - relative),
            "P the/DET PLACE": 0.2 * (1 - relative),
            f"that/SCONJ VP_{kind}_{number}": 0.6 * relative,
            f"that/SCONJ AGENT_{target}": 0.4 * relative,
        }
        if kind == "thing":
            rules[f"VP_{kind}_{number}"] = {f"HAPPEN_{number}": 1}
        else:
            reflexive = REFLEXIVES[kind] if number == "singular" else "themselves"
            rules[f"VP_{kind}_{number}"] = {
                f"DO_{'barker_' if kind == 'barker' else ''}{number}": 0.35,
                f"HANDLE_animate_{number} OBJECT_animate": 0.3,
                f"HANDLE_thing_{number} OBJECT_thing": 0.2,
                f"FEEL_{number} {reflexive}/PRON": 0.15,
            }
    return rules


def _words(skew: float | int) -> dict[str, dict[str, float]]:
    """The words of each class; the first is the most frequent."""
    rules = {
        "P": choice("near/ADP behind/ADP", skew=skew),
        "PLACE": choice("house/NOUN river/NOUN harbour/NOUN", skew=skew),
        "ADJ_animate": choice("small/ADJ hungry/ADJ white/ADJ clever/ADJ brave/ADJ", skew=skew),
        "ADJ_thing": choice("small/ADJ heavy/ADJ white/ADJ rusty/ADJ broken/ADJ", skew=skew),
    }
    verbs = {
        "DO": ("sleep", "dance", "sing", "smile"),
        "DO_barker": ("sleep", "bark", "dance", "sing", "smile"),
        "HAPPEN": ("shine", "crack", "fall"),
        "HANDLE_animate": ("watch", "follow", "feed"),
        "HANDLE_thing": ("lift", "repair"),
        "FEEL": ("admire", "hurt"),
    }
    senses = {"bark": "bark like a dog", "watch": "watch, look at"}
    for at, number in enumerate(NUMBERS):
        rules[f"DET_{number}"] = choice([f"{word}/DET" for word in DETERMINERS[at].split()], skew=skew)
        for name, stems in verbs.items():
            forms = [stem if at else stem + ("es" if stem.endswith("ch") else "s") for stem in stems]
            rules[f"{name}_{number}"] = choice(
                [
                    f"{form}/VERB/{senses.get(stem, stem)}".replace(" ", "_")
                    for form, stem in zip(forms, stems, strict=True)
                ],
                skew=skew,
            )
        for kind, nouns in NOUNS.items():
            forms = [(noun[at], noun[2]) for noun in nouns if not (at and noun[1] == noun[0])]
            rules[f"N_{kind}_{number}"] = choice(
                [f"{form}/NOUN/{sense}".replace(" ", "_") for form, sense in forms], skew=skew
            )
    return rules
