"""Special tokens: strings such as `<eos>` that are cut out of a text before anything else reads it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Unicode's white space. (str.isspace, and with it str.strip, also counts four separators of ASCII.)
WHITE_SPACE = "".join(
    sign for sign in map(chr, range(0x3001)) if sign.isspace() and not 28 <= ord(sign) <= 31
)
_white_space = re.compile(f"[{re.escape(WHITE_SPACE)}]*")


@dataclass(frozen=True)
class AddedToken:
    """A token that is found in the text as it stands and never split.

    `lstrip` and `rstrip` say that it swallows the white space on its left and on its right (some models'
    files ask for that). `special=False` is a token that is never split but is no control sign, so
    `decode(..., skip_special_tokens=True)` keeps it.
    """

    content: str
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False


class TokenSplitter:
    """Cuts a text at a given set of tokens: the leftmost one first, the longest where several begin.

    >>> TokenSplitter([AddedToken("<eos>")]).split("a b<eos>c")
    ([('a b', False), ('<eos>', True), ('c', False)], 9, 9)
    """

    def __init__(self, tokens: Iterable[AddedToken]) -> None:
        self.tokens = {token.content: token for token in tokens}
        longest_first = sorted(self.tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._longest = max(map(len, self.tokens), default=1)
        self._any_lstrip = any(token.lstrip for token in self.tokens.values())

    def split(self, text: str, *, final: bool = True) -> tuple[list[tuple[str, bool]], int, int]:
        """Return `(parts, done, sure)`.

        `parts` are the pieces of `text[:done]` as `(piece, is_token)`. With `final=True` they are the whole
        text. With `final=False` more text may follow: `done` is then the end of the last token that no
        later text can change, and `text[done:sure]` is known to hold no token and to be touched by none.
        """
        if self._pattern is None:
            return ([(text, False)], len(text), len(text)) if final and text else ([], 0, len(text))
        parts: list[tuple[str, bool]] = []
        done = 0
        # A token that begins before `sure` lies wholly inside the text, so it has been seen or is not there.
        sure = len(text) if final else max(0, len(text) - self._longest + 1)
        for match in self._pattern.finditer(text):
            if match.start() >= sure:
                break
            token, (start, stop) = self.tokens[match[0]], match.span()
            if start < done:  # inside white space that the token before has swallowed
                continue
            if token.lstrip:
                start = done + len(text[done:start].rstrip(WHITE_SPACE))
            if token.rstrip:
                stop = _white_space.match(text, stop).end()
                if stop == len(text) and not final:  # more white space may come
                    sure = start
                    break
            if start > done:
                parts.append((text[done:start], False))
            parts.append((token.content, True))
            done = stop
        if final and done < len(text):
            parts.append((text[done:], False))
            done = len(text)
        sure = max(done, sure)
        if self._any_lstrip and not final:
            sure = done + len(text[done:sure].rstrip(WHITE_SPACE))
        return parts, done, sure
