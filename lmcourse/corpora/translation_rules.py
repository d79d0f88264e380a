"""The rules and the words of `lmcourse.corpora.translation`: English on the left, the invented language on the right.

How a rule is written: see `lmcourse.corpora.synchronous`. The words of the invented language stand here as glosses in
capitals; how they are spelled is decided later, by a seed.
"""

from functools import cache

from lmcourse.corpora.synchronous import SynchronousGrammar

START = "TEXT"
VARIABLES = {"n": ("s", "p"), "m": ("s", "p")}  # one, or more than one

# VP is what the subject's number is copied to. The form without -s (V.p) also stands after "will" and "not". Each
# noun takes one addition at most, and whatever could stand with an earlier or a later noun stands with the later one.
RULES = """
5 TEXT : CLAUSE => 1
4 TEXT : CLAUSE LINK TEXT => 1 2 3
4 CLAUSE : S => 1
1 CLAUSE : SUB S , S => 2 1 ,/3 4
S : NP.n VP.n => 1 2

6 VP.s : PRED.s => 1
1 VP.s : will PRED.p => 2 FUT/1
1 VP.s : does not PRED.p => 3 NEG/2
6 VP.p : PRED.p => 1 MANY
1 VP.p : will PRED.p => 2 FUT/1 MANY
1 VP.p : do not PRED.p => 3 NEG/2 MANY
4 PRED.n : CORE.n => 1
1 PRED.n : ADV CORE.n => 1 2
4 CORE.n : V.n => 1
8 CORE.n : VT.n OBJECT => 2 OBJ 1
1 CORE.s : picks OBJECT up => 2 OBJ LIFT/1,3
1 CORE.p : pick OBJECT up => 2 OBJ LIFT/1,3
2 CORE.n : VG.n OBJECT to OBJECT => 4 DAT/3 2 OBJ 1
1 CORE.n : VS.n that S => 3 COMP/2 1

OBJECT : NP.n => 1
2 NP.s : NAME => 1
6 NP.n : NOUN.n => 1
1 NP.n : NOUN.n PP => 1 2
1 NP.n : NOUN.n that REL.n => 1 3 REL/2
0.3 NP.p : NAME and NP.n => 1 AND/2 3
0.3 NP.p : NOUN.m and NP.n => 1 AND/2 3
2 REL.n : VP.n => 1
1 REL.n : NP.s VT.s => 1 2
1 REL.n : NP.p VT.p => 1 2 MANY
PP : P PLACE => 2 1
8 PLACE : THING.n => 1
1 PLACE : THING.n PP => 1 2

2 NOUN.s : the BAR.s => 2
2 NOUN.s : a BAR.s => 2
2 NOUN.p : the BAR.p => 2
2 NOUN.p : some BAR.p => 2
1 NOUN.p : N.p => 1 PL/1
1 NOUN.p : NUM N.p => 2 1
1 NOUN.p : NUM ADJ N.p => 3 2 1
4 BAR.s : N.s => 1
2 BAR.s : ADJ N.s => 2 1
1 BAR.s : ADJ ADJ N.s => 3 2 1
4 BAR.p : N.p => 1 PL/1
2 BAR.p : ADJ N.p => 2 PL/2 1
1 BAR.p : ADJ ADJ N.p => 3 PL/3 2 1

3 THING.s : the L.s => 2
1 THING.s : the ADJ L.s => 3 2
2 THING.s : a L.s => 2
1 THING.s : a ADJ L.s => 3 2
2 THING.p : the L.p => 2 PL/2
1 THING.p : the ADJ L.p => 3 PL/3 2
1 THING.p : NUM L.p => 2 1
"""

# english=GLOSSES; two forms are for one and for more; _ and + hold together what is several words. Small letters
# on the right are not translated.
LEXICON = {
    "NAME": "anna=anna boris=boris clara=clara dora=dora marco=marco",
    "N": "man/men=MAN woman/women=WOMAN child/children=CHILD dog/dogs=DOG cat/cats=CAT horse/horses=HORSE "
    "fox/foxes=FOX heron/herons=HERON sailor/sailors=SEA+PERSON baker/bakers=BREAD+PERSON "
    "night_watchman/night_watchmen=GUARD",
    "L": "house/houses=HOUSE river/rivers=RIVER bridge/bridges=BRIDGE tower/towers=TOWER garden/gardens=GARDEN "
    "lighthouse/lighthouses=LIGHT+TOWER bakery/bakeries=BREAD+HOUSE fishing_boat/fishing_boats=BOAT",
    "ADJ": "small=SMALL big=BIG large=BIG black=BLACK white=WHITE young=YOUNG quiet=QUIET clever=CLEVER",
    "NUM": "two=TWO three=THREE seven=SEVEN",
    "V": "sleeps/sleep=SLEEP runs/run=RUN sings/sing=SING waits/wait=WAIT falls_asleep/fall_asleep=DOZE",
    "VT": "sees/see=SEE follows/follow=FOLLOW hears/hear=HEAR finds/find=FIND knows/know=BE_FRIENDS_WITH "
    "remembers/remember=HOLD+MIND looks_for/look_for=SEEK",
    "VG": "gives/give=GIVE shows/show=SHOW",
    "VS": "says/say=SAY knows/know=UNDERSTAND believes/believe=HOLD+TRUE",
    "ADV": "often=OFTEN always=ALWAYS slowly=SLOW gladly=GLAD",
    "P": "near=NEAR behind=BEHIND under=UNDER in_front_of=BEFORE next_to=BESIDE",
    "LINK": "but=BUT so=SO because=BECAUSE",
    "SUB": "when=WHEN if=IF as_soon_as=AT_ONCE",
}

PARTICLES = {
    "PL": "more than one, behind a noun",
    "MANY": "the subject is more than one, behind a verb",
    "OBJ": "what the verb acts on",
    "DAT": "who it is given or shown to",
    "REL": "end of a clause that describes a noun",
    "COMP": "end of what is said or known",
    "FUT": "will",
    "NEG": "not",
    "AND": "and",
}


@cache
def english_and_glosses() -> SynchronousGrammar:
    """Return the rules and the lexicon as one grammar, with glosses in the place of the invented words."""
    lines = [RULES]
    for symbol, entries in LEXICON.items():
        for entry in entries.split():
            forms, glosses = entry.split("=")
            forms = forms.split("/")
            for form, number in zip(forms, ("s", "p") if len(forms) == 2 else ("",), strict=True):
                words = form.split("_")
                links = ",".join(str(part + 1) for part in range(len(words)))
                target = " ".join(f"{gloss}/{links}" for gloss in glosses.split("+"))
                name = f"{symbol}.{number}" if number else symbol
                lines.append(f"{name} : {' '.join(words)} => {target}")
    return SynchronousGrammar("\n".join(lines), VARIABLES)
