"""The weights of a network while it is fitted: one vector, so that clearing, clipping and stepping
is one operation each and not one for each of dozens of small matrices, which takes as long as
their gradients. And the moving average of that vector,

    average <- average + (weights - average) / horizon      after every step,

which is nearer to the minimum than the last step is, as that follows the noise of its batch:
Polyak & Juditsky (1992), DOI 10.1137/0330046.

Steps are those of AdamW, with decoupled weight decay: Loshchilov & Hutter (2019),
DOI 10.48550/arXiv.1711.05101. torch's class for it imports torch's compiler, which takes a process
two seconds; its function does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LARGEST_GRADIENT = 5.0
RATES: dict[str, float] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


class FlatWeights:
    """All weights of `net` as the parameter `vector` (weight,), which holds their gradient too;
    `horizon` is the number of steps that are averaged over.
    """

    def __init__(self, torch: Any, net: Any, horizon: float, decay: float = 0.0) -> None:
        from torch.optim.adamw import adamw

        self._torch: Any = torch
        self._adamw: Any = adamw
        self._share, self._decay = 1.0 / horizon, decay
        parts, utils = list(net.parameters()), torch.nn.utils
        self.vector = torch.nn.Parameter(utils.parameters_to_vector(parts).detach())
        self.vector.grad = torch.zeros_like(self.vector)
        utils.vector_to_parameters(self.vector.data, parts)  # as views of it
        gradients = self.vector.grad.split([part.numel() for part in parts])
        for part, gradient in zip(parts, gradients, strict=True):
            part.grad = gradient.view_as(part)
        self._average: Any = None
        self._first = torch.zeros_like(self.vector.grad)
        self._second = torch.zeros_like(self.vector.grad)
        self._steps = torch.zeros((), device=self.vector.device)

    def clear(self) -> None:
        """Set the gradient to 0."""
        self.vector.grad.zero_()

    def step(self, length: float) -> None:
        """Take a step of AdamW of this `length`, its learning rate, and let the average follow."""
        self._torch.nn.utils.clip_grad_norm_(self.vector, LARGEST_GRADIENT)
        with self._torch.no_grad():
            self._adamw(
                [self.vector],
                [self.vector.grad],
                [self._first],
                [self._second],
                [],
                [self._steps],
                fused=True,
                lr=length,
                weight_decay=self._decay,
                amsgrad=False,
                maximize=False,
                **RATES,
            )
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
