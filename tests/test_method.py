"""The worked figures of docs/method.md, each computed a second way, by NumPy, SciPy and scikit-learn."""

import itertools
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import RepeatedKFold

from model.answering.change import refits_either_side
from model.fitting.algorithms import ALGORITHMS, OFFERED
from model.fitting.recipe import make_recipe
from model.fitting.refits import SIMULATED
from model.fitting.train import fit
from tests.conftest import ROOT

TEXT = " ".join((ROOT / "docs" / "method.md").read_text(encoding="utf-8").split()).replace("−", "-")


def assert_says(*parts):
    for part in parts:
        assert part in TEXT, part


@pytest.fixture(scope="module")
def ohio(model):
    return model.rows["state"].tolist().index("OH")


@pytest.fixture(scope="module")
def errors(model):
    return model.y - model.predictions


def test_the_inputs_and_the_prediction_of_the_worked_state(model, ohio):
    tax, income, highways, drivers = model.X[ohio]
    assert_says(f"tax {tax:.0f} cents, income {income:,.0f} dollars, highways {highways:,.0f} miles")
    assert_says(f"{100 * drivers:.1f} % licensed drivers; {model.y[ohio]:.0f} gallons")
    assert_says(f"Ohio: **{model.pipeline.predict(model.X[[ohio]])[0]:.1f}**")


def test_errors_of_unseen_states_and_their_scores(model, ohio, errors):
    own = model.y[ohio] - errors[:, ohio]
    assert_says(f"Ohio: {', '.join(f'{one:.1f}' for one in own)}; it used 498")
    assert_says(f"from {errors[:, ohio].max():.1f} to {errors[:, ohio].min():.1f}")
    assert_says(f"Ohio adds {np.abs(errors[:, ohio]).mean():.1f}; all states give **{np.abs(errors).mean():.1f}**")
    square, spread = math.sqrt((errors**2).mean()), model.y.std()
    assert_says(f"**{square:.1f}**. One", f"1 - {square:.2f}² / {spread:.2f}² = **{1 - (square / spread) ** 2:.2f}**")
    sizes = np.abs(errors).mean(axis=0)
    drawn = stats.bootstrap((sizes,), np.mean, n_resamples=2000, rng=np.random.default_rng(1))
    assert drawn.standard_error == pytest.approx(7.1, abs=0.3)
    assert_says("**7.1** for the typical miss")


def test_the_width_is_the_mean_of_ten_sizes(model, ohio, errors):
    sizes = np.sort(np.abs(errors), axis=1)[:, 44]
    assert_says(
        f"The 45th smallest sizes are {', '.join(f'{one:.1f}' for one in sizes)};", f"mean is **{sizes.mean():.1f}**"
    )
    value = model.pipeline.predict(model.X[[ohio]])[0]
    assert_says(f"± {sizes.mean():.1f}, from {value - sizes.mean():.0f} to {value + sizes.mean():.0f}")
    assert_says(f"narrower ({np.sort(np.abs(errors.mean(axis=0)))[44]:.0f})")


def test_what_was_held(model):
    held = {each.level: each.held for each in model.metadata.coverage.held}
    assert_says(f"At 90 %: **{held[0.9]:g}** of 48")  # counted anew in test_interval.py
    low, high = stats.binom.interval(0.95, 48, 0.9)
    assert_says(f"{48 * 0.9:.1f} expected, and {low:.0f} to {high:.0f} in 95 of 100")
    beyond = {each.level: each.held for each in model.metadata.coverage.beyond.held}
    assert_says(f"the interval at 90 % held **{beyond[0.9]}**")


@pytest.mark.parametrize("baseline", ["least_squares", "mean"])
def test_differences_by_the_papers_formula(model, errors, baseline):
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import LinearRegression

    other = LinearRegression() if baseline == "least_squares" else DummyRegressor()
    by_fold = []
    for i, (train, test) in enumerate(RepeatedKFold(n_splits=5, n_repeats=10, random_state=0).split(model.X)):
        theirs = np.abs(model.y[test] - other.fit(model.X[train], model.y[train]).predict(model.X[test]))
        by_fold.append((np.abs(errors[i // 5, test]) - theirs).mean())
    half = stats.t.ppf(0.95, 49) * math.sqrt((1 / 50 + 1 / 4) * np.var(by_fold, ddof=1))
    found = model.metadata.mae_difference[baseline]
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))
    assert np.mean(by_fold) == pytest.approx(found.value, abs=0.4)  # folds of nine and of ten rows
    assert_says(f"{found.value:.1f}", f"from {found.low:.1f} to {found.high:+.1f}".replace("+-", "-"))


def test_shares_by_every_order_of_setting_the_inputs(model, ohio):
    worth = {}
    for n in range(5):
        for chosen in itertools.combinations(range(4), n):
            rows = model.X.copy()
            rows[:, list(chosen)] = model.X[ohio, list(chosen)]
            worth[chosen] = model.pipeline.predict(rows).mean()
    names = ("tax", "income", "highways", "drivers")
    for chosen, value in worth.items():
        label = {0: "none", 4: "all"}.get(len(chosen)) or ", ".join(names[i] for i in chosen)
        assert_says(f"| {label} | {value:.1f} |")
    shares = np.zeros(4)
    for order in itertools.permutations(range(4)):
        for place, feature in enumerate(order):
            before = tuple(sorted(order[:place]))
            shares[feature] += (worth[tuple(sorted((*before, feature)))] - worth[before]) / 24
    tax, income, highways, drivers = shares
    assert_says(f"**{tax:+.1f}**. Income {income:.1f}, highways {highways:.1f}, drivers {drivers:.1f}")
    assert_says(f"together {shares.sum():.1f} = {worth[0, 1, 2, 3]:.1f} - {worth[()]:.1f}")


def test_the_nearest_state_and_the_line(model, ohio):
    spread = model.X.std(axis=0, ddof=1)
    assert_says(f"{spread[0]:.3f} cents, {spread[1]:.1f} dollars, {spread[2]:,.0f} miles, {100 * spread[3]:.2f} points")
    missouri = model.rows["state"].tolist().index("MO")
    apart = (model.X[missouri] - model.X[ohio]) / spread
    assert_says(f"√({-apart[1]:.3f}² + {apart[3]:.3f}²) = **{np.sqrt((apart**2).sum()):.2f}**")
    A = np.column_stack([np.ones(48), model.X])
    beta = np.linalg.solve(A.T @ A, A.T @ model.y)
    parts = A[ohio] * beta
    assert_says(
        f"{beta[0]:.1f} - {-beta[1]:.2f} × tax - {-beta[2]:.5f} × income - {-beta[3]:.6f} × highways + {beta[4]:,.0f}"
    )
    assert_says(" - ".join(f"{abs(part):.1f}" for part in parts[:4]) + f" + {parts[4]:.1f} = **{parts.sum():.1f}**")
    hat = A @ np.linalg.inv(A.T @ A) @ A.T
    residuals = model.y - A @ beta
    kept = np.arange(48) != ohio
    without = np.linalg.lstsq(A[kept], model.y[kept], rcond=None)[0]
    rest = model.y[kept] - A[kept] @ without
    s = math.sqrt((rest @ rest) / 42)
    studentised = residuals[ohio] / (s * math.sqrt(1 - hat[ohio, ohio]))
    assert_says(f"a residual of {residuals[ohio]:.1f}", f"Its leverage is {hat[ohio, ohio]:.3f}")
    assert_says(f"is {studentised:.2f}, Cook's distance")


def test_the_tutorials_fault_as_the_text_shows_it():
    text = (ROOT / "docs" / "method.md").read_text(encoding="utf-8").split("for every state:\n")[1]
    code = re.search(r"(?m)(?:^    .*\n|^\n)+", text)[0]
    told = [sys.executable, "-c", re.sub(r"(?m)^    ", "", code)]
    mae, answers = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n", 1)
    assert float(mae) == pytest.approx(51.765)
    assert re.findall(r"[\d.]+", answers) == ["503.5", "506.1", "522.35", "1", "46", "1"]
    assert_says("**46** get 506.1 gallons, one 503.5 and one 522.35")


def test_the_change_of_the_worked_state_and_what_others_say_of_it(model, ohio):
    before, after = model.X[[ohio]], model.X[[ohio]] + [2, 0, 0, 0]
    own = (model.pipeline.predict(after) - model.pipeline.predict(before))[0]
    assert_says(f"{model.pipeline.predict(after)[0]:.1f} - {model.pipeline.predict(before)[0]:.1f} = **{own:.1f}**")
    said = np.sort((model.refits.pool.predict(after) - model.refits.pool.predict(before))[0])
    low, high = stats.scoreatpercentile(said, [5, 95])
    assert len(said) == 120
    less, _, _ = refits_either_side((said < 0).mean(), (said > 0).mean())
    assert_says("fitted 30 times", f"for Ohio {low:.0f} to {high:+.0f}", f"say less: {less} of 100.")
    assert_says(f"about 498 - {-own:.0f} = **{498 + own:.0f}**")
    for algorithm in OFFERED:
        fitted = fit(make_recipe(algorithm), model.rows)
        change = (fitted.predict(after) - fitted.predict(before))[0]
        assert_says(f"{ALGORITHMS[algorithm].label} {change:.0f}")


def test_the_simulation_of_changes_is_the_same_in_text_and_card():
    for truth, share in SIMULATED[48].items():
        assert re.search(rf"\| {truth}[^|]*\| {share:.1f} ± [^|]*\| {SIMULATED[200][truth]:.1f} ± ", TEXT)
