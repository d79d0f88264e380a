"""How much one submission may use. Whoever wrote an endless loop by mistake loses that cell, not the notebook."""

from __future__ import annotations

from dataclasses import dataclass, fields

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """`notebook_seconds` are for the cells of a notebook, `judging_seconds` for all its checks after them.

    Seconds are wall time; bytes of memory and disk count for all processes of a submission together.

    Raises:
        ValueError: a limit is not above zero.
    """

    cell_seconds: float = 60.0
    call_seconds: float = 20.0
    exercise_seconds: float = 300.0
    notebook_seconds: float = 300.0
    judging_seconds: float = 600.0
    cpu_seconds: int = 300
    memory_bytes: int = 2048 * MIB
    disk_bytes: int = 128 * MIB
    file_bytes: int = 64 * MIB
    processes: int = 64
    open_files: int = 256
    output_bytes: int = 256 * 1024
    message_bytes: int = 16 * MIB
    all_messages_bytes: int = 256 * MIB
    replays: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise ValueError(f"'{field.name}' must be a number above 0, got {value!r}")
