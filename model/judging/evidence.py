"""What speaks for and against a candidate: itself and the active recipe, on the same rows and folds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES
from model.answering.prediction import predict_rows
from model.fitting.interval import half_width, possible_levels
from model.fitting.scores import Difference, Scores, compare_mae, score_predictions
from model.fitting.train import Model
from model.store.database import Store
from model.store.evaluations import find_evaluation

N_SHOWN = 300  # rows up to which each is drawn


@dataclass(frozen=True, eq=False)
class Evidence:
    """A candidate beside the active model.

    Attributes
    ----------
    candidate, active
        As they would answer, each fitted on its own rows.
    rival
        Out-of-fold predictions of the active recipe on the candidate's rows and folds, of shape (n_repeats, n_rows)
        [unit of the target]; None where it was never evaluated on them.
    """

    candidate: Model
    active: Model
    rival: NDArray[np.float64] | None

    @property
    def own(self) -> NDArray[np.float64]:
        """Out-of-fold predictions of the candidate's recipe, shape (n_repeats, n_rows) [unit of the target]."""
        return self.candidate.predictions

    @property
    def n_rows(self) -> int:
        """Rows that both were judged by."""
        return len(self.candidate.rows)

    @property
    def is_active(self) -> bool:
        """Whether the candidate is the active model itself."""
        return self.candidate.version == self.active.version

    @property
    def has_same_rows(self) -> bool:
        """Whether both were trained on equal rows."""
        return self.candidate.metadata.data == self.active.metadata.data

    @cached_property
    def is_same_model(self) -> bool:
        """Whether both answer every row of either alike."""
        if not np.allclose(*self.moves, rtol=0, atol=1e-9):
            return False
        X = self.candidate.X
        return self.has_same_rows or np.allclose(
            predict_rows(self.candidate, X), predict_rows(self.active, X), rtol=0, atol=1e-9
        )

    @property
    def _judged(self) -> dict[str, NDArray[np.float64]]:
        """Who -> out-of-fold predictions; the active model is its own candidate, and stands there once."""
        if self.rival is None or self.is_active:
            return {"candidate": self.own}
        return {"candidate": self.own, "active": self.rival}

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Who -> scores on the candidate's rows: "candidate", "active" where known, and each baseline."""
        recorded = self.candidate.metadata.scores
        scores = {"candidate": recorded["model"]}
        if (active := self._judged.get("active")) is not None:
            scores["active"] = score_predictions(self.candidate.y, active, self.candidate.groups)
        return scores | {name: score for name, score in recorded.items() if name != "model"}

    @cached_property
    def difference(self) -> Difference | None:
        """By how much the candidate misses more than the active recipe, with its interval; None where not known."""
        if self.rival is None:
            return None
        return compare_mae(self.candidate.y, self.own, self.rival, self.candidate.groups)

    @property
    def is_worse(self) -> bool:
        """Whether the candidate clearly misses by more than the active recipe."""
        return self.difference is not None and self.difference.verdict > 0

    @cached_property
    def residuals(self) -> dict[str, NDArray[np.float64]]:
        """Who -> observed minus predicted, out of fold, mean over the repeats, shape (n_rows,)."""
        return {who: (self.candidate.y - predictions).mean(axis=0) for who, predictions in self._judged.items()}

    @cached_property
    def half_widths(self) -> dict[str, dict[float, float]]:
        """Who -> level -> half the width of its interval [unit of the target]."""
        return {
            who: {
                level: half_width((self.candidate.y - predictions)[:, self.candidate.distinct], level)
                for level in possible_levels(len(self.candidate.distinct))
            }
            for who, predictions in self._judged.items()
        }

    @cached_property
    def moves(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What both answer to each of the active model's rows: before and after, each of shape (n_rows,)."""
        return predict_rows(self.active, self.active.X), predict_rows(self.candidate, self.active.X)

    def curves(
        self, scenario: dict[str, float]
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
        """Both response curves through a scenario.

        Parameters
        ----------
        scenario
            Column name -> number in the stored unit.

        Returns
        -------
        dict
            Column name -> (values in the stored unit, before, after), each of shape (n_steps,).
        """
        x = np.array([scenario[name] for name in FEATURE_NAMES])
        curves = {}
        for i, column in enumerate(FEATURES):
            grid = np.array(column.grid)
            rows = np.tile(x, (len(grid), 1))
            rows[:, i] = grid
            curves[column.name] = grid, predict_rows(self.active, rows), predict_rows(self.candidate, rows)
        return curves

    def answers(self, scenario: dict[str, float]) -> tuple[float, float]:
        """What both answer to a scenario [unit of the target]."""
        x = np.array([[scenario[name] for name in FEATURE_NAMES]])
        return float(predict_rows(self.active, x)[0]), float(predict_rows(self.candidate, x)[0])

    @cached_property
    def shown(self) -> NDArray[np.intp]:
        """Places of the rows to draw: all, or of many a random few with the largest errors."""
        if self.n_rows <= N_SHOWN:
            return np.arange(self.n_rows)
        chosen = np.random.default_rng(0).choice(self.n_rows, N_SHOWN, replace=False)
        worst = np.argsort(-np.abs(self.residuals["candidate"]))[:10]
        return np.unique(np.concatenate([chosen, worst]))


def gather_evidence(store: Store, candidate: Model, active: Model) -> Evidence:
    """Put the evidence on a candidate together from what the store has.

    Parameters
    ----------
    candidate
        Of a version of the store.
    """
    judged, own = candidate.metadata, active.metadata
    if (own.data, own.folds) == (judged.data, judged.folds):
        return Evidence(candidate, active, active.predictions)
    return Evidence(candidate, active, find_evaluation(store, own.recipe, *judged.evaluated_on))
