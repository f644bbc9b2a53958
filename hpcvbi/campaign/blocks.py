"""How many draws make a block, where the study does not say: chosen from the study alone.

A block is one task and, per array, one file. On a parallel file system files should be few and
large; on a cluster tasks should be many. So a block is a power of two that

    - leaves 64 blocks to a round, between 32 and 1024 draws each: a million draws are 977 blocks;
    - has 16 MB of kept signals at least, as long as 16 blocks remain;
    - has 256 MB of kept signals at most, and 512 MB of simulated ones, which a worker holds.

No machine enters into it, and results do not depend on it: noise belongs to the draw.
"""

FEWEST, MOST = 32, 1024
BLOCKS = 64
"""Blocks that a round is cut into, as far as the bounds allow."""
FEW_BLOCKS = 16
"""Blocks that must remain for a small shard to be made larger."""
SMALL_SHARD, LARGE_SHARD = 16 * 10**6, 256 * 10**6
"""Bytes of the largest array of a block, before compression."""
LARGE_TASK = 512 * 10**6
"""Bytes of a block's simulated signals, kept or not."""


def draws_per_block(draws: int, kept: int, simulated: int) -> int:
    """Return the draws per block of a round of `draws`.

    Parameters
    ----------
    kept
        Bytes per draw of the largest array that is kept of signals and connectivity; 0 for none.
    simulated
        Bytes per draw of what is simulated, whether it is kept or not.
    """
    block = _power_of_two(min(MOST, max(FEWEST, draws // BLOCKS)))
    while kept and block * kept < SMALL_SHARD and 2 * block * FEW_BLOCKS <= draws and block < MOST:
        block *= 2
    limits = [LARGE_TASK // max(1, simulated), LARGE_SHARD // max(1, kept)]
    return _power_of_two(max(1, min(block, *limits)))


def _power_of_two(number: int) -> int:
    """Largest power of two that is not above `number`."""
    return 1 << (number.bit_length() - 1)
