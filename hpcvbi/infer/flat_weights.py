"""The weights of a network while it is fitted: one vector, so that clearing, clipping and stepping
is one operation each and not one for each of dozens of small matrices, which takes as long as
their gradients. And the moving average of that vector,

    average <- average + (weights - average) / horizon      after every step,

which is nearer to the minimum than the last step is, as that follows the noise of its batch:
Polyak & Juditsky (1992), DOI 10.1137/0330046.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class FlatWeights:
    """All weights of `net` as the parameter `vector` (weight,), which holds their gradient too;
    `horizon` is the number of steps that are averaged over.
    """

    def __init__(self, torch: Any, net: Any, horizon: float) -> None:
        self._torch, self._share = torch, 1.0 / horizon
        parts = list(net.parameters())
        self.vector = torch.nn.Parameter(torch.nn.utils.parameters_to_vector(parts).detach())
        self.vector.grad = torch.zeros_like(self.vector)
        start = 0
        for part in parts:
            piece = slice(start, start := start + part.numel())
            part.data = self.vector.data[piece].view(part.shape)
            part.grad = self.vector.grad[piece].view(part.shape)
        self._average: Any = None

    def average(self) -> None:
        """Let the average follow the weights."""
        with self._torch.no_grad():
            if self._average is None:
                self._average = self.vector.clone()
            self._average.lerp_(self.vector, self._share)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the network the averaged weights meanwhile."""
        own = self.vector.data.clone()
        self.vector.data.copy_(self._average)
        try:
            yield
        finally:
            self.vector.data.copy_(own)
