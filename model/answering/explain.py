"""Why one prediction and not another: Shapley values, exact where few inputs differ, and sampled where many do."""

from functools import cache
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES

FloatArray = NDArray[np.float64]
MAX_EXACT = 8  # inputs that differ: beyond, all 2**n coalitions would take seconds
_N_ORDERS = 64  # of the inputs that are sampled, half of them the reverse of the others, which lowers the error


class Reasons(NamedTuple):
    """How the difference between a prediction and that of other rows is shared among the inputs [unit of the target].

    Attributes
    ----------
    base
        Mean prediction of the other rows.
    contributions
        Column name -> Shapley value; they add up to the prediction minus ``base``.
    sampling_error
        The largest standard error of a contribution; 0 where they are exact.
    """

    base: float
    contributions: dict[str, float]
    sampling_error: float

    def to_record(self, base: str) -> dict[str, Any]:
        """Write it as plain values for JSON, with ``base`` under a name of its own."""
        record = {base: self.base, "contributions": self.contributions}
        return record | {"sampling_error": self.sampling_error} if self.sampling_error else record


class Question(NamedTuple):
    """What must be predicted to share a difference: see `reason_rows`."""

    rows: FloatArray
    differing: NDArray[np.intp]  # indices of the inputs that differ between scenario and any other row
    orders: NDArray[np.intp] | None  # of these inputs, one a chain; None where all coalitions are asked


@cache
def _coalitions(n_inputs: int) -> NDArray[np.bool_]:
    """All subsets of the inputs, as a boolean array of shape (2**n, n): row c holds the bits of c."""
    return (np.arange(2**n_inputs)[:, None] >> np.arange(n_inputs) & 1).astype(bool)


@cache
def _orders(n_inputs: int, n_chains: int) -> NDArray[np.intp]:
    """Random orders of the inputs, always the same, each followed by its reverse, of shape (n_chains, n_inputs)."""
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(n_inputs), (n_chains // 2, 1)), axis=1)
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(-1, n_inputs)


def reason_rows(x: FloatArray, others: FloatArray) -> Question:
    """Rows whose predictions share the difference between a scenario and other rows among the inputs.

    Parameters
    ----------
    x
        The scenario, of shape (n_features,).
    others
        What it is held against, of shape (n_others, n_features): the start of a change, or rows that stand for "not
        known".

    Returns
    -------
    Question
        Of ``rows`` of shape (n, n_features): for each coalition, or step of a chain, the inputs in it from ``x`` and
        the rest from each other row.
    """
    differing = np.flatnonzero((others != x).any(axis=0))
    n_inputs = len(differing)
    if n_inputs <= MAX_EXACT:
        orders, inside = None, _coalitions(n_inputs)
        with_each = np.broadcast_to(others, (len(inside), *others.shape))
    else:
        n_each = max(2, _N_ORDERS // len(others) // 2 * 2)
        orders = _orders(n_inputs, n_each * len(others))
        # After k steps of its chain, the first k inputs of an order are those of the scenario.
        inside = (np.argsort(orders, axis=1)[:, None, :] < np.arange(n_inputs + 1)[:, None]).reshape(-1, n_inputs)
        with_each = np.repeat(np.repeat(others, n_each, axis=0), n_inputs + 1, axis=0)[:, None]
    rows = np.array(with_each)
    rows[..., differing] = np.where(inside[:, None, :], x[differing], rows[..., differing])
    return Question(rows.reshape(-1, len(x)), differing, orders)


def share_difference(question: Question, predictions: FloatArray) -> Reasons:
    """Share the difference, given the predictions of the question's rows, of shape (n,) [unit of the target].

    Notes
    -----
    All 2**n coalitions: Shapley (1953); the interventional form of Lundberg and Lee (2017). Random orders with their
    reverses: Castro, Gomez and Tejada (2009), Computers & Operations Research 36; Mitchell et al. (2022), JMLR 23.
    """
    contributions = dict.fromkeys(FEATURE_NAMES, 0.0)
    names = [FEATURE_NAMES[feature] for feature in question.differing]
    n_inputs = len(question.differing)
    if question.orders is None:
        values = predictions.reshape(2**n_inputs, -1).mean(axis=1)
        inside = _coalitions(n_inputs)
        size = inside.sum(axis=1)
        for i, name in enumerate(names):
            without = np.flatnonzero(~inside[:, i])
            weight = [factorial(s) * factorial(n_inputs - s - 1) / factorial(n_inputs) for s in size[without]]
            contributions[name] = float(np.dot(weight, values[without + 2**i] - values[without]))
        return Reasons(float(values[0]), contributions, 0.0)
    chains = predictions.reshape(-1, n_inputs + 1)
    steps = np.empty((len(chains), n_inputs))
    np.put_along_axis(steps, question.orders, np.diff(chains, axis=1), axis=1)
    pairs = steps.reshape(-1, 2, n_inputs).mean(axis=1)
    contributions |= zip(names, pairs.mean(axis=0).tolist(), strict=True)
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    return Reasons(float(chains[:, 0].mean()), contributions, float(errors.max()))
