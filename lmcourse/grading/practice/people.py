"""Who is in the class for practice. Every name is made up from common ones; any likeness is chance."""

from __future__ import annotations

import csv
import io
import random
import re
import unicodedata
from dataclasses import dataclass

# Family name, given name. Two people are called Wang Wei, as happens in a class.
NAMES = """
Wang, Wei | Nguyễn, Thị Hương | Okafor, Chinedu | García Ruiz, Lucía | Müller, Jonas | Haddad, Layla | Kowalska, Zofia | Tanaka, Haruto
Wang, Wei | Ó Súilleabháin, Aoife | Mensah, Kwame | Çelik, Elif | Novák, Tereza | Singh, Gurpreet | Kaplan, Noa | Petrov, Dimitar
Jensen, Freja | Rasoanaivo, Hery | Silva Santos, João | Kim, Seo-yeon | Ivanova, Daria | Diallo, Aminata | Rossi, Matteo | Hakimi, Parisa
Chaiyasit, Ploy | van der Meer, Sanne | Tadesse, Selam | Popescu, Andrei | Mäkinen, Onni | Quispe, Killa | Farouk, Youssef | Dubois, Chloé
Lindqvist, Astrid | Banerjee, Ananya | Mokoena, Lerato | O’Connor, Liam | Papadopoulou, Eleni | Kamau, Wanjiru | Szabó, Bence | Reyes, Maria Clara
Horvat, Luka | Tuilagi, Sina | Ahmed, Zainab | Jóhannsdóttir, Katrín | Mwale, Chikondi | Castillo, Mateo | Berzina, Liga | Oyelaran, Temitope
Sharma, Rohan | Kazlauskas, Tomas | Begum, Nusrat | Ilunga, Grace | Lê, Minh Anh | Fernando, Dilini | Arslan, Kerem | Whitehorse, Dakota
Costa, Beatriz | Yamamoto, Aoi | Abebe, Dawit | Sørensen, Emil | Moreau, Inès | Zhang, Yichen | Kovalenko, Oksana | Ramírez, Ximena
"""


@dataclass(frozen=True)
class Person:
    """`key` is how Canvas writes the name into a file's name; `user` is the Canvas id, `login` the university's."""

    family: str
    given: str
    key: str
    user: int
    login: str

    @property
    def listed(self) -> str:
        return f"{self.family}, {self.given}"


def people(count: int, rng: random.Random) -> list[Person]:
    """Return `count` people in the order of a class list; from the 65th on a name comes again with a number."""
    names = [tuple(part.split(", ")) for part in re.split(r"[|\n]", NAMES.strip())]
    found, user = [], 41_000 + rng.randrange(1000)
    for i in range(count):
        family, given = (part.strip() for part in names[i % len(names)])
        if i >= len(names):
            given = f"{given} {i // len(names) + 1}"
        user += rng.randrange(3, 90)
        found.append(Person(family, given, _letters(family + given), user, _login(family, given, user)))
    return sorted(found, key=lambda p: (_letters(p.family), p.given, p.user))


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text).lower() if c.isalnum())


def _login(family: str, given: str, user: int) -> str:
    plain = unicodedata.normalize("NFKD", f"{given[0]}{family}").lower()
    return "".join(c for c in plain if c in "abcdefghijklmnopqrstuvwxyz")[:6] + str(user)[-3:]


def canvas_gradebook(everybody: list[Person], column: str, points: float) -> str:
    """Return the CSV file that Canvas exports from its gradebook, with the marks of `column` still open."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", column, "Final Score"]
    writer.writerow(head)
    writer.writerow(["    Points Possible", "", "", "", "", f"{points:.2f}", "(read only)"])
    for p in everybody:
        section = f"Group {1 + p.user % 2}"
        writer.writerow([p.listed, p.user, f"S{2_000_000 + p.user}", p.login, section, "", ""])
    writer.writerow(["Student, Test", everybody[-1].user + 999, "", "9f0c1d7ab2", "Group 1", "", ""])
    return text.getvalue()
