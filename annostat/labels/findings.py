"""Findings: what several readers marked on the same images, each as much as they saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray, digest
from annostat.errors import AnnostatError, check_choice, check_column, option, positions_of, shown
from annostat.labels.columns import as_labels, as_names, as_numbers, canonical_order
from annostat.labels.finding_shapes import (
    BOX,
    KINDS,
    MASK,
    PLURAL,
    mask_columns,
    shape_of,
    sizes_of,
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
from annostat.labels.read import Read
from annostat.labels.runs import Runs
from annostat.labels.vocabulary import LabelSet, joined
from annostat.results.text import counted

CLASS_NAMES = ("class", "label", "category", "finding_type", "event_type")
MANY = 20  # boxes from which sizes may be seen to be corners


@dataclass(frozen=True, eq=False)
class Findings(LabelSet):
    """Marks of several readers on images, recordings or patients.

    Attributes
    ----------
    kind : str
        "box" (x1, y1, x2, y2), "interval" (start, end), "point" (one to three coordinates), or
        "mask", whose geometry is the box around it.
    geometry : float64 array of shape (n_marks, g)
    image, reader : int64 arrays of shape (n_marks,)
        Positions in `items` and `names`.
    names : tuple of str
        Readers; models among them come last.
    items : object array of shape (n_images,)
    saw : bool array of shape (n_images, n_readers)
        Which images a reader saw; where nothing is marked then, it is an empty list.
    classes : object array of shape (n_marks,) or None
        Marks of different classes are never one finding.
    cluster, stratum : object array of shape (n_images,) or None
    exchangeable : bool
        True if the order of the readers means nothing.
    notes : tuple of str
    read : Read or None
    score : float64 array of shape (n_marks,) or None
        How sure a model is of its marks; NaN where a mark has none.
    runs : Runs or None
        The masks, of kind "mask".
    """

    kind: str
    geometry: FloatArray
    image: IntArray
    reader: IntArray
    names: tuple[str, ...]
    items: NDArray[Any]
    saw: NDArray[np.bool_]
    classes: NDArray[Any] | None = None
    cluster: NDArray[Any] | None = None
    stratum: NDArray[Any] | None = None
    exchangeable: bool = False
    notes: tuple[str, ...] = field(default=())
    read: Read | None = field(default=None, repr=False)
    score: FloatArray | None = None
    runs: Runs | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        g = np.ascontiguousarray(self.geometry, dtype=np.float64)
        object.__setattr__(self, "geometry", g)
        n, k = len(self.items), len(self.names)
        if g.ndim != 2 or len(self.image) != len(g) or len(self.reader) != len(g):
            raise AnnostatError("geometry, image and reader must have one entry for each mark")
        if (self.kind == "mask") != (self.runs is not None):
            raise AnnostatError("marks of kind 'mask' need runs, and others have none")
        if self.runs is not None:
            self.runs.check(len(g))
        if self.saw.shape != (n, k):
            raise AnnostatError(f"saw must have shape {(n, k)}, got {self.saw.shape}")
        if len(set(self.names)) != k:
            raise AnnostatError(f"readers need different names, got {shown(self.names)}")
        self._check_about(n)
        if not np.isfinite(g).all():
            raise AnnostatError("marks must have finite coordinates")
        size = sizes_of(self.kind, g)
        if size is not None and (bad := np.flatnonzero((size <= 0).any(axis=1))).size:
            i = bad[0]
            raise AnnostatError(
                f"{bad.size:,} {PLURAL[self.kind] if bad.size > 1 else self.kind} without a "
                "positive size; first: "
                f"{self.items[self.image[i]]!r} by {self.names[self.reader[i]]}: "
                f"{', '.join(f'{v:g}' for v in g[i])} (are these corners, or width and height?)"
            )
        if len(g) and not self.saw[self.image, self.reader].all():
            i = int(np.flatnonzero(~self.saw[self.image, self.reader])[0])
            raise AnnostatError(
                f"{self.names[self.reader[i]]} marked {self.items[self.image[i]]!r}, which is not "
                "on the list of what this reader saw"
            )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        item: str | Sequence[str] | None = None,
        rater: str | None = None,
        kind: str | None = None,
        geometry: Sequence[str] | None = None,
        size: bool | None = None,
        classes: str | None = None,
        score: str | None = None,
        seen: Any = None,
        rounds: Sequence[str] | None = None,
        models: Sequence[str] = (),
        by: str | None = None,
        cluster: str | None = None,
        missing: Sequence[str] = (),
        exchangeable: bool = False,
        source: str = "a data frame",
        notes: Sequence[str] = (),
    ) -> Findings:
        """Make findings from a long table: one row for each mark.

        Parameters
        ----------
        frame : DataFrame
            A row without a geometry says that the reader saw the image.
        item, rater : str, optional
            Columns of the image and the reader, found by their usual names.
        kind : {"box", "interval", "point", "mask"}, optional
        geometry : sequence of str, optional
            Columns of the geometry; found by their usual names, such as x1, y1, x2, y2. Of masks:
            the one column of arrays of shape (height, width), "mask" by default.
        size : bool, optional
            Whether the last half of `geometry` is a size (width and height, duration), and no
            other corner.
        classes : str, optional
            Column of the class: marks of different classes are never one finding.
        score : str, optional
            Column of how sure a model is of its marks; readers' may be empty.
        seen : DataFrame or sequence, optional
            Images that the readers saw, so that empty ones count: names, or a table with a column
            of the image and, if readers saw different ones, of the reader. By default every reader
            saw every image that stands in the table.
        rounds, models : sequence of str
            Readers that count (all by default), and readers that are models.
        by, cluster : str, optional
            Columns of a stratum and of the patient.
        missing : sequence of str
            Markers of a missing coordinate.
        exchangeable : bool
        source, notes
            For the record of what was read.

        Returns
        -------
        Findings
            Images in the order of their names.

        Raises
        ------
        AnnostatError
            If a column is not found, a mark has a size that is not positive, or a reader marked an
            image that he did not see.

        Examples
        --------
        >>> import pandas as pd
        >>> rows = [("a", "anna", 1, 2), ("a", "ben", 1, 3), ("b", "anna", 5, 5)]
        >>> table = pd.DataFrame(rows, columns=["image", "reader", "x", "y"])
        >>> Findings.from_frame(table)
        <Findings: 3 points on 2 images by 2 readers (anna, ben)>
        """
        table = as_frame(frame).reset_index(drop=True)
        if table.empty:
            raise AnnostatError("the table has no rows")
        columns = columns_of(table)
        which, who = item_columns(item, columns), rater_column(rater, columns)
        masks = None
        if kind == MASK:
            holds = check_column("geometry", (geometry or (MASK,))[0], columns)
            table, masks = mask_columns(table, holds)
            kind, geometry, columns = "box", BOX, [*columns, *BOX]
        shape, axes, sized = shape_of(kind, geometry, size, columns)
        what = (
            column_of("classes", classes, CLASS_NAMES, columns, needed=False) if classes else None
        )
        names = as_names(table, which)
        raters = as_labels(table[who], who, names)
        of_seen = _seen(seen, which, who)
        everyone = np.r_[raters, np.array(of_seen[1] or [], dtype=object)]
        kept, left = chosen_raters(everyone, rounds, models)
        if len(kept) - len(models) < 2:
            people = [n for n in kept if n not in models]
            raise AnnostatError(f"at least two readers are needed, got {shown(people) or 'none'}")
        rows = np.flatnonzero(np.isin(raters.astype(str), kept))
        table, names, raters = table.iloc[rows], names[rows], raters[rows]
        different = np.unique(np.r_[names, of_seen[0]].astype(str)).astype(object)
        items = different[canonical_order(different)]
        g = np.column_stack([as_numbers(table[c], c, names, missing) for c in axes])
        if (infinite := np.flatnonzero(np.isinf(g).any(axis=1))).size:
            raise AnnostatError(
                f"marks must have finite coordinates; first: {names[infinite[0]]!r} by "
                f"{raters[infinite[0]]}"
            )
        there: NDArray[np.bool_] = np.asarray(np.isfinite(g).any(axis=1))
        if (there & ~np.isfinite(g).all(axis=1)).any():
            i = int(np.flatnonzero(there & ~np.isfinite(g).all(axis=1))[0])
            raise AnnostatError(
                f"a mark must have all of {', '.join(axes)}, or none; first: {names[i]!r}"
            )
        corners = np.zeros(len(g), dtype=bool)
        if sized:
            half = len(axes) // 2
            corners = np.asarray((g[:, half:] > g[:, :half]).all(axis=1))
            g[:, half:] += g[:, :half]
        image, reader = positions(names, items), positions(raters, kept)
        _refuse_unlisted(names[there], of_seen, seen)
        saw = np.ones((len(items), len(kept)), dtype=bool)
        if of_seen[1] is not None:
            saw[:] = False
            readers = np.array(of_seen[1])
            inside = np.isin(readers.astype(str), kept)
            saw[positions(of_seen[0][inside], items), positions(readers[inside], kept)] = True
        per = [_of_images(table, names, items, c, seen, which) for c in (cluster, by)]
        used = {*which, who, what, *axes, cluster, by, score, *([MASK] if masks else [])}
        told = [f"{there.sum():,} {PLURAL[shape]} ({', '.join(axes)})."]
        if masks is not None:
            told = [f"{there.sum():,} masks."]
        elif shape == "box" and there.sum() >= MANY and corners[there].all():
            told.append("Every width is above its x, every height above its y: are these corners?")
        sure = None
        if score is not None:
            column = as_numbers(table[check_column("score", score, columns)], score, names, missing)
            sure = column[there]
            told.append(f"Scores: {score}.")
        if left:
            told.append(f"Readers not used: {shown(left, 8)}.")
        if seen is None:
            told.append(
                "Images without a row are not known: list what was seen "
                f"({option('seen', 'FILE')}) where false positives per image matter."
            )
        read = Read(
            source,
            len(items),
            which,
            tuple(n for n in kept if n not in models),
            tuple(models),
            cluster or "",
            0 if per[0] is None else len(set(per[0])),
            by or "",
            tuple(c for c in columns if c not in used),
            notes=(*notes, *told),
            noun="image",
        )
        return cls(
            shape if masks is None else MASK,
            g[there],
            image[there],
            reader[there],
            tuple(kept),
            items,
            saw,
            None
            if what is None
            else as_labels(table[what].iloc[np.flatnonzero(there)], what, names[there]),
            per[0],
            per[1],
            exchangeable,
            (),
            read,
            sure,
            None if masks is None else Runs.of([masks[i] for i in table.index[there]]),
        )

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which images a reader saw, bool of shape (n_images, n_readers)."""
        return self.saw

    @property
    def n_marks(self) -> int:
        """Number of marks."""
        return len(self.geometry)

    @property
    def marks(self) -> IntArray:
        """Marks of each reader on each image, int64 of shape (n_images, n_readers)."""
        n, k = self.saw.shape
        return np.bincount(self.image * k + self.reader, minlength=n * k).reshape(n, k)

    def take(self, rows: NDArray[Any]) -> Findings:
        """Return the images that a mask or an index array selects, each once."""
        at = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        if len(set(at.tolist())) != len(at):
            raise AnnostatError("take needs different images")
        new = np.full(len(self.items), -1)
        new[at] = np.arange(len(at))
        kept = np.flatnonzero(new[self.image] >= 0)

        return replace(
            self,
            geometry=self.geometry[kept],
            image=new[self.image[kept]],
            reader=self.reader[kept],
            **self._about_marks(kept),
            saw=self.saw[at],
            **self._about(at),
        )

    def choose(self, names: Sequence[str]) -> Findings:
        """Return the marks of some readers, in the order given."""
        columns = positions_of("rater", names, self.names)
        new = np.full(len(self.names), -1)
        new[columns] = np.arange(len(columns))
        kept = np.flatnonzero(new[self.reader] >= 0)
        return replace(
            self,
            geometry=self.geometry[kept],
            image=self.image[kept],
            reader=new[self.reader[kept]],
            **self._about_marks(kept),
            names=tuple(map(str, names)),
            saw=self.saw[:, columns],
        )

    def cut(self, score: float) -> Findings:
        """Return the findings without the marks of models that score less.

        Raises
        ------
        AnnostatError
            If there are no scores, or a mark of a model has none.
        """
        sure, of_model = self.scores_of_models()
        above = np.where(of_model, sure, 0.0) >= score
        if of_model.any() and not (of_model & above).any():
            low, high = (float(f(sure[of_model])) for f in (np.min, np.max))
            raise AnnostatError(
                f"no mark of a model scores {score:g} or more: scores go from {low:g} to {high:g}"
            )
        kept = np.flatnonzero(~of_model | above)
        return replace(
            self,
            geometry=self.geometry[kept],
            image=self.image[kept],
            reader=self.reader[kept],
            **self._about_marks(kept),
        )

    def scores_of_models(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the scores of all marks, and which marks are of models: these need a score."""
        of_model = np.isin(self.reader, [self.names.index(n) for n in self.models])
        if self.score is None:
            raise AnnostatError(f"no scores: name their column ({option('score', 'C')})")
        if (lacking := np.flatnonzero(of_model & ~np.isfinite(self.score))).size:
            at = lacking[0]
            raise AnnostatError(
                f"{counted(len(lacking), 'mark')} of a model without a score; first: "
                f"{self.items[self.image[at]]!r} by {self.names[self.reader[at]]}"
            )
        return self.score, of_model

    def _about_marks(self, kept: IntArray) -> dict[str, Any]:
        """Return what else is known of some marks."""
        return {
            "classes": None if self.classes is None else self.classes[kept],
            "score": None if self.score is None else self.score[kept],
            "runs": None if self.runs is None else self.runs.take(kept),
        }

    def digest(self) -> str:
        """Return a hash of everything that a result depends on: 16 hexadecimal digits."""
        more = () if self.score is None else (self.score,)
        runs = () if self.runs is None else self.runs.arrays()
        about = (joined(self.classes), *self._about_text(), *more, *runs)
        return digest(self.kind, self.geometry, self.image, self.reader, self.saw, *about)

    def __repr__(self) -> str:
        images, readers = counted(len(self.items), "image"), counted(len(self.names), "reader")
        return (
            f"<Findings: {self.n_marks:,} {PLURAL[self.kind]} on {images} by {readers} "
            f"({shown(self.names)})>"
        )


def _seen(seen: Any, which: Sequence[str], who: str) -> tuple[NDArray[Any], list[str] | None]:
    """Return the images that were seen and, if the list says so, by whom."""
    if seen is None:
        return np.array([], dtype=object), None
    if not hasattr(seen, "columns"):
        return np.array([str(v).strip() for v in seen], dtype=object), None
    columns = columns_of(seen)
    names = list(which) if all(c in columns for c in which) else list(item_columns(None, columns))
    items = as_names(seen.rename(columns=str), names)
    if who not in columns:
        return items, None
    return items, [str(v) for v in as_labels(seen.rename(columns=str)[who], who, items)]


def _refuse_unlisted(
    marked: NDArray[Any], of_seen: tuple[NDArray[Any], list[str] | None], seen: Any
) -> None:
    """Refuse marks on images that are not on the list of what was seen."""
    if seen is None:
        return
    unlisted = sorted(set(marked.astype(str)) - set(of_seen[0].astype(str)))
    if unlisted:
        raise AnnostatError(
            f"{counted(len(unlisted), 'image')} with marks not on the list of what was seen; "
            f"first: {str(unlisted[0])!r}"
        )


def _of_images(
    table: Any,
    names: NDArray[Any],
    items: NDArray[Any],
    column: str | None,
    seen: Any,
    which: Sequence[str],
) -> NDArray[Any] | None:
    """Return a label of each image; without a mark it is that of the list of what was seen.

    An image whose patient is not known is one of its own.
    """
    if column is None:
        return None
    import pandas as pd

    parts = [pd.DataFrame({"item": names, column: table[check_column("cluster", column, table)]})]
    if hasattr(seen, "columns") and column in map(str, seen.columns):
        rows = as_names(seen, list(which) if set(which) <= set(seen.columns) else [seen.columns[0]])
        parts.append(pd.DataFrame({"item": rows, column: seen[column].to_numpy()}))
    both = pd.concat(parts, ignore_index=True)
    rest = [i for i in items if i not in set(both["item"])]
    both = pd.concat([both, pd.DataFrame({"item": rest, column: rest})], ignore_index=True)
    return per_item(both, column, both["item"].to_numpy(dtype=object), items)
