"""Names of the rounds of a choice between models: `wave_000_<model>`, `wave_001_<model>`, ...;
a wave need not have all models.
"""

WAVE = "wave"


def round_of(number: int, model: str) -> str:
    """Return the name of the round of a model's draws in a wave."""
    return f"{WAVE}_{number:03d}_{model}"


def wave_of(round: str) -> tuple[int, str]:
    """Return a round's wave and model; inverse of `round_of`."""
    _, number, model = round.split("_", 2)
    return int(number), model
