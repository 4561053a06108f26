"""Points: landmarks that several readers put on the same items, in two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, digest
from annostat.errors import (
    AnnostatError,
    check_choice,
    check_column,
    check_numbers,
    check_squares,
    option,
    positions_of,
    shown,
)
from annostat.labels.columns import (
    as_labels,
    as_names,
    as_numbers,
    canonical_order,
    refuse_repeated,
)
from annostat.labels.frames import as_frame
from annostat.labels.long_tables import (
    chosen_raters,
    column_of,
    columns_of,
    item_columns,
    per_item,
    positions,
    rater_column,
)
from annostat.labels.point_columns import (
    AXES,
    axes_of,
    check_inside,
    refuse_cases,
    scale_of,
    spacing_columns,
    spacing_of,
    told_of,
)
from annostat.labels.read import Read
from annostat.labels.rounds import Rounds
from annostat.labels.vocabulary import LabelSet
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

LANDMARK_NAMES = ("landmark", "point", "keypoint", "joint", "landmark_id", "point_id")
ONE = "point"  # name of the landmark of a table that names none


@dataclass(frozen=True, eq=False)
class Points(LabelSet):
    """Items × readers × landmarks of points.

    Attributes
    ----------
    values : float64 array of shape (n_items, n_raters, n_landmarks, d)
        Coordinates in `unit`; NaN, in all d of them, where a reader put no point.
    names : tuple of str
        Readers, or rounds; models among them come last.
    landmarks : tuple of str
    unit : str
        Unit of the coordinates.
    items, cluster, stratum : object array of shape (n_items,) or None
    exchangeable : bool
        True if the order of the readers means nothing.
    notes : tuple of str
    read : Read or None
        What was read from a table.
    scale : float64 array of shape (n_items,) or None
        Size of the object of each item, the root of its area, in `unit`; object keypoint similarity
        needs it.

    Examples
    --------
    >>> points = Points.from_array([[[0, 0], [3, 4]], [[1, 1], [1, 2]]], unit="mm")
    >>> points.pair_distances().ravel().tolist()
    [5.0, 1.0]
    """

    values: FloatArray
    names: tuple[str, ...]
    landmarks: tuple[str, ...] = (ONE,)
    unit: str = ""
    items: NDArray[Any] | None = None
    cluster: NDArray[Any] | None = None
    stratum: NDArray[Any] | None = None
    exchangeable: bool = False
    notes: tuple[str, ...] = field(default=())
    read: Read | None = field(default=None, repr=False)
    scale: FloatArray | None = None

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        object.__setattr__(self, "values", values)
        if values.ndim != 4 or not values.shape[0]:
            raise AnnostatError(
                f"points must be items × readers × landmarks × coordinates, got {values.shape}"
            )
        n, k, m, d = values.shape
        if d not in (1, 2, 3):
            raise AnnostatError(f"points have one to three coordinates, got {d}")
        if len(self.names) != k or len(set(self.names)) != k:
            raise AnnostatError(f"{k} readers need {k} different names, got {shown(self.names)}")
        if len(self.landmarks) != m or len(set(self.landmarks)) != m:
            raise AnnostatError(f"{m} landmarks need {m} names, got {shown(self.landmarks)}")
        self._refuse(np.asarray(np.isinf(values).any(axis=3)), "finite coordinates, or none")
        here = np.isfinite(values)
        self._refuse(here.any(axis=3) != here.all(axis=3), "all its coordinates, or none")
        check_squares(float(np.nanmax(np.abs(values), initial=0.0)))
        self._check_about(n)
        if self.scale is not None:
            scale = check_numbers("scale", self.scale)
            if scale.shape != (n,) or not (scale > 0).all():
                raise AnnostatError(f"scale must be one number above 0 for each of {n} items")
            object.__setattr__(self, "scale", scale)

    def _refuse(self, bad: NDArray[np.bool_], rule: str) -> None:
        """Name the first of the points (items, readers, landmarks) that break a rule."""
        if not bad.any():
            return
        i, j, mark = np.argwhere(bad)[0]
        item = f"row {i + 1}" if self.items is None else repr(str(self.items[i]))
        raise AnnostatError(
            f"a point must have {rule}; first: item {item}, {self.names[j]}, {self.landmarks[mark]}"
        )

    @classmethod
    def from_array(
        cls,
        values: Any,
        *,
        names: Sequence[str] | None = None,
        landmarks: Sequence[str] | None = None,
        unit: str = "",
        **columns: Any,
    ) -> Points:
        """Make points from an array.

        Parameters
        ----------
        values : array-like of shape (n_items, n_raters, n_landmarks, d)
            Or (n_items, n_raters, d) for one landmark; NaN where there is no point.
        names, landmarks : sequence of str, optional
            `rater_1`, ... and `point_1`, ... by default.
        unit : str
        **columns
            items, cluster, stratum, exchangeable, notes, scale.

        Raises
        ------
        AnnostatError
            If shapes and names do not fit, or a point lacks some of its coordinates.
        """
        z = check_numbers("values", values)
        if z.ndim == 3:
            z = z[:, :, None, :]
        if z.ndim != 4:
            raise AnnostatError(
                f"points must be items × readers (× landmarks) × coordinates, got {z.shape}"
            )
        k, m = z.shape[1:3]
        single = (ONE,) if m == 1 else tuple(f"point_{j + 1}" for j in range(m))
        for name in ("items", "cluster", "stratum"):
            if columns.get(name) is not None:
                columns[name] = np.array([str(v) for v in columns[name]], dtype=object)
        if columns.get("items") is not None:
            refuse_repeated(columns["items"])
        return cls(
            z,
            tuple(names or [f"rater_{j + 1}" for j in range(k)]),
            tuple(landmarks or single),
            unit,
            **columns,
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        item: str | Sequence[str] | None = None,
        rater: str | None = None,
        landmark: str | None = None,
        coordinates: Sequence[str] | None = None,
        spacing: float | str | Sequence[float | str] | None = None,
        size: Sequence[float] | None = None,
        scale: str | float | None = None,
        rounds: Sequence[str] | None = None,
        models: Sequence[str] = (),
        by: str | None = None,
        cluster: str | None = None,
        missing: Sequence[str] = (),
        unit: str = "",
        exchangeable: bool = False,
        source: str = "a data frame",
        notes: Sequence[str] = (),
    ) -> Points:
        """Make points from a long table: one row for each point that a reader put.

        Parameters
        ----------
        frame : DataFrame
        item, rater, landmark : str, optional
            Columns; found by their usual names if not given. Without a landmark there is one
            point per item.
        coordinates : sequence of str, optional
            Columns of the coordinates; x, y and, if there, z by default.
        spacing : float, str, or sequence of them, optional
            Size of a pixel: one number or column for all axes, or one for each. Coordinates are
            multiplied by it.
        size : sequence of float, optional
            Size of the images in the unit of the table's coordinates, one number for each axis:
            points outside are refused.
        scale : str or float, optional
            Size of the object, the root of its area: a column, or one number, in `unit`.
        rounds, models : sequence of str
            Readers whose points count (all by default), and readers that are models.
        by, cluster : str, optional
            Columns of a stratum and of the patient.
        missing : sequence of str
            Markers of a missing coordinate.
        unit : str
            Unit of the coordinates after `spacing`.
        exchangeable : bool
        source, notes
            For the record of what was read.

        Returns
        -------
        Points
            Items in the order of their names.

        Raises
        ------
        AnnostatError
            If a column is not found, a reader put a landmark twice, a point lies outside, or there
            are fewer than two readers.
        """
        table = as_frame(frame).reset_index(drop=True)
        if table.empty:
            raise AnnostatError("the table has no rows")
        columns = columns_of(table)
        which = item_columns(item, columns)
        who = rater_column(rater, columns)
        what = column_of("landmark", landmark, LANDMARK_NAMES, columns, needed=False)
        axes = axes_of(coordinates, columns)
        names = as_names(table, which)
        raters = as_labels(table[who], who, names)
        kept, left = chosen_raters(raters, rounds, models)
        if len(kept) - len(models) < 2:
            raise AnnostatError(
                f"at least two readers are needed, got {len(kept) - len(models)} "
                f"({shown([n for n in kept if n not in models]) or 'none'})"
            )
        rows = np.flatnonzero(np.isin(raters.astype(str), kept))
        table, names, raters = table.iloc[rows], names[rows], raters[rows]
        marks = (
            np.full(len(table), ONE, dtype=object)
            if what is None
            else as_labels(table[what], what, names)
        )
        xy = np.column_stack([as_numbers(table[c], c, names, missing) for c in axes])
        if size is not None:
            check_inside(xy, axes, size, names)
        xy = xy * spacing_of(table, spacing, len(axes), names)
        different = np.unique(names.astype(str)).astype(object)
        items = different[canonical_order(different)]
        points = np.unique(marks.astype(str)).astype(object)
        points = points[canonical_order(points)]
        refuse_cases("landmark", points)
        place = (positions(names, items), positions(raters, kept), positions(marks, points))
        values = np.full((len(items), len(kept), len(points), len(axes)), np.nan)
        flat = np.ravel_multi_index(place, values.shape[:3])
        found, count = np.unique(flat, return_counts=True)
        if (count > 1).any():
            i, j, m = (int(a[0]) for a in np.unravel_index(found[count > 1], values.shape[:3]))
            several = int((count > 1).sum())
            cure = "" if what else f": which column is the landmark? ({option('landmark', 'C')})"
            raise AnnostatError(
                f"{counted(several, 'point')} {'was' if several == 1 else 'were'} put twice by the "
                f"same reader; first: {which[0]} {items[i]!r}, {who} {kept[j]!r}, {points[m]!r}"
                f"{cure}"
            )
        values[place] = xy
        used = {*which, who, what, *axes, by, cluster, *spacing_columns(spacing), scale}
        read = Read(
            source,
            len(items),
            which,
            tuple(n for n in kept if n not in models),
            tuple(models),
            cluster or "",
            0,
            by or "",
            tuple(c for c in columns if c not in used),
            notes=(*notes, *told_of(points, what, axes, left)),
        )
        per = [per_item(table, c, names, items) for c in (cluster, by)]
        if per[0] is not None:
            read = replace(read, n_clusters=len(set(per[0])))
        return cls(
            values,
            tuple(kept),
            tuple(map(str, points)),
            unit,
            items,
            per[0],
            per[1],
            exchangeable,
            (),
            read,
            scale_of(table, scale, names, items),
        )

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where a reader put a point, bool of shape (n_items, n_raters)."""
        return np.asarray(self.placed.any(axis=2))

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Where there is a point, bool of shape (n_items, n_raters, n_landmarks)."""
        return np.isfinite(self.values[..., 0])

    @property
    def n_dimensions(self) -> int:
        """Number of coordinates of a point."""
        return int(self.values.shape[3])

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Positions of the pairs of readers."""
        return tuple(combinations(range(len(self.names)), 2))

    def differences(self) -> FloatArray:
        """Return what pairs of readers differ by, of shape (n_items, n_pairs, n_landmarks, d)."""
        i, j = (np.array(side, dtype=np.int64) for side in zip(*self.pairs, strict=True))
        return np.asarray(self.values[:, i] - self.values[:, j])

    def pair_distances(self) -> FloatArray:
        """Return the distances of pairs of readers, of shape (n_items, n_pairs, n_landmarks)."""
        return np.asarray(np.sqrt((self.differences() ** 2).sum(axis=3)))

    def take(self, rows: NDArray[Any]) -> Points:
        """Return the items that a mask or an index array selects."""
        return replace(
            self,
            values=self.values[rows],
            scale=None if self.scale is None else self.scale[rows],
            **self._about(rows),
        )

    def choose(self, names: Sequence[str]) -> Points:
        """Return the points of some readers, in the order given."""
        columns = positions_of("rater", names, self.names)
        return replace(self, values=self.values[:, columns], names=tuple(map(str, names)))

    def landmark(self, name: str) -> Points:
        """Return the points of one landmark."""
        m = self.landmarks.index(check_column("landmark", name, self.landmarks))
        return replace(self, values=self.values[:, :, [m]], landmarks=(name,))

    def lengths(self, first: str, second: str) -> Rounds:
        """Return the distance between two landmarks of each item, as values of the readers.

        Parameters
        ----------
        first, second : str
            Landmarks.

        Examples
        --------
        >>> points = Points.from_array([[[[0, 0], [3, 4]], [[0, 0], [0, 6]]]], landmarks=["a", "b"])
        >>> points.lengths("a", "b").values.tolist()
        [[5.0, 6.0]]
        """
        a, b = (
            self.landmarks.index(check_choice("length", name, self.landmarks))
            for name in (first, second)
        )
        if a == b:
            raise AnnostatError(f"a length is between two landmarks, got {first!r} twice")
        distance = np.sqrt(((self.values[:, :, a] - self.values[:, :, b]) ** 2).sum(axis=2))
        return Rounds(
            distance,
            self.names,
            self.items,
            self.cluster,
            self.stratum,
            unit=self.unit,
            exchangeable=self.exchangeable,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a long table: item, rater, landmark and coordinates, one row for each point."""
        import pandas as pd

        i, j, m = np.nonzero(self.placed)
        items = np.arange(len(self.values)).astype(object) if self.items is None else self.items
        frame = pd.DataFrame(
            {
                "item": items[i],
                "rater": np.array(self.names, dtype=object)[j],
                "landmark": np.array(self.landmarks, dtype=object)[m],
            }
        )
        for c in range(self.n_dimensions):
            frame[AXES[c]] = self.values[i, j, m, c]
        for name in ("cluster", "stratum"):
            if getattr(self, name) is not None:
                frame[name] = getattr(self, name)[i]
        return frame

    def digest(self) -> str:
        """Return a hash of everything that a result depends on: 16 hexadecimal digits."""
        about = f"{self.values.shape}{self.landmarks}{self.unit}"
        scale = () if self.scale is None else (self.scale,)
        return digest(about, self.values, *scale, *self._about_text())

    def __repr__(self) -> str:
        n, k, m, d = self.values.shape
        return (
            f"<Points: {counted(n, 'item')} × {counted(k, 'reader')} ({shown(self.names)}) × "
            f"{counted(m, 'landmark')}, {d} coordinates{' in ' + self.unit if self.unit else ''}>"
        )
