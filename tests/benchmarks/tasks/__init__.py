"""Problems whose posteriors are known: those of sbibm, with simulators of our own, and a linear
whole-brain model.
"""

from tasks.dynamics import lotka_volterra, sir
from tasks.gaussian import gaussian_linear, gaussian_mixture
from tasks.linear_posterior import linear_brain
from tasks.shapes import slcp, two_moons
from tasks.spikes import bernoulli_glm
from tasks.task import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        gaussian_linear,
        two_moons,
        gaussian_mixture,
        slcp,
        sir,
        bernoulli_glm,
        lotka_volterra,
        linear_brain,
    )
}

__all__ = ["TASKS", "Task"]
