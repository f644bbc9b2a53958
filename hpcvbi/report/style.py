"""How figures look: one style, colours that colour-blind readers tell apart (Okabe & Ito 2008)."""

import base64
import io
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, GREY, INK = "#56B4E9", "#CC79A7", "#8a8a8a", "#2b2b2b"
PALE = "#dfe9f0"
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY)
"""Of kinds side by side, in this order."""

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 8.5,
    "text.color": INK,
    # a name from a study is text, never a formula
    "text.parse_math": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "figure.facecolor": "white",
    # letters stay text: smaller files that can be searched and read aloud
    "svg.fonttype": "none",
    "svg.hashsalt": "hpcvbi",
}


def styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Draw in this style, whatever the reader's own matplotlib settings are."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        import matplotlib.style

        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


def blank(width: float, height: float) -> "Figure":
    """Return an empty figure of this size [inch]; pyplot and its global state stay out of it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def data_uri(figure: "Figure") -> str:
    """Return the figure as an SVG that can stand in a page, the same bytes every time."""
    import matplotlib.style

    memory = io.BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        figure.savefig(memory, format="svg", dpi=150, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(memory.getvalue()).decode()


def place(axis: Any, kind: str, low: float, high: float) -> None:
    """Let an axis show the extent of a prior, on a logarithmic scale where the prior is one."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    plain = FuncFormatter(lambda value, _: f"{value:g}")
    if kind == "log_uniform":
        decades = [d * 10.0**k for k in range(-12, 13) for d in (1, 2, 5)]
        inside = [v for v in decades if low * 0.999 <= v <= high * 1.001]
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_locator(FixedLocator(inside[:: max(1, -(-len(inside) // 4))] or [low, high]))
        axis.set_minor_locator(NullLocator())
        margin = (high / low) ** 0.02
        limits = (low / margin, high * margin)
    else:
        axis.set_major_locator(MaxNLocator(4))
        margin = 0.02 * (high - low)
        limits = (low - margin, high + margin)
    axis.set_major_formatter(plain)
    axis.axes.set(**{f"{axis.axis_name}lim": limits})


def bare(axes: "Axes") -> None:
    """Leave only the horizontal axis."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
