"""Published scores of models against their size."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from annostat.errors import check_choice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["scaling_points"]

TABLES = ("echodfkd", "camus")


def scaling_points(name: str = "echodfkd") -> pd.DataFrame:
    """Return published scores of the sixteen EchoDFKD students against their size.

    Parameters
    ----------
    name : {"echodfkd", "camus"}
        Test set: EchoNet-Dynamic (Dice, read off a figure to ±0.001) or CAMUS (Dice and mean IoU,
        printed table). `data/SCALING-README.md` gives the sources.

    Returns
    -------
    DataFrame of 16 rows
        blocks, layers, parameters : int64
            The student: blocks × layers and its exact number of parameters.
        dice, mean_iou : float64
            Scores as fractions; `mean_iou` for "camus" only.

    Raises
    ------
    AnnostatError
        If there is no such table.

    Examples
    --------
    >>> from annostat.datasets import scaling_points
    >>> scaling_points()[["parameters", "dice"]].max().to_dict()
    {'parameters': 3361657.0, 'dice': 0.911}
    """
    import pandas as pd

    check_choice("name", name, TABLES)
    data = files("annostat.datasets").joinpath("data", f"{name}_scaling.csv")
    with data.open("rb") as stream:
        table: pd.DataFrame = pd.read_csv(stream)
    return table
