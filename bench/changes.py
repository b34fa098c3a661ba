"""Whether the interval of a change holds what it promises: ``python -m bench.changes``, on tables with a known truth.

The shipped inputs, or rows around them; a target of three shapes with noise. Each table has 16 changes of one input, by
0.5 to 1.5 standard deviations from a real row and within the data. Counted is how often the interval holds the change
of the truth, for each offered algorithm as the active one: the interval is the same, but for where it is stretched. The
last column is what a straight line's own refits alone would give.
"""

import sys
from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from data.load import load_rows
from data.schema import TARGET
from model.answering.change import interval_ends
from model.fitting.algorithms import OFFERED
from model.fitting.refits import N_REFITS, make_refits
from model.fitting.train import features

FloatArray = NDArray[np.float64]

NOISE, N_CHANGES, LEVEL = 60.0, 16, 0.9
TABLES = {48: 100, 200: 40, 2000: 16}  # rows -> tables of each truth
FLOORS = {"straight": 0.88, "bent": 0.88, "steps": 0.84}  # that a share and two of its standard errors reach


def truths(Z: FloatArray, y: FloatArray) -> dict[str, Callable[[FloatArray], FloatArray]]:
    """What the target is on average, of inputs in standard deviations from their mean."""
    intercept, *slopes = np.linalg.lstsq(np.column_stack([np.ones(len(Z)), Z]), y, rcond=None)[0]

    def bent(Z):
        tax, income, highways, licences = Z.T
        power = -25 * np.sign(tax) * np.abs(tax) ** 0.7
        return (
            intercept
            + 70 * np.tanh(1.2 * licences)
            + 30 * np.sin(1.5 * income)
            + power
            - 20 * tax * licences
            + 8 * highways
        )

    def steps(Z):
        tax, income, highways, licences = Z.T
        alone = (
            60 * (licences > 0.3)
            + 50 * (licences > 1.2)
            + 40 * (income < -0.5)
            - 40 * (tax > 0.4)
            + 25 * (highways > 0)
        )
        return intercept + alone - 40 * (tax > -0.3) * (licences > 0)

    return {"straight": lambda Z: intercept + Z @ slopes, "bent": bent, "steps": steps}


def _table(truth: str, n_rows: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Draw a table, and return whether each change is held, and the width of its interval, by the active algorithm."""
    generator, rows = np.random.default_rng([seed, n_rows]), load_rows()
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    real = (X - mean) / deviation
    f, Z = truths(real, y)[truth], real
    if n_rows > len(real):
        Z = real[generator.integers(len(real), size=n_rows)] + 0.3 * generator.standard_normal((n_rows, real.shape[1]))
    refits = make_refits(Z * deviation + mean, f(Z) + NOISE * generator.standard_normal(n_rows))
    before = []
    after = []
    while len(before) < N_CHANGES:
        start, place = real[generator.integers(len(real))], generator.integers(real.shape[1])
        end = start.copy()
        end[place] += generator.choice([-1, 1]) * generator.uniform(0.5, 1.5)
        if real[:, place].min() <= end[place] <= real[:, place].max():
            before.append(start)
            after.append(end)
    before, after = np.array(before), np.array(after)
    changed = f(after) - f(before)
    X_before, X_after = before * deviation + mean, after * deviation + mean
    low, high = interval_ends(refits.changes(X_before, X_after), LEVEL)
    own = refits.changes_of_others(X_before, X_after)
    low, high = np.minimum(low[:, None], own), np.maximum(high[:, None], own)
    alone = interval_ends(refits.changes(X_before, X_after)[:, :N_REFITS], LEVEL)  # of the first kind, least squares
    low, high = (np.column_stack([end, only]) for end, only in zip((low, high), alone, strict=True))
    held = (low - 1e-9 <= changed[:, None]) & (changed[:, None] <= high + 1e-9)
    return held.mean(axis=0), (high - low).mean(axis=0)


def coverage(truth: str, n_rows: int, n_tables: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of the changes that are held, its standard error over the tables, and the mean width, by algorithm."""
    tables = Parallel(n_jobs=-1)(delayed(_table)(truth, n_rows, seed) for seed in range(n_tables))
    held, width = (np.array(each) for each in zip(*tables, strict=True))
    return held.mean(axis=0), held.std(axis=0, ddof=1) / np.sqrt(n_tables), width.mean(axis=0)


def main() -> int:
    """Print the table; return how many shares stay below their floor by more than two standard errors."""
    print(f"Of 100 changes held by the {LEVEL:.0%} interval, with a standard error, and its mean width [{TARGET.unit}]")
    print(f"{'rows':>6} {'truth':9}", *(f"{algorithm:>20}" for algorithm in (*OFFERED, "one line's own")))
    n_below = 0
    for n_rows, n_tables in TABLES.items():
        for truth, floor in FLOORS.items():
            shares, errors, widths = coverage(truth, n_rows, n_tables)
            texts = [
                f"{100 * share:5.1f} ±{100 * error:4.1f} ({width:.0f})"
                for share, error, width in zip(shares, errors, widths, strict=True)
            ]
            print(f"{n_rows:6,} {truth:9}", *(f"{text:>20}" for text in texts), flush=True)
            n_below += int((shares + 2 * errors < floor)[:-1].sum())
    return n_below


if __name__ == "__main__":
    sys.exit(f"{n} shares lie below their floor." if (n := main()) else 0)
