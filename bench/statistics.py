"""Whether intervals hold what they promise: ``python -m bench.statistics`` on tables whose truth is known.

Rows are drawn around the shipped ones, the target is a truth of three shapes with noise. For each algorithm: the share
of new rows inside its interval, beside the level, and what nested cross-validation says of the same tables; and by how
much the error of the mean absolute error is larger than its standard error says.
"""

import sys

import numpy as np

from data.load import load_rows
from data.schema import TARGET
from model.fitting import evaluate, interval
from model.fitting.algorithms import ALGORITHMS, OFFERED
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.scores import score_predictions
from model.fitting.train import features

N_ROWS, N_TABLES, N_NEW, N_REPEATS, NOISE = 48, 60, 2000, 7, 60.0  # with fewer repeats, few pairs of folds
SMALLER = {"n_estimators": 60}  # trees: the width hardly depends on more of them
TREE = "single tree"


def _truths(X, y):
    """Name -> what the target is on average, of inputs in standard deviations from the mean."""
    slopes = np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), y, rcond=None)[0]
    mean = y.mean()
    return {
        "straight": lambda Z: mean + Z @ slopes[1:],
        "bent": lambda Z: mean + 60 * np.tanh(1.5 * Z[:, 3]) + 25 * np.sin(2 * Z[:, 1]) - 20 * Z[:, 0] * (Z[:, 3] > 0),
        "steps": lambda Z: mean + 70 * (Z[:, 3] > 0.3) + 40 * (Z[:, 1] < -0.5) - 50 * (Z[:, 0] > 0.5) * (Z[:, 3] < 1),
    }


def _draw(generator, Z, truth, n):
    """Draw inputs around real rows, and their target."""
    drawn = Z[generator.integers(len(Z), size=n)] + 0.3 * generator.standard_normal((n, Z.shape[1]))
    return drawn, truth(drawn) + NOISE * generator.standard_normal(n)


def _unfitted(algorithm):
    if algorithm == TREE:
        from sklearn.tree import DecisionTreeRegressor

        return DecisionTreeRegressor(random_state=0)
    defaults = ALGORITHMS[algorithm].defaults
    return build_pipeline(make_recipe(algorithm, {name: n for name, n in SMALLER.items() if name in defaults}))


def coverage(algorithm, n_tables=N_TABLES, seed=0):
    """Count what the intervals of an algorithm hold.

    Returns
    -------
    dict
        Level -> shares [1]: of new rows inside, and of rows inside that nested cross-validation counts; means over
        tables and truths.
    float
        Root mean square error of the mean absolute error, over the mean of its standard errors [1].
    """
    from sklearn.base import clone

    generator, rows = np.random.default_rng(seed), load_rows()
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    found, misses = {level: [] for level in interval.LEVELS}, []
    for truth in _truths(Z, y).values():
        for _ in range(n_tables // 3):
            X_table, y_table = _draw(generator, Z, truth, N_ROWS)
            X_new, y_new = _draw(generator, Z, truth, N_NEW)
            unfitted = _unfitted(algorithm)
            kept, pairs = evaluate.cross_validate(unfitted, X_table, y_table, n_repeats=N_REPEATS)
            errors = np.abs(y_new - evaluate.fit_quietly(clone(unfitted), X_table, y_table).predict(X_new))
            groups = evaluate.groups_of(X_table, y_table)
            mae = score_predictions(y_table, kept, groups).mae
            misses.append((mae.value - errors.mean(), mae.standard_error))
            nested = interval.measure_coverage(y_table, kept, pairs, groups)
            for each in nested.held:
                width = interval.half_width(y_table - kept, each.level)
                found[each.level].append(((errors <= width).mean(), each.held / N_ROWS))
    error, said = np.transpose(misses)
    return {level: tuple(np.mean(shares, axis=0)) for level, shares in found.items()}, float(
        np.sqrt((error**2).mean()) / said.mean()
    )


def main():
    """Print the table; return how many shares lie below the promise by more than three points."""
    print(f"Of 100 new rows inside, and nested cross-validation's count; {N_TABLES} tables of {N_ROWS} rows")
    n_below = 0
    for algorithm in (*OFFERED, TREE):
        shares, times = coverage(algorithm)
        texts = [f"{100 * level:g} %: {100 * new:5.1f} ({100 * held:5.1f})" for level, (new, held) in shares.items()]
        n_below += sum(new < level - 0.03 for level, (new, _) in shares.items())
        print(f"{algorithm:20} {'   '.join(texts)}   error of the miss: {times:.2f} standard errors", flush=True)
    return n_below


if __name__ == "__main__":
    sys.exit(f"{n} shares lie below the promise by more than 3 points." if (n := main()) else 0)
