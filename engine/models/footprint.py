"""How much memory the tensors of a pack take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn


def footprint(pack: object) -> dict[int, int]:
    """Return the bytes of each piece of memory under the tensors of ``pack``, by its address.

    Parameters, buffers and tensors in the attributes of our own objects; views and shared weights
    are one piece.
    """
    pieces = (tensor.untyped_storage() for tensor in _tensors(pack, set()))
    return {piece.data_ptr(): piece.nbytes() for piece in pieces}


def _tensors(value: object, seen: set[int]) -> Iterator[Tensor]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
        yield from value.buffers()
    else:
        for part in _parts(value):
            yield from _tensors(part, seen)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    is_ours = type(value).__module__.partition(".")[0] == "engine"
    return list(vars(value).values()) if is_ours and hasattr(value, "__dict__") else []
