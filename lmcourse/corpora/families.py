"""Families of words, made so that king - man + woman = queen is not luck: the truth about word vectors is known.

Each lexeme has four forms (king, queen, kings, queens). Articles and verbs show a form's number, adjectives its gender
(-o or -a, as in Italian), and each lexeme has things that only its family deals with, whatever the form.
"""

from __future__ import annotations

from typing import NamedTuple

from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.rules import choice


class Lexeme(NamedTuple):
    """Four forms, and the things that their sentences are about."""

    masculine: str
    feminine: str
    masculine_plural: str
    feminine_plural: str
    things: tuple[str, ...]


_TABLE = """
king queen kings queens: crown throne
man woman men women: street letter
boy girl boys girls: kite swing
prince princess princes princesses: castle tower
duke duchess dukes duchesses: manor carriage
baron baroness barons baronesses: estate hounds
count countess counts countesses: ballroom chandelier
emperor empress emperors empresses: empire palace
lord lady lords ladies: garden fountain
heir heiress heirs heiresses: fortune will
father mother fathers mothers: cradle pram
son daughter sons daughters: homework satchel
brother sister brothers sisters: bunk quarrel
uncle aunt uncles aunts: parlour present
nephew niece nephews nieces: birthday cake
husband wife husbands wives: wedding ring
groom bride grooms brides: altar bouquet
grandfather grandmother grandfathers grandmothers: armchair spectacles
wizard witch wizards witches: cauldron broom
monk nun monks nuns: chapel prayer
abbot abbess abbots abbesses: abbey bell
hero heroine heroes heroines: medal legend
god goddess gods goddesses: temple thunder
actor actress actors actresses: stage script
waiter waitress waiters waitresses: tray menu
steward stewardess stewards stewardesses: cabin ticket
host hostess hosts hostesses: party guests
tailor seamstress tailors seamstresses: needle thread
bull cow bulls cows: meadow hay
ram ewe rams ewes: fleece fold
stallion mare stallions mares: saddle stable
lion lioness lions lionesses: savannah antelope
"""
_ADJECTIVES = {"masculine": "belo fino claro vivo grando", "feminine": "bela fina clara viva granda"}
_DETERMINERS = {"singular": "the a this every", "plural": "the these many two"}
_VERBS = "know like need mention remember want"
GENDERS = ("masculine", "feminine")
NUMBERS = ("singular", "plural")


class Families(Grammar):
    """The source of sentences such as `these bela queens remember the crown .`

    Each neighbour of a form tells one of its features: the article and the verb its number, the adjective its gender,
    the thing its lexeme. So in the table of expected counts (forms by neighbours) each column depends on one feature, and
    king - man + woman = queen holds exactly, row by row; also after any function of single entries, such as
    pointwise mutual information. What a method of making vectors keeps of that can be measured.

    Attributes:
        lexemes: the words, as data.

    >>> source = families()
    >>> source.analogies("gender")[0], source.analogies("number")[0]
    (('king', 'queen', 'man', 'woman'), ('king', 'kings', 'man', 'men'))
    >>> print(source.sample(14).text())
    every viva abbess needs the abbey .
    the fino lords need the fountain .
    """

    def __init__(self, lexemes: tuple[Lexeme, ...]) -> None:
        self.lexemes = lexemes
        super().__init__(_rules(lexemes))

    def forms(self) -> dict[str, dict[str, str]]:
        """Return the lexeme (by its masculine form), gender and number of each form.

        >>> families().forms()["queens"]
        {'lexeme': 'king', 'gender': 'feminine', 'number': 'plural'}
        """
        return {
            word: {"lexeme": lexeme.masculine, "gender": gender, "number": number}
            for lexeme in self.lexemes
            for gender, number, word in _cells(lexeme)
        }

    def analogies(self, kind: str) -> list[tuple[str, str, str, str]]:
        """Return all questions (a, b, c, d), "a is to b as c is to d", with a right answer d: b - a + c should be d.

        Args:
            kind: "gender" (man, woman, king, queen) or "number" (man, men, king, kings). The other feature is the
                same in all four words.

        Raises:
            ValueError: another kind.
        """
        if kind not in ("gender", "number"):
            raise ValueError(f"'kind' must be 'gender' or 'number', got {kind!r}")
        pairs = []
        for lexeme in self.lexemes:
            if kind == "gender":
                pairs += [(0, lexeme[0], lexeme[1]), (1, lexeme[2], lexeme[3])]
            else:
                pairs += [(0, lexeme[0], lexeme[2]), (1, lexeme[1], lexeme[3])]
        return [(a, b, c, d) for side, a, b in pairs for other, c, d in pairs if side == other and a != c]


def families(*, n_lexemes: int = 32) -> Families:
    """Return the source with the first `n_lexemes` of 32 lexemes, all equally likely.

    Raises:
        ValueError: `n_lexemes` not between 2 and 32.
    """
    lines = [line.split(":") for line in _TABLE.strip().splitlines()]
    if not 2 <= n_lexemes <= len(lines):
        raise ValueError(f"'n_lexemes' must be between 2 and {len(lines)}, got {n_lexemes}")
    return Families(
        tuple(Lexeme(*forms.split(), tuple(things.split())) for forms, things in lines[:n_lexemes])
    )


def _cells(lexeme: Lexeme) -> list[tuple[str, str, str]]:
    return [
        (gender, number, lexeme[2 * at_number + at_gender])
        for at_number, number in enumerate(NUMBERS)
        for at_gender, gender in enumerate(GENDERS)
    ]


def _rules(lexemes: tuple[Lexeme, ...]) -> dict[str, dict[str, float]]:
    rules = {"S": choice([f"ABOUT_{lexeme.masculine}" for lexeme in lexemes])}
    for lexeme in lexemes:
        name = lexeme.masculine
        rules[f"ABOUT_{name}"] = choice(
            [
                f"DET_{number} ADJ_{gender} {word}/NOUN/{name} VERB_{number} the/DET THING_{name}"
                for gender, number, word in _cells(lexeme)
            ]
        )
        rules[f"THING_{name}"] = choice([f"{thing}/NOUN" for thing in lexeme.things])
    for gender, words in _ADJECTIVES.items():
        rules[f"ADJ_{gender}"] = choice([f"{word}/ADJ/{word[:-1]}o" for word in words.split()])
    for number, words in _DETERMINERS.items():
        rules[f"DET_{number}"] = choice([f"{word}/DET" for word in words.split()])
        verbs = [verb + ("s" if number == "singular" else "") for verb in _VERBS.split()]
        rules[f"VERB_{number}"] = choice(
            [f"{form}/VERB/{verb}" for form, verb in zip(verbs, _VERBS.split(), strict=True)]
        )
    return rules
