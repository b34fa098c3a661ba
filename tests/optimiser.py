"""What is found on the table in use, against SciPy's general optimiser with ten times the calls.

``PETROL_TABLE=folder python -m tests.optimiser`` fails where that finds a cheaper change.
"""

import numpy as np
from scipy.optimize import differential_evolution

from data.load import load_rows
from data.schema import FEATURE_NAMES, FEATURES, TARGET
from model.answering.find import find
from model.answering.prediction import predict_many
from model.answering.question import read_question
from model.fitting.recipe import make_recipe
from model.fitting.train import train

_POPULATION = 60  # for each input
_UNREACHED = 1000.0  # added to the shortfall, and more than anything costs


def main() -> None:
    """Try some aims either way."""
    model = train(load_rows(), make_recipe("forest", {"n_estimators": 30}), n_repeats=1)
    x = np.array([column.default for column in FEATURES])
    low, step = np.array([(column.low, column.step) for column in FEATURES]).T
    ends = [(0, column.n_steps - 1) for column in FEATURES]

    for share in (0.1, 0.25, 0.75, 0.9):
        goal = float(TARGET.round(np.quantile(model.y, share)))
        question = read_question(model, dict(zip(FEATURE_NAMES, x, strict=True)), "reach", goal, support="very far")
        found = find(model, question)
        side = 1 if goal > predict_many(model, x[None])[0] else -1

        def misses(rows, goal=goal, side=side):
            return np.maximum(side * (goal - TARGET.round(predict_many(model, rows))), 0)

        is_steady = found.answers[0].is_steady

        def objective(positions, is_steady=is_steady):
            rows = (low + positions.T.round() * step).round(9)
            shortfall, cost = misses(rows), (np.abs(rows - x) / model.scale).sum(axis=1)
            reached = np.flatnonzero(shortfall == 0)
            for i in np.arange(len(x)) if is_steady and len(reached) else ():
                for way in (-1, 1):
                    beside = rows[reached]
                    moved = np.abs(beside[:, i] - x[i]) > 1e-9
                    end = low[i] + ends[i][1] * step[i]
                    beside[moved, i] = np.clip((beside[moved, i] + way * step[i]).round(9), low[i], end)
                    shortfall[reached] = np.maximum(shortfall[reached], misses(beside))
            return np.where(shortfall > 0, _UNREACHED + shortfall, cost)

        n_generations = 10 * found.n_tried // (_POPULATION * len(x))
        rival = differential_evolution(
            objective,
            ends,
            popsize=_POPULATION,
            maxiter=n_generations,
            integrality=np.ones(len(x), bool),
            vectorized=True,
            updating="deferred",
            polish=False,
            tol=0,
            rng=1,
        )
        cost = found.answers[0].cost
        print(f"{goal:g}: {cost:.3f} after {found.n_tried:,}, {rival.fun:.3f} after {rival.nfev:,}", flush=True)
        assert found.is_reached
        assert cost <= rival.fun + 1e-9


if __name__ == "__main__":
    main()
