"""The section `monitors` of a trial: what is seen of the brain, and how often."""

from typing import Annotated, Literal

from pydantic import Field

from hpcvbi.config.section import Name, NotNegative, Positive, Section, one_of
from hpcvbi.observe.bold import HEMODYNAMICS, Bold
from hpcvbi.observe.sampling import Average, Sample
from hpcvbi.observe.summary import Fc, Moments, Spectrum


class SampleSection(Section):
    """A state variable or output after every period."""

    kind: Literal["sample"]
    of: str
    """State variable or output of the model."""
    period: Positive
    """[ms]"""
    name: Name = "sample"
    keep: bool = True
    """Write the signal; false where other monitors only summarise it."""

    def build(self) -> Sample:
        """Return the monitor."""
        return Sample(self.of, self.period, self.name, self.keep)


class AverageSection(Section):
    """The mean of a state variable or output over each period."""

    kind: Literal["average"]
    of: str
    """State variable or output of the model."""
    period: Positive
    """[ms]"""
    name: Name = "average"
    keep: bool = True
    """Write the signal; false where other monitors only summarise it."""

    def build(self) -> Average:
        """Return the monitor."""
        return Average(self.of, self.period, self.name, self.keep)


class BoldMonitorSection(Section):
    """fMRI BOLD."""

    kind: Literal["bold"]
    of: str
    """State variable or output that drives the blood flow."""
    period: Positive
    """Repetition time [ms]."""
    step: Positive = 10.0
    """Integration step of the haemodynamic equations [ms]."""
    constants: Annotated[str, one_of(HEMODYNAMICS)] = "friston2003"
    name: Name = "bold"
    keep: bool = True
    """Write the signal; false where other monitors only summarise it."""

    def build(self) -> Bold:
        """Return the monitor."""
        constants = HEMODYNAMICS[self.constants]
        return Bold(self.of, self.period, self.step, constants, self.name, self.keep)


class FcSection(Section):
    """Functional connectivity of another monitor: Pearson correlations."""

    kind: Literal["fc"]
    of: str
    """Name of that monitor."""
    name: Name = "fc"

    def build(self) -> Fc:
        """Return the monitor."""
        return Fc(self.of, self.name)


class MomentsSection(Section):
    """Mean and variance over time of another monitor."""

    kind: Literal["moments"]
    of: str
    """Name of that monitor."""
    name: Name = "moments"

    def build(self) -> Moments:
        """Return the monitor."""
        return Moments(self.of, self.name)


class SpectrumSection(Section):
    """Power spectral density of another monitor, after Welch."""

    kind: Literal["spectrum"]
    of: str
    """Name of that monitor."""
    segment: Positive
    """Length of a segment [ms]; its inverse is the distance of frequencies."""
    band: tuple[NotNegative, Positive]
    """Lowest and highest frequency [Hz]."""
    name: Name = "spectrum"

    def build(self) -> Spectrum:
        """Return the monitor."""
        return Spectrum(self.of, self.segment, self.band, self.name)


Direct = SampleSection | AverageSection | BoldMonitorSection
Summary = FcSection | MomentsSection | SpectrumSection
MonitorSection = Annotated[Direct | Summary, Field(discriminator="kind")]
