"""Contrasts within a batch: each row beside some of the others."""

from typing import Any


def others(rows: int, count: int, device: Any) -> Any:
    """Return indices (row, other) of up to `count` different other rows for each of `rows` rows,
    random; the same distances for all rows, so that every row is used equally often.
    """
    import torch

    distances = 1 + torch.randperm(max(rows - 1, 0))[:count]
    return ((torch.arange(rows)[:, None] + distances) % max(rows, 1)).to(device)
