"""Messages in frames: 4 bytes length, 1 byte channel, then the body. A body is JSON ("J") or raw bytes ("R")."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

HEAD = struct.Struct("!IB")
CONTROL, MAIN = 0, 1


class BrokenMessage(ValueError):
    """What came is no message of this protocol."""


def frame(channel: int, body: bytes) -> bytes:
    return HEAD.pack(len(body), channel) + body


def as_json(value: Any) -> bytes:
    return b"J" + json.dumps(value).encode()


def as_raw(value: bytes) -> bytes:
    return b"R" + value


def parsed(body: bytes) -> Any:
    """Return the value of a JSON body or the bytes of a raw one. Nothing is ever executed."""
    if body[:1] == b"R":
        return body[1:]
    try:
        if body[:1] == b"J":
            return json.loads(body[1:])
    except (ValueError, RecursionError) as error:
        raise BrokenMessage(f"a message cannot be read: {error!r:.200}") from error
    raise BrokenMessage("a message is neither JSON nor raw bytes")


class Incoming:
    """Bytes as they come, cut into frames.

    Raises:
        BrokenMessage: a frame says that it is larger than `max_bytes`.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self._bytes = max_bytes, bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        self._bytes += data
        found, start = [], 0
        while len(self._bytes) - start >= HEAD.size:
            length, channel = HEAD.unpack_from(self._bytes, start)
            if length > self.max_bytes:
                raise BrokenMessage(f"a message must have at most {self.max_bytes} bytes, got {length}")
            end = start + HEAD.size + length
            if len(self._bytes) < end:
                break
            found.append((channel, bytes(self._bytes[start + HEAD.size : end])))
            start = end
        del self._bytes[:start]
        return found


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_frame(fd: int) -> tuple[int, bytes] | None:
    """Return the next (channel, body) of a blocking descriptor, or None at its end."""
    head = _read_exactly(fd, HEAD.size)
    if head is None:
        return None
    length, channel = HEAD.unpack(head)
    body = _read_exactly(fd, length)
    return None if body is None else (channel, body)


def _read_exactly(fd: int, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        part = os.read(fd, min(count - len(data), 2**20))
        if not part:
            return None
        data += part
    return bytes(data)
