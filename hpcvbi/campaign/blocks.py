"""How many draws make a block, where the study does not say: chosen from the study alone.

A block is one task and, per array, one file. On a parallel file system files should be few and
large; on a cluster tasks should be many, and last 1 to 30 s: shorter ones keep the scheduler busy,
longer ones are lost with their worker. So a block is a power of two that

    - leaves 64 blocks to a round, between 32 and 1024 draws each;
    - has 16 MB of kept signals and 1 s of work at least, as long as 16 blocks remain;
    - has 30 s of work at most, unless 32 draws have more;
    - has 256 MB of kept signals at most, and 512 MB of simulated ones, which a worker holds.

No machine enters into it: work is counted at one rate for all. Results do not depend on it: noise
belongs to the draw.
"""

FEWEST, MOST = 32, 1024
BLOCKS = 64
"""Blocks that a round is cut into, as far as the bounds allow."""
FEW_BLOCKS = 16
"""Blocks that must remain for a small block to be made larger."""
SMALL_SHARD, LARGE_SHARD = 16 * 10**6, 256 * 10**6
"""Bytes of the largest array of a block, before compression."""
LARGE_TASK = 512 * 10**6
"""Bytes of a block's simulated signals, kept or not."""
NOMINAL_RATE = 400e6
"""Region updates per second of one core, about the middle of what `make bench` finds in float32 for
the models and schemes that there are (240 to 770 million, with and without delays).
"""
SHORT_S, LONG_S = 1.0, 30.0
"""Bounds of a block's work at that rate [s]."""


def draws_per_block(draws: int, kept: int, simulated: int, updates: int) -> int:
    """Return the draws per block of a round of `draws`.

    Parameters
    ----------
    kept
        Bytes per draw of the largest array that is kept of signals and connectivity; 0 for none.
    simulated
        Bytes per draw of what is simulated, whether it is kept or not.
    updates
        Region updates per draw: regions times steps.
    """
    block = _power_of_two(min(MOST, max(FEWEST, draws // BLOCKS)))
    seconds = updates / NOMINAL_RATE

    def is_small(block: int) -> bool:
        return 0 < block * kept < SMALL_SHARD or block * seconds < SHORT_S

    while is_small(block) and 2 * block * FEW_BLOCKS <= draws and block < MOST:
        block *= 2
    while block * seconds > LONG_S and block > FEWEST:
        block //= 2
    limits = [LARGE_TASK // max(1, simulated), LARGE_SHARD // max(1, kept)]
    return _power_of_two(max(1, min(block, *limits)))


def _power_of_two(number: int) -> int:
    """Largest power of two that is not above `number`."""
    return 1 << (number.bit_length() - 1)
