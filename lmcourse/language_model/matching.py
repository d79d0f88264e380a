"""Which tensor of a file is which of ours.

A file of weights is a list of names, each with a shape and numbers. To load one into other code is to say which of its
tensors is which of ours; that is all the modules `hub_gpt2`, `hub_llama` and `hub_bert` do. A `Match` says it for one tensor,
and can be read in both directions: into our model, and back into a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Match:
    """One tensor of a file, and what it is here: our tensors, stacked by their rows, and then perhaps transposed.

    >>> fused = Match("c_attn.weight", ("q_proj.weight", "k_proj.weight"), transposed=True)
    >>> fused.shape({"q_proj.weight": torch.Size([4, 3]), "k_proj.weight": torch.Size([2, 3])})
    (3, 6)
    """

    hub: str
    ours: tuple[str, ...]
    transposed: bool = False

    def shape(self, shapes: Mapping[str, torch.Size]) -> tuple[int, ...]:
        """Return the shape that the tensor of the file must have."""
        first = shapes[self.ours[0]]
        stacked = (sum(shapes[name][0] for name in self.ours), *first[1:])
        return stacked[::-1] if self.transposed else stacked


def rename(tensors: Mapping[str, Tensor], old_names: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the tensors under today's names. `old_names` are regular expressions for whole beginnings of names, and what to put there.

    >>> list(rename({"h.0.bias": torch.zeros(1), "my.h.0.bias": torch.zeros(1)}, {r"h\\.": "transformer.h."}))
    ['transformer.h.0.bias', 'my.h.0.bias']
    """
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in old_names.items():
            name = re.sub(f"^{old}", new, name)
        renamed[name] = tensor
    return renamed


def drop_copies(tensors: Mapping[str, Tensor], copies: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the tensors without those that only repeat another one, as some files do with tied matrices.

    Args:
        copies: from the name of a copy to the name of what it repeats.

    Raises:
        ValueError: a copy that is not one.
    """
    kept = dict(tensors)
    for copy, original in copies.items():
        if copy in kept and original in kept and not torch.equal(kept.pop(copy), kept[original]):
            raise ValueError(
                f"the tensor {copy!r} must equal {original!r}, to which this config ties it; got another"
            )
    return kept


def take_tensors(
    tensors: Mapping[str, Tensor],
    matches: Sequence[Match],
    shapes: Mapping[str, torch.Size],
    ignored: str = "",
) -> dict[str, Tensor]:
    """Return our tensors by name, made from those of a file. None may be missing, none may be left over.

    Args:
        shapes: of our tensors. ignored: a regular expression for whole names in the file that mean nothing here.

    Raises:
        ValueError: tensors that are missing, unknown or of another shape; names them.

    >>> file = {"wte": torch.arange(6).view(3, 2)}
    >>> take_tensors(file, [Match("wte", ("embedding",), transposed=True)], {"embedding": torch.Size([2, 3])})
    {'embedding': tensor([[0, 2, 4],
            [1, 3, 5]])}
    """
    known = {match.hub for match in matches}
    if missing := sorted(known - tensors.keys()):
        raise ValueError(f"the file must hold every tensor of the model, got none called {_few(missing)}")
    unknown = [name for name in tensors if name not in known and not re.fullmatch(ignored, name)]
    if unknown:
        raise ValueError(f"the file must hold only tensors of the model, got {_few(sorted(unknown))} besides")
    taken: dict[str, Tensor] = {}
    for match in matches:
        tensor, expected = tensors[match.hub], match.shape(shapes)
        if tensor.shape != expected:
            raise ValueError(
                f"the tensor {match.hub!r} must have shape {expected} for this config, got {tuple(tensor.shape)}"
            )
        rows = tensor.T if match.transposed else tensor
        parts = rows.split([shapes[name][0] for name in match.ours])
        taken |= {
            name: part.clone(memory_format=torch.contiguous_format)
            for name, part in zip(match.ours, parts, strict=True)
        }
    return taken


def give_tensors(ours: Mapping[str, Tensor], matches: Sequence[Match]) -> dict[str, Tensor]:
    """Return the tensors of a file, made from ours: the way back of `take_tensors`.

    Raises:
        ValueError: a tensor of ours that has no place in the file; names it.

    >>> give_tensors({"q": torch.tensor([[1, 2]]), "k": torch.tensor([[3, 4]])}, [Match("qk", ("q", "k"), transposed=True)])
    {'qk': tensor([[1, 3],
            [2, 4]])}
    """
    if lost := sorted(ours.keys() - {name for match in matches for name in match.ours}):
        raise ValueError(
            f"every tensor of the model must have a place in the file, got none for {_few(lost)}"
        )
    given = {}
    for match in matches:
        rows = torch.cat([ours[name].detach().cpu() for name in match.ours])
        given[match.hub] = (rows.T if match.transposed else rows).contiguous()
    return given


def _few(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
