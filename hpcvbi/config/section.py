"""What all sections of a file have in common: unknown keys are errors, values are checked."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from hpcvbi.core.errors import HpcvbiError


class Section(BaseModel):
    """A part of a file."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        # a file's key may be `model_...` without meaning anything of pydantic's
        protected_namespaces=(),
    )


def wrong(what: str) -> PydanticCustomError:
    """Return the error that says `what` of the value at hand."""
    return PydanticCustomError("hpcvbi", "{what}", {"what": what})


def one_of(family: Mapping[str, object]) -> AfterValidator:
    """Accept the names of an open family."""

    def check(name: str) -> str:
        if name not in family:
            near = get_close_matches(name, family, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise wrong(f"there is no {name!r}; {hint}Known: {', '.join(family)}")
        return name

    return AfterValidator(check)


def written_as(pattern: str, what: str) -> AfterValidator:
    """Accept text that `pattern` matches as a whole; of other text say that it must be `what`."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise wrong(f"must be {what}, got {text!r}")
        return text

    return AfterValidator(check)


def passes(check: Callable[[str], object]) -> AfterValidator:
    """Accept what `check` does not refuse with one of hpcvbi's errors."""

    def checked(text: str) -> str:
        try:
            check(text)
        except HpcvbiError as error:
            raise wrong(str(error)) from None
        return text

    return AfterValidator(checked)


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names`, unless one stands there twice."""
    if twice := sorted(n for n, count in Counter(names).items() if count > 1):
        raise wrong(f"named twice: {', '.join(twice)}")
    return names


Seed = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Value = float | tuple[float, ...]
"""A number, or one number per region."""
