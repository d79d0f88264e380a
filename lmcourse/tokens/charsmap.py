"""Reading SentencePiece's compiled normalization rules, which the files of T5 and its kin carry.

The rules are pairs "these bytes become those": `ﬁ` -> `fi`, a tab -> a space. They are stored as a trie in one
array of 32-bit units (a *double array*, in the layout of the library darts-clone); the replacements, each ended
by a zero byte, follow it.
"""

import base64
import binascii
import struct

import regex

_segment = regex.compile(r" ?[^ ]+| ")


class Charsmap:
    """Replaces what its rules say: from the left, the longest rule that fits; what fits no rule stays.

    Text is treated in stretches that begin at a space, so what comes after a space never changes what was before.

    Args:
        encoded: the rules in base64, as in the field `precompiled_charsmap` of a tokenizer.json.

    Raises:
        ValueError: `encoded` is no such table.
    """

    def __init__(self, encoded: str) -> None:
        self.encoded = encoded
        try:
            table = base64.b64decode(encoded, validate=True)
            (trie_size,) = struct.unpack_from("<I", table)
            self._units = struct.unpack_from(f"<{trie_size // 4}I", table, 4)
        except (binascii.Error, struct.error, TypeError, ValueError) as error:
            raise ValueError(
                f"'precompiled_charsmap' must be rules in base64, got something else: {error}"
            ) from None
        self._replacements = table[4 + trie_size :]

    def normalize(self, text: str) -> str:
        """`text` with the rules applied."""
        return "".join(self._normalize_segment(segment.encode()) for segment in _segment.findall(text))

    def _normalize_segment(self, text: bytes) -> str:
        output = bytearray()
        position = 0
        while position < len(text):
            length, replacement = self._longest_rule(text, position)
            if not length:  # the byte stays; in UTF-8 no rule can begin in the middle of a character
                length, replacement = 1, text[position : position + 1]
            output += replacement
            position += length
        return output.decode(errors="replace")

    def _longest_rule(self, text: bytes, start: int) -> tuple[int, bytes]:
        """The length of the longest rule that fits at `start` and its replacement; (0, b"") if none does."""
        found, value = 0, 0
        node, units = self._children(0), self._units
        for position in range(start, len(text)):
            node ^= text[position]
            if (
                node >= len(units) or units[node] & 0x800000FF != text[position]
            ):  # another label: no such child
                break
            ends_here = units[node] >> 8 & 1
            node ^= self._children(node)
            if ends_here and node < len(units):  # a rule ends here; its value is in the leaf
                found, value = position - start + 1, units[node] & 0x7FFFFFFF
        if not found:
            return 0, b""
        return found, self._replacements[value : self._replacements.find(b"\0", value)]

    def _children(self, node: int) -> int:
        """How far the children of a node are, in the sense of exclusive or: 21 bits, times 256 if bit 9 is set."""
        return self._units[node] >> 10 << ((self._units[node] & 0x200) >> 6)
