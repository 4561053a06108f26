"""Can a reported score be true? A test of each reading of a published SD or correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scipy import special

from annostat._version import __version__
from annostat.ceilings.floors import Bounds
from annostat.ceilings.readings import Readings
from annostat.ceilings.summary import bounds_from_summary
from annostat.errors import AnnostatError, check_count, check_number
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, p_text, plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PublishedReading:
    """One convention, one reported score.

    Attributes
    ----------
    convention : str
    quantity : {"rmse", "correlation"}
    score, bound : float
        What was reported, and the floor or ceiling under this reading.
    z, p_value : float
        One-sided: small p speaks against the reading. NaN where the reading has no bound.
    refuted : bool
    """

    convention: str
    quantity: str
    score: float
    bound: float
    z: float
    p_value: float
    refuted: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "convention": self.convention,
            "quantity": self.quantity,
            "score": self.score,
            "bound": plain(self.bound),
            "z": plain(self.z),
            "p_value": plain(self.p_value),
            "refuted": self.refuted,
        }


@dataclass(frozen=True)
class Published(Result):
    """A reported score under each reading of the published agreement.

    Attributes
    ----------
    readings : tuple of PublishedReading
    level : float
    provenance : Provenance
    """

    readings: tuple[PublishedReading, ...]
    level: float
    provenance: Provenance

    def conclusions(self) -> list[str]:
        """Return what can and what cannot be concluded, in sentences."""
        refuted = list(dict.fromkeys(r.convention for r in self.readings if r.refuted))
        standing = list(
            dict.fromkeys(r.convention for r in self.readings if r.convention not in refuted)
        )
        lines = []
        if refuted:
            lines.append(
                f"Refuted at level {self.level:g}: {', '.join(refuted)}. Under such a reading, "
                "even a perfect model would hardly score that well."
            )
        if len(standing) > 1:
            lines.append(
                f"Not refuted: {', '.join(standing)}. The score does not tell which of them was "
                "meant."
            )
        elif standing:
            lines.append(f"Not refuted: {standing[0]}.")
        lines.append(
            "This presumes that the score was taken against labels as noisy as the published "
            "rounds. Other annotators, another data set or several labels per item break that."
        )
        return lines

    def answer(self) -> str:
        """Return whether the score can be true, and what error it leaves."""
        names = list(dict.fromkeys(r.convention for r in self.readings))
        refuted = {r.convention for r in self.readings if r.refuted}
        standing = [name for name in names if name not in refuted]
        if not standing:
            which = "This reading does not allow" if len(names) == 1 else "No reading allows"
            return (
                f"{which} the reported score: even a perfect model would hardly score that well. "
                "The model has seen these labels, or its labels are less noisy than these."
            )
        left = [
            f"{format_number(math.sqrt(r.score**2 - r.bound**2), digits=3)} under {r.convention}"
            for r in self.readings
            if r.quantity == "rmse" and r.convention in standing and r.score > r.bound
        ]
        text = f"{len(standing)} of {len(names)} readings allow the reported score"
        if len(names) == 1:
            text = "The reported score is possible"
        if not left:
            return f"{text}: it is not below what a perfect model has by chance."
        return f"{text}; of the RMSE an error against the truth remains: {', '.join(left)}."

    def quote(self) -> str:
        """Return the reported scores beside the bounds of each reading."""
        parts = []
        for key, name, bound in (("rmse", "RMSE", "floor"), ("correlation", "r", "ceiling")):
            found = [r for r in self.readings if r.quantity == key and not math.isnan(r.bound)]
            if not found:
                continue
            ends = [f"{format_number(f(r.bound for r in found), digits=3)}" for f in (min, max)]
            score = f"{name} {format_number(found[0].score)} against a {bound} of {ends[0]}"
            if len(found) == 1:
                parts.append(f"{score} ({p_text(found[0].p_value)}, one-sided)")
            else:
                parts.append(f"{score} to {ends[1]}, by the reading")
        return f"{'; '.join(parts) or 'Nothing: no reading has a bound'}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "readings": [r.to_dict() for r in self.readings],
            "conclusions": self.conclusions(),
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per reading and quantity."""
        import pandas as pd

        return pd.DataFrame([r.to_dict() for r in self.readings])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            [
                r.convention,
                r.quantity,
                format_number(r.score),
                format_number(r.bound),
                f"{r.z:+.2f}" if not math.isnan(r.z) else "–",
                format_p(r.p_value),
                "refuted" if r.refuted else "possible",
            ]
            for r in self.readings
        ]
        columns = ("if the number is", "score", "reported", "bound", "z", "p", "reading is")
        title = "Can the reported score be true?"
        return [self.opening(), Section(title, columns, rows, self.conclusions())]


@dataclass(frozen=True)
class Judged(Result):
    """What published numbers imply, and whether a reported score can be true beside them."""

    bounds: Bounds | Readings
    published: Published

    def at(self, *, sd_of_labels: float) -> Judged:
        """Return the bounds in a population whose labels have another SD; see `Bounds.at`."""
        return replace(self, bounds=self.bounds.at(sd_of_labels=sd_of_labels))

    def to_dict(self) -> dict[str, Any]:
        """Return the bounds as plain data, with the judgement under ``published``."""
        return {**self.bounds.to_dict(), "published": self.published.to_dict()}

    def to_frame(self) -> pd.DataFrame:
        """Return the bounds' table."""
        return self.bounds.to_frame()

    def answer(self) -> str:
        """Return whether the score can be true."""
        return self.published.answer()

    def quote(self) -> str:
        """Return the reported scores beside the bounds."""
        return self.published.quote()

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rest = [*self.published.sections()[1:], *self.bounds.sections()[1:]]
        return [self.opening(), *rest]


def compare_published(
    *,
    score_n: int,
    score_rmse: float | None = None,
    score_correlation: float | None = None,
    score_kurtosis: float = 3.0,
    n: int,
    sd: float | None = None,
    correlation: float | None = None,
    convention: str | None = None,
    kurtosis: float = 3.0,
    n_rounds: int = 2,
    m: int = 1,
    level: float = 0.95,
) -> Published:
    r"""Say for each convention whether a model's reported score can be true.

    Parameters
    ----------
    score_n : int
        Number of items that the model was scored on.
    score_rmse, score_correlation : float, optional
        Reported scores against the labels; at least one, with its counterpart `sd` or
        `correlation`.
    score_kurtosis, kurtosis : float
        Kurtosis of the model's errors, and of the differences between sessions; 3 if Gaussian.
        Heavier tails make both numbers less certain: try 6 if blunders are possible.
    n, sd, correlation, convention, n_rounds, m
        The published agreement, as in `bounds_from_summary`; n is needed here.
    level : float
        A reading is refuted if its one-sided p-value is below 1 − level.

    Returns
    -------
    Published
        For an RMSE, z = ln(RMSE/floor) / √{[(κ_e−1)/n_e + (κ_D−1)/n_D]/4} and p = Φ(z). For a
        correlation, z = (atanh r − atanh √ρ_m) / √{1/(n_e−3) + SE²} and p = Φ(−z), SE being that
        of atanh √ρ_m by the delta method. Both take a perfect model as the null hypothesis.

    Raises
    ------
    AnnostatError
        If no score has its counterpart, or a number is out of its domain.

    Examples
    --------
    The RMSE of EchoCoTr on EchoNet-Dynamic against the SD that CAMUS reports:

    >>> found = compare_published(score_rmse=5.17, score_n=1277, sd=5.7, n=50)
    >>> {r.convention: round(r.z, 1) for r in found.readings}  # doctest: +NORMALIZE_WHITESPACE
    {'between-sessions': 2.4, 'session-vs-mean': -4.4, 'noise-sd': -1.0, 'mean-item-sd': -3.2}
    """
    size, n = check_count("score_n", score_n, low=4), check_count("n", n, low=4)
    kurtosis = check_number("kurtosis", kurtosis, low=1.0)
    score_kurtosis = check_number("score_kurtosis", score_kurtosis, low=1.0)
    if (score_rmse is None or sd is None) and (score_correlation is None or correlation is None):
        raise AnnostatError(
            "give score_rmse with sd, or score_correlation with correlation: a score is compared "
            "with the bound that its counterpart implies"
        )
    if score_rmse is not None:
        score_rmse = check_number("score_rmse", score_rmse, low=0.0, open_ends=True)
    if score_correlation is not None:
        score_correlation = check_number(
            "score_correlation", score_correlation, low=-1.0, high=1.0, open_ends=True
        )
    found = bounds_from_summary(
        sd=sd,
        convention=convention,
        correlation=correlation,
        n=n,
        n_rounds=n_rounds,
        m=m,
        level=level,
    )
    parts = found.readings if isinstance(found, Readings) else {str(convention): found}
    judged: list[PublishedReading] = []
    if score_rmse is not None and sd is not None:
        spread = math.sqrt(((score_kurtosis - 1) / size + (kurtosis - 1) / n) / 4)
        for name, part in parts.items():
            floor = part.rmse_floor.value
            z = math.log(score_rmse / floor) / spread if spread > 0 else math.nan
            judged.append(
                _judged(name, "rmse", score_rmse, floor, z, float(special.ndtr(z)), level)
            )
    if score_correlation is not None and correlation is not None:
        for name, part in parts.items():
            judged.append(_correlation(name, part, score_correlation, size, level))
    known = {
        "score_n": size,
        "score_rmse": score_rmse,
        "score_correlation": score_correlation,
        "score_kurtosis": score_kurtosis,
        "kurtosis": kurtosis,
        **found.provenance.options,
    }
    return Published(tuple(judged), level, Provenance(__version__, "", size, None, known))


def _correlation(
    convention: str, part: Bounds, score: float, size: int, level: float
) -> PublishedReading:
    ceiling = part.correlation_ceiling
    if ceiling.value <= 0 or ceiling.standard_uncertainty is None:
        # Not even the rounds correlate: nothing above chance is explained.
        return PublishedReading(
            convention, "correlation", score, ceiling.value, math.nan, math.nan, False
        )
    error = ceiling.standard_uncertainty / (1 - ceiling.value**2)
    z = (math.atanh(score) - math.atanh(ceiling.value)) / math.hypot(1 / math.sqrt(size - 3), error)
    p = float(special.ndtr(-z))
    return _judged(convention, "correlation", score, ceiling.value, z, p, level)


def _judged(
    convention: str, quantity: str, score: float, bound: float, z: float, p: float, level: float
) -> PublishedReading:
    return PublishedReading(convention, quantity, score, bound, z, p, p < 1 - level)
