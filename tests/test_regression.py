"""The reference line: Weisberg's printed figures, and its diagnostics against refits without each row."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from data.schema import FEATURE_NAMES, FEATURES, ROW, TARGET
from model.fitting.errors import ModelError
from model.fitting.train import features
from model.judging.regression import fit_regression, line_with_band

X_AND_Y = [*FEATURE_NAMES, TARGET.name]


@pytest.fixture(scope="module")
def reference(rows):
    return fit_regression(rows)


def random_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    figures = {column.name: rng.uniform(column.low, column.high, n) for column in FEATURES}
    return pd.DataFrame({ROW: [f"R{i}" for i in range(n)], **figures, TARGET.name: rng.uniform(300, 900, n)})


def test_it_gives_the_published_figures_to_every_printed_digit(reference):
    """Weisberg (1985), and the same figures in many copies; order: intercept, tax, income, highways, licences."""
    printed = ("377.2911", "-34.7901", "-0.0665888", "-0.00242589", "1336.449")
    for value, text in zip(reference.coefficients, printed, strict=True):
        assert f"{value:.{len(text.split('.')[1])}f}" == text
    errors = ("12.9702", "0.0172217", "0.00338917", "192.298")
    for value, text in zip(reference.standard_errors[1:], errors, strict=True):
        assert f"{value:.{len(text.split('.')[1])}f}" == text
    assert f"{reference.r2:.6f}" == "0.678687"
    assert f"{reference.adjusted_r2:.6f}" == "0.648797"
    assert f"{reference.deviation:.4f}" == "66.3062"
    assert f"{reference.f:.3f}" == "22.706"


def test_wyoming_is_the_one_outlier_and_texas_has_the_most_unusual_inputs(rows, reference):
    outliers = rows[ROW][np.abs(reference.studentised) > reference.outlying]
    assert list(outliers) == ["WY"]
    place = outliers.index[0]
    assert f"{reference.studentised[place]:.2f}" == "4.49"
    assert f"{reference.cook[place]:.2f}" == "0.31"
    p = 48 * 2 * stats.t.sf(reference.studentised[place], reference.df - 1)
    assert f"{p:.3f}" == "0.003"
    assert rows[ROW][reference.leverage.argmax()] == "TX"
    assert f"{reference.leverage.max():.3f}" == "0.315"


def test_without_wyoming_it_gives_the_published_fit(rows):
    without = fit_regression(rows[rows[ROW] != "WY"])
    assert f"{without.r2:.3f}" == "0.704"
    assert f"{without.deviation:.2f}" == "55.15"


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_standard_errors_are_those_of_the_normal_equations(rows, seed):
    rows = rows if seed is None else random_rows(30, seed)
    fit = fit_regression(rows)
    D = np.column_stack([np.ones(len(rows)), features(rows)])
    y = rows[TARGET.name].to_numpy(float)
    beta = np.linalg.lstsq(D, y, rcond=None)[0]
    variance = ((y - D @ beta) ** 2).sum() / (len(y) - 5)
    np.testing.assert_allclose(fit.coefficients, beta, rtol=1e-6)
    np.testing.assert_allclose(fit.standard_errors**2, variance * np.diag(np.linalg.inv(D.T @ D)), rtol=1e-6)
    np.testing.assert_allclose(fit.p, 2 * stats.t.sf(np.abs(fit.coefficients / fit.standard_errors), len(y) - 5))


def test_diagnostics_are_what_leaving_each_row_out_does(rows, reference):
    """Leverage, studentised residual and Cook's distance by 48 refits instead of formulas."""
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    full = LinearRegression().fit(X, y).predict(X)
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        refit = LinearRegression().fit(X[kept], y[kept])
        deviation = np.sqrt(((y[kept] - refit.predict(X[kept])) ** 2).sum() / (len(y) - 6))
        error = y[i] - refit.predict(X[[i]])[0]  # its own fitted value would move by leverage times this
        assert reference.leverage[i] == pytest.approx(1 - (y[i] - full[i]) / error)
        spread = deviation * np.sqrt(1 / (1 - reference.leverage[i]))
        assert reference.studentised[i] == pytest.approx(error / spread)
        moved = ((full - refit.predict(X)) ** 2).sum() / (5 * reference.deviation**2)
        assert reference.cook[i] == pytest.approx(moved)


def test_inflation_is_what_the_other_inputs_explain_of_each(rows, reference):
    X = features(rows)
    for i in range(len(FEATURES)):
        others = np.delete(X, i, axis=1)
        r2 = LinearRegression().fit(others, X[:, i]).score(others, X[:, i])
        assert reference.vif[i] == pytest.approx(1 / (1 - r2))
    assert (f"{reference.vif.min():.2f}", f"{reference.vif.max():.2f}") == ("1.04", "1.63")


@pytest.mark.parametrize("n", [0, 1, 6])
def test_too_few_rows_are_told(n):
    with pytest.raises(ModelError, match=f"needs at least 7 states; there are {n}"):
        fit_regression(random_rows(n))


def test_seven_rows_are_enough():
    fit = fit_regression(random_rows(7))
    assert np.isfinite([*fit.coefficients, *fit.p, *fit.studentised, *fit.cook, fit.f, fit.outlying]).all()


@pytest.mark.parametrize("name", X_AND_Y)
def test_a_column_that_never_varies_is_told(rows, name):
    with pytest.raises(ModelError, match="in all 48 states, so no line"):
        fit_regression(rows.assign(**{name: rows[name].iloc[0]}))


def test_inputs_that_say_the_same_are_told(rows):
    first, second = FEATURE_NAMES[:2]
    with pytest.raises(ModelError, match="cannot be told apart"):
        fit_regression(rows.assign(**{second: rows[first] * 500 + 3}))


@pytest.mark.parametrize("n", [20, 48])
def test_a_row_without_which_there_is_no_line_has_leverage_one_and_no_residual(rows, n):
    """The only row with another tax sets the tax coefficient by itself: rounding must not make it an outlier."""
    fit = fit_regression(rows.iloc[:n].assign(**{FEATURE_NAMES[0]: [6.58] + [7.0] * (n - 1)}))
    assert fit.leverage[0] == pytest.approx(1)
    assert np.isnan(fit.studentised[0])
    assert np.isnan(fit.cook[0])
    assert np.isfinite(fit.studentised[1:]).all()
    assert np.isfinite(fit.cook[1:]).all()


@pytest.mark.parametrize("n", [7, 48])
def test_a_target_without_error_is_told(rows, n):
    exact = rows.iloc[:n].assign(**{TARGET.name: features(rows)[:n] @ [1, 0.1, 0.01, 100]})
    with pytest.raises(ModelError, match="lie exactly on a straight line"):
        fit_regression(exact)


def test_the_band_of_one_line_is_scipys(rows):
    for column in FEATURES:
        x, y = rows[column.name].to_numpy(float), rows[TARGET.name].to_numpy(float)
        at = np.linspace(x.min(), x.max(), 7)
        fitted, half_width = line_with_band(x, y, at)
        other = stats.linregress(x, y)
        np.testing.assert_allclose(fitted, other.intercept + other.slope * at)
        # at x = 0 the half-width is that of the intercept; anywhere else, of a shifted x
        widths = [stats.linregress(x - a, y).intercept_stderr * stats.t.ppf(0.975, 46) for a in at]
        np.testing.assert_allclose(half_width, widths)


def test_a_line_without_a_slope_is_told():
    with pytest.raises(ModelError, match="at least 3 states; there are 2"):
        line_with_band(np.array([1.0, 2]), np.array([1.0, 2]), np.array([1.0]))
    with pytest.raises(ModelError, match="All 3 states have the same value"):
        line_with_band(np.full(3, 7.0), np.arange(3.0), np.array([7.0]))
