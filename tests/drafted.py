"""Tables drafted from files that the tests make, or that scikit-learn ships: folders to name in ``PETROL_TABLE``."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from data.__main__ import main

SORTS = ["Alkmene", "Boskoop", "Cox", "Discovery", "Elstar", "Fuji, late", "=Gala"]  # of the orchards


def draft(folder: Path, rows: pd.DataFrame, target: str, *options: str) -> Path:
    """Draft a table of rows in a folder; return the folder of the table."""
    rows.to_csv(folder / "rows.csv", index=False)
    table = folder / "table"
    assert main(["describe", str(folder / "rows.csv"), "--target", target, "--to", str(table), *options]) == 0
    return table


def draft_numbers(folder: Path, n_inputs: int, n_rows: int = 60) -> Path:
    """Draft a table with so many inputs, of which the later matter less."""
    random = np.random.default_rng(n_inputs)
    rows = pd.DataFrame({f"input {number:02}": random.random(n_rows).round(3) * 9 for number in range(n_inputs)})
    rows["yield"] = (rows @ (0.7 ** np.arange(n_inputs)) + random.normal(0, 1, n_rows)).round(2)
    return draft(folder, rows, "yield")


def draft_diabetes(folder: Path) -> Path:
    """Draft scikit-learn's diabetes data: 442 rows without names, ten inputs."""
    data = load_diabetes(as_frame=True, scaled=False)
    return draft(folder, data.frame, "target")


def draft_orchards(folder: Path) -> Path:
    """Draft a table with two categories, of two choices and of seven, and a target between 0 and 1: sixty rows."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame({
        "orchard": [f"O{number:02}" for number in range(60)],
        "rain (mm)": random.integers(200, 900, 60),
        "sort": [SORTS[number % 7] for number in range(60)],
        "watered": random.choice(["yes", "no"], 60),
        "age": random.integers(2, 40, 60),
    })  # fmt: skip
    share = 0.3 + rows["rain (mm)"] / 4000 + 0.2 * (rows["watered"] == "yes") + 0.04 * rows["sort"].map(SORTS.index)
    rows["good share"] = (share + random.normal(0, 0.02, 60)).clip(0, 1).round(3)
    return draft(folder, rows, "good share", "--names", "orchard")
