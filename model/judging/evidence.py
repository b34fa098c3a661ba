"""Evidence for and against a candidate: it and the active recipe, on the same rows and folds."""

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

N_SHOWN = 300  # up to this many rows, all are drawn


@dataclass(frozen=True, eq=False)
class Evidence:
    """A candidate compared with the active model.

    Attributes
    ----------
    candidate, active
        Both models, each fitted on its own rows.
    rival
        Out-of-fold predictions of the active recipe on the candidate's rows and folds, of shape (n_repeats, n_rows)
        [unit of the target]; None if it was never evaluated on them.
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
        """How many rows both were evaluated on."""
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
        """Whether both give equal predictions for every row of either."""
        if not np.allclose(*self.moves, rtol=0, atol=1e-9):
            return False
        X = self.candidate.X
        return self.has_same_rows or np.allclose(
            predict_rows(self.candidate, X), predict_rows(self.active, X), rtol=0, atol=1e-9
        )

    @property
    def _predictions(self) -> dict[str, NDArray[np.float64]]:
        """Model -> out-of-fold predictions: "candidate", and "active" if known and not the candidate itself."""
        if self.rival is None or self.is_active:
            return {"candidate": self.own}
        return {"candidate": self.own, "active": self.rival}

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Model -> scores on the candidate's rows: "candidate", "active" if known, and each baseline."""
        recorded = self.candidate.metadata.scores
        scores = {"candidate": recorded["model"]}
        if (active := self._predictions.get("active")) is not None:
            scores["active"] = score_predictions(self.candidate.y, active, self.candidate.groups)
        return scores | {name: score for name, score in recorded.items() if name != "model"}

    @cached_property
    def difference(self) -> Difference | None:
        """Mean absolute error of the candidate minus that of the active recipe, with its interval; None if unknown."""
        if self.rival is None:
            return None
        return compare_mae(self.candidate.y, self.own, self.rival, self.candidate.groups)

    @property
    def is_worse(self) -> bool:
        """Whether the candidate's error is clearly larger than the active recipe's."""
        return self.difference is not None and self.difference.verdict > 0

    @cached_property
    def residuals(self) -> dict[str, NDArray[np.float64]]:
        """Model -> observed minus predicted, out of fold, mean over the repeats, shape (n_rows,)."""
        return {name: (self.candidate.y - predictions).mean(axis=0) for name, predictions in self._predictions.items()}

    @cached_property
    def half_widths(self) -> dict[str, dict[float, float]]:
        """Model -> level -> half the width of its interval [unit of the target]."""
        return {
            name: {
                level: half_width((self.candidate.y - predictions)[:, self.candidate.distinct], level)
                for level in possible_levels(len(self.candidate.distinct))
            }
            for name, predictions in self._predictions.items()
        }

    @cached_property
    def moves(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predictions of the active model (before) and the candidate (after) for the active model's rows."""
        return predict_rows(self.active, self.active.X), predict_rows(self.candidate, self.active.X)

    def curves(
        self, scenario: dict[str, float]
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
        """Compute the response curves of both models through a scenario.

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
        """Predict a scenario with the active model and the candidate [unit of the target]."""
        x = np.array([[scenario[name] for name in FEATURE_NAMES]])
        return float(predict_rows(self.active, x)[0]), float(predict_rows(self.candidate, x)[0])

    @cached_property
    def shown(self) -> NDArray[np.intp]:
        """Indexes of the rows to draw: all, or of many a random sample and those with the largest errors."""
        if self.n_rows <= N_SHOWN:
            return np.arange(self.n_rows)
        random_rows = np.random.default_rng(0).choice(self.n_rows, N_SHOWN, replace=False)
        worst_rows = np.argsort(-np.abs(self.residuals["candidate"]))[:10]
        return np.unique(np.concatenate([random_rows, worst_rows]))


def gather_evidence(store: Store, candidate: Model, active: Model) -> Evidence:
    """Gather the evidence on a candidate from the store.

    Parameters
    ----------
    candidate
        The model of a stored version.
    """
    candidate_metadata, active_metadata = candidate.metadata, active.metadata
    if (active_metadata.data, active_metadata.folds) == (candidate_metadata.data, candidate_metadata.folds):
        return Evidence(candidate, active, active.predictions)
    return Evidence(candidate, active, find_evaluation(store, active_metadata.recipe, *candidate_metadata.evaluated_on))
