"""The Explore page: every figure on it worked out anew from the CSV by other means."""

import json
import statistics

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from streamlit.testing.v1 import AppTest

from data.schema import COLUMNS, FEATURES, row_name
from tests.conftest import ROOT
from tests.explore_page import CODES, NAMES, SCALES, TABLE, VIEWS, X, Y, figure, opened, select, table, words

pytestmark = pytest.mark.slow


def fitted(kept=slice(None)):
    """Coefficients, standard errors, R2 and residual s.d. by the normal equations."""
    D = np.column_stack([np.ones(len(Y[kept])), X[kept]])
    beta = np.linalg.lstsq(D, Y[kept], rcond=None)[0]
    rss = ((Y[kept] - D @ beta) ** 2).sum()
    variance = rss / (len(D) - 5)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(D.T @ D)))
    return beta, errors, 1 - rss / ((Y[kept] - Y[kept].mean()) ** 2).sum(), np.sqrt(variance)


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_opens_without_a_complaint(view):
    app = opened(view)
    assert not app.error
    assert not app.warning
    assert "All 48 states" in words(app)


def test_the_table_has_every_figure_of_the_file_and_marks_those_in_doubt():
    shown = opened("One at a time").dataframe[0].value
    assert shown["State"].tolist() == [row_name(code) + " *" * (code in ("SD", "WV")) for code in CODES]
    np.testing.assert_allclose(shown.iloc[:, 1:6].to_numpy(float), TABLE * SCALES)
    doubted = {CODES[place] for place in np.flatnonzero(shown["Doubtful"] != "")}
    assert doubted == {"SD", "WV"}


def test_the_tables_ticks_go_with_each_run_for_a_browser_may_draw_it_from_any():
    for steps in ((select(6),), (select(6), lambda _: None)):
        table = opened("One at a time", *steps).dataframe[0].proto
        assert json.loads(table.selection_default)["selection"]["rows"] == [6]


def test_columns_in_figures():
    cells = table(opened("Columns"), "Median")
    for line, column, values in zip(cells, COLUMNS, (TABLE * SCALES).T, strict=True):
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        figures = [min(values), lower, median, upper, max(values), statistics.fmean(values), statistics.stdev(values)]
        assert line[0] == f"{column.label}, {column.unit}"
        digits = 2 if column.decimals else 0  # whole dollars, and a tenth of a cent in two digits
        assert line[1:8] == [f"{figure:,.{digits}f}" for figure in figures]
        assert line[8] == f"{stats.skew(values, bias=False):.2f}"


@pytest.mark.parametrize("place", range(5), ids=NAMES)
def test_a_column_is_spread_as_counted_by_hand(place):
    column, values = COLUMNS[place], TABLE[:, place] * SCALES[place]
    app = opened("Columns", lambda app: app.selectbox(key="app.explore_column").set_value(column))
    bars, box, rug = figure(app, "explore_spread")["data"]
    for middle, width, count in zip(bars["x"], bars["width"], bars["y"], strict=True):
        low, high = middle - width / 2, middle + width / 2
        inside = sum(
            low - 1e-9 <= v < high - 1e-9 or (abs(v - high) < 1e-9 and high > max(values) - 1e-9) for v in values
        )
        assert inside == count
    assert sum(bars["y"]) == 48
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    np.testing.assert_allclose([box["q1"][0], box["median"][0], box["q3"][0]], [lower, median, upper])
    np.testing.assert_allclose(rug["x"], values)
    assert [int(row[1]) for row in table(app, "Number of states")] == list(bars["y"])
    n = max(list(values).count(v) for v in values)
    said = f"{n} of 48 states share" if n > 1 else "No two of the 48 states have the same"
    assert said in words(app)


def test_nineteen_states_share_a_tax_of_seven():
    assert "19 of 48 states share a petrol tax of exactly 7.0 cents per gallon." in words(opened("Columns"))


@pytest.mark.parametrize("place", range(4), ids=NAMES[:4])
def test_one_input_against_consumption(model, place):
    column, x = FEATURES[place], X[:, place]
    app = opened("One at a time", lambda app: app.selectbox(key="app.explore_input").set_value(column))
    band, straight, response, dots, here = figure(app, "explore_one")["data"]
    np.testing.assert_allclose(dots["x"], x * column.scale)
    np.testing.assert_allclose(dots["y"], Y)
    at = np.array(straight["x"]) / column.scale
    fit = stats.linregress(x, Y)
    np.testing.assert_allclose(straight["y"], fit.intercept + fit.slope * at)
    t = stats.t.ppf(0.975, 46)
    half = [t * stats.linregress(x - a, Y).intercept_stderr for a in at]
    np.testing.assert_allclose(band["y"][: len(at)], straight["y"] + np.array(half))
    for a, answer in list(zip(at, response["y"], strict=True))[::12]:
        rows = X.copy()
        rows[:, place] = a
        assert answer == pytest.approx(model.pipeline.predict(rows).mean())
    scenario = np.array([[c.default for c in FEATURES]])
    assert here["x"][0] == pytest.approx(column.default * column.scale)
    assert here["y"][0] == pytest.approx(model.pipeline.predict(scenario)[0])
    for step, cells in zip(
        np.linspace(0, len(at) - 1, 9).round().astype(int), table(app, "Straight line"), strict=True
    ):
        value = fit.intercept + fit.slope * at[step]
        assert cells[0] == f"{at[step] * column.scale:,.{column.decimals}f}"
        assert cells[1] == f"{value:.0f}"
        assert cells[2] == f"{value - half[step]:.0f} to {value + half[step]:.0f}"
        assert cells[3] == f"{response['y'][step]:.0f}"


def test_the_scenario_of_the_what_if_page_is_the_point_on_the_picture(model):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    app.query_params["petrol_tax"] = "9"
    app.run()
    app.switch_page("pages/explore.py").run()
    here = figure(app, "explore_one")["data"][-1]
    x = [[9.0, *(c.default for c in FEATURES[1:])]]
    assert (here["x"][0], here["y"][0]) == (9.0, pytest.approx(model.pipeline.predict(np.array(x))[0]))


def test_all_pairs_are_the_columns_of_the_file():
    data = figure(opened("All pairs"), "explore_pairs")["data"]
    scatters = [trace for trace in data if trace["type"] == "scatter"]
    assert len(scatters) == 10
    for trace in scatters:
        i, j = (int(trace[axis][1:] or 1) - 1 for axis in ("yaxis", "xaxis"))
        np.testing.assert_allclose(trace["x"], TABLE[:, j] * SCALES[j])
        np.testing.assert_allclose(trace["y"], TABLE[:, i] * SCALES[i])


def test_correlations_are_scipys_and_n_is_told():
    app = opened("All pairs")
    picture = figure(app, "explore_heat")
    (cells,) = picture["data"]
    texts = np.array(cells["text"], dtype=object)
    for i in range(5):
        for j in range(5):
            if i != j:
                kind = stats.pearsonr if i > j else stats.spearmanr
                assert texts[i, j] == f"{kind(TABLE[:, i], TABLE[:, j]).statistic:.2f}".replace("-", "−")
    assert "n = 48 states" in picture["layout"]["xaxis"]["title"]["text"]
    assert len(table(app, "Pearson")) == 10
    r, rho = (kind(X[:, 3], Y).statistic for kind in (stats.pearsonr, stats.spearmanr))
    assert f"is most closely related to licensed drivers: Pearson {r:.2f}, Spearman {rho:.2f}" in words(app)


def test_the_reference_line_is_printed_as_published():
    """Weisberg (1985): coefficients, standard errors, R2, F; VIF from 1.04 to 1.63."""
    app = opened("Influential states")
    cells = table(app, "VIF")
    published = [377.2911, -34.7901, -0.0665888, -0.00242589, 1336.449]
    assert [float(row[1].replace(",", "")) for row in cells] == [float(f"{value:.4g}") for value in published]
    assert [float(row[2]) for row in cells[1:]] == [
        float(f"{e:.3g}") for e in (12.9702, 0.0172217, 0.00338917, 192.298)
    ]
    beta, errors, r2, deviation = fitted()
    t = beta / errors
    assert [row[3] for row in cells] == [f"{value:.2f}" for value in t]
    p = 2 * stats.t.sf(np.abs(t), 43)
    assert [row[4] for row in cells] == ["< 0.0001" if value < 0.0001 else f"{value:.4f}" for value in p]
    inflation = []
    for i in range(4):
        others = np.delete(X, i, axis=1)
        inflation.append(1 / (1 - LinearRegression().fit(others, X[:, i]).score(others, X[:, i])))
    assert [row[5] for row in cells[1:]] == [f"{value:.2f}" for value in inflation]
    assert f"R² {r2:.3f} (adjusted 0.649), residual s.d. {deviation:.1f}, F 22.7 on 4 and 43 degrees" in words(app)


def test_who_pulls_the_line_by_leaving_each_state_out():
    app = opened("Influential states")
    (dots,) = figure(app, "explore_influence")["data"]
    D = np.column_stack([np.ones(48), X])
    np.testing.assert_allclose(dots["x"], np.diag(D @ np.linalg.pinv(D)), rtol=1e-6)
    for i in range(48):
        kept = np.arange(48) != i
        beta, _, _, deviation = fitted(kept)
        error = Y[i] - D[i] @ beta
        spread = deviation * np.sqrt(1 + D[i] @ np.linalg.inv(D[kept].T @ D[kept]) @ D[i])
        assert dots["y"][i] == pytest.approx(error / spread)
    D_hat = D @ np.linalg.pinv(D)
    moved = ((Y - D_hat @ Y) / (1 - np.diag(D_hat))) ** 2 * np.diag(D_hat)  # Cook's distance but for a factor
    hardest = [row_name(CODES[i]) for i in np.argsort(-moved)]
    assert {name for name in dots["text"] if name} == set(hardest[:5])
    assert hardest[0] == "Wyoming"
    high, far = figure(app, "explore_influence")["layout"]["shapes"][:2]
    assert high["x0"] == pytest.approx(2 * 5 / 48)
    assert far["y0"] == pytest.approx(stats.t.ppf(1 - 0.05 / 2 / 48, 42))
    assert "The one outlier is **Wyoming** (4.49 s.d., Cook’s distance 0.31)" in words(app)
    assert "**Texas** has the most unusual inputs (leverage 0.315, the average is 0.104)" in words(app)
    assert table(app, "Cook’s distance")[0] == ["Wyoming", "0.309", "4.49", f"{dots['x'][CODES.index('WY')]:.3g}"]
    assert [row[0] for row in table(app, "Cook’s distance")] == hardest[:10]


@pytest.mark.parametrize("left_out", [["WY"], ["SD", "WV"]])
def test_choosing_states_shows_the_line_without_them(left_out):
    places = [CODES.index(code) for code in left_out]
    app = opened("Influential states", select(*places))
    names = " and ".join(map(row_name, left_out))
    cells = table(app, f"Without {names}")
    kept = np.array([code not in left_out for code in CODES])
    (before, errors, r2_before, _), (after, _, r2, deviation) = fitted(), fitted(kept)
    for row, old, new, error in zip(cells[:5], before, after, errors, strict=True):
        assert [float(cell.replace(",", "")) for cell in row[1:3]] == [float(f"{value:.4g}") for value in (old, new)]
        assert row[3] == f"{(new - old) / error:+.2f}"
    assert cells[5][1:3] == [f"{r2_before:.3f}", f"{r2:.3f}"]
    assert cells[6][2] == f"{deviation:.1f}"


def test_the_line_without_the_suspicious_states_stands_with_the_notes():
    app = opened("About the data")
    kept = np.array([code not in ("SD", "WV") for code in CODES])
    after = fitted(kept)[0]
    cells = table(app, "Without South Dakota and West Virginia")
    assert [float(row[2].replace(",", "")) for row in cells[:5]] == [float(f"{value:.4g}") for value in after]
    for text in (
        "**South Dakota, licensed drivers**: 72.4 % as published, probably 61.7 %",
        "**South Dakota, petrol consumption**: 865 gal as published, probably 738 gal",
        "**South Dakota, average income**: $4,716 as published, probably $3,716",
        "**West Virginia, average income**: $4,574 as published, probably $3,574",
    ):
        assert text in words(app)
    assert "Weisberg" in words(app)


def test_what_matters_is_the_record_of_the_folds_and_in_sample_every_exchange(model):
    """Held out: the losses row by row, which scikit-learn's own folds give in `test_importance`."""
    app = opened("What matters")
    unseen, own = figure(app, "explore_importance")["data"]
    losses = model.importance["held_out"]
    plain = np.mean(losses["plain"])
    assert plain == pytest.approx(((Y - model.predictions) ** 2).mean(), rel=1e-5)
    expected = [np.sqrt(np.mean(losses[name])) - np.sqrt(plain) for name in NAMES[:4]]
    np.testing.assert_allclose(unseen["x"], expected, rtol=1e-3, atol=0.01)
    for place, value in enumerate(own["x"]):
        rows = np.repeat(X, 48, axis=0).reshape(48, 48, 4)
        rows[:, :, place] = X[:, place]
        errors = (Y[:, None] - model.pipeline.predict(rows.reshape(-1, 4)).reshape(48, 48)) ** 2
        shuffled = (errors.sum() - np.trace(errors)) / (48 * 47)
        own_plain = ((Y - model.pipeline.predict(X)) ** 2).mean()
        assert value == pytest.approx(np.sqrt(shuffled) - np.sqrt(own_plain), rel=1e-3)
    cells = table(app, "On rows it has not seen")
    assert [row[1].split(" ± ")[0] for row in cells] == [f"{value:.1f}" for value in unseen["x"]]
    assert "The grey bars mislead" in words(app)


def test_the_map_has_a_tile_for_each_state_and_a_star_for_each_doubt():
    (tiles,) = figure(opened("One at a time"), "explore_map")["data"]
    assert sorted(text.rstrip("*") for text in tiles["text"]) == sorted(CODES)
    assert {text for text in tiles["text"] if text.endswith("*")} == {"SD*", "WV*"}
    assert len(set(zip(tiles["x"], tiles["y"], strict=True))) == 48
    np.testing.assert_allclose(tiles["marker"]["color"], Y)
    at = dict(zip((text.rstrip("*") for text in tiles["text"]), zip(tiles["x"], tiles["y"], strict=True), strict=True))
    for west, east in (("CA", "NV"), ("OR", "ID"), ("KS", "MO"), ("OH", "PA"), ("TX", "FL")):
        assert at[west][0] < at[east][0]
    for north, south in (("WA", "OR"), ("ND", "SD"), ("ME", "MA"), ("MI", "FL"), ("MT", "NM")):
        assert at[north][1] < at[south][1]
