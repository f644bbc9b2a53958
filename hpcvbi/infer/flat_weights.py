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
        parts, utils = list(net.parameters()), torch.nn.utils
        self.vector = torch.nn.Parameter(utils.parameters_to_vector(parts).detach())
        self.vector.grad = torch.zeros_like(self.vector)
        utils.vector_to_parameters(self.vector.data, parts)  # as views of it
        gradients = self.vector.grad.split([part.numel() for part in parts])
        for part, gradient in zip(parts, gradients, strict=True):
            part.grad = gradient.view_as(part)
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
