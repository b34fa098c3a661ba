"""Figures about a table: SciPy's and the standard library's, and what few rows must not break."""

import statistics
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from data.load import fingerprint
from data.notes import find_notes
from data.schema import COLUMNS, FEATURE_NAMES, ROW, TARGET
from data.statistics import (
    NUMBERS,
    commonest,
    correlations,
    describe_columns,
    filter_rows,
    histogram,
    variance_inflation,
)

TAX = FEATURE_NAMES[0]
NAMES = [column.name for column in NUMBERS]


def test_a_column_in_figures_is_the_standard_librarys(rows):
    table = describe_columns(rows)
    for name in NAMES:
        values = rows[name].tolist()
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        figures = [min(values), lower, median, upper, max(values), statistics.fmean(values), statistics.stdev(values)]
        np.testing.assert_allclose(table.loc[name].iloc[:7].astype(float), figures)
        assert table.loc[name, "skewness"] == pytest.approx(stats.skew(values, bias=False))


def test_correlations_are_scipys(rows):
    for ours, theirs in zip(correlations(rows), (stats.pearsonr, stats.spearmanr), strict=True):
        for i, first in enumerate(NAMES):
            for j, second in enumerate(NAMES):
                assert ours[i, j] == pytest.approx(theirs(rows[first], rows[second]).statistic)


def test_bins_hold_every_row_once(rows):
    for name in NAMES:
        values = rows[name].to_numpy(float)
        counts, edges = histogram(values)
        assert counts.sum() == len(rows)
        assert edges[0] <= values.min() < edges[1]
        assert edges[-2] <= values.max() <= edges[-1]
        (width,) = {float(f"{high - low:.6g}") for low, high in pairwise(edges)}
        assert f"{width:.1e}"[:3] in ("1.0", "2.0", "2.5", "5.0")
        assert np.allclose(edges / width, np.round(edges / width), atol=1e-6)  # round ends
        assert 5 <= len(counts) <= 10  # Rice's rule says 8 for 48 rows
        inside = [((values >= low) & ((values < high) | (high == edges[-1]))).sum() for low, high in pairwise(edges)]
        assert inside == counts.tolist()


@pytest.mark.parametrize("value", [0.5, 7.0, 0.0, -3.0])
@pytest.mark.parametrize("spread", [0, 1e-12])
def test_values_that_never_vary_fill_one_narrow_bin(value, spread):
    counts, edges = histogram(np.array([value, value + spread * value, value]))
    assert counts.tolist() == [3]
    assert edges[0] < value < edges[1]
    assert edges[1] - edges[0] <= 0.021 * max(abs(value), 1)


def test_nineteen_states_share_a_tax_of_exactly_seven(rows):
    assert commonest(rows[TAX]) == (7.0, 19)


def test_a_choice_keeps_the_places_of_its_rows(rows):
    chosen = filter_rows(rows, [(TAX, 7.0, 7.0), (TARGET.name, 500, 600)])
    assert (chosen[TAX] == 7).all()
    assert chosen[TARGET.name].between(500, 600).all()
    expected = [i for i, row in enumerate(rows.to_dict("records")) if row[TAX] == 7 and 500 <= row[TARGET.name] <= 600]
    assert chosen.index.tolist() == expected
    assert filter_rows(rows, names=["WY", "Texas", "nowhere"])[ROW].tolist() == ["TX", "WY"]
    assert filter_rows(rows).equals(rows)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_have_figures_or_none_but_never_an_error(rows, n):
    few = rows.iloc[:n]
    assert describe_columns(few).shape == (5, 8)
    pearson, spearman = correlations(few)
    assert pearson.shape == spearman.shape == (5, 5)


def test_variance_inflation_is_that_of_regressions_on_the_others(rows):
    from sklearn.linear_model import LinearRegression

    X = rows[list(FEATURE_NAMES)].to_numpy()
    expected = []
    for i, x in enumerate(X.T):
        others = np.delete(X, i, axis=1)
        expected.append(1 / (1 - LinearRegression().fit(others, x).score(others, x)))
    np.testing.assert_allclose(variance_inflation(correlations(rows)[0][:-1, :-1]), expected)
    mixed = rows.assign(**{FEATURE_NAMES[1]: 3 * rows[TAX] - rows[FEATURE_NAMES[2]] / 1000, FEATURE_NAMES[3]: 0.5})
    found = variance_inflation(correlations(mixed)[0][:-1, :-1])
    assert np.isinf(found[:3]).all()
    assert np.isnan(found[3])


def test_a_column_that_never_varies_has_no_correlation(rows):
    pearson, spearman = correlations(rows.assign(**{TAX: 7.0}))
    assert np.isnan(pearson[0]).all()
    assert np.isnan(spearman[:, 0]).all()
    assert (np.diagonal(pearson)[1:] == 1).all()


def test_notes_belong_to_one_file_and_point_at_its_cells(rows):
    notes = find_notes(fingerprint(rows))
    assert {suspicion.row for suspicion in notes.suspicious} == {"SD", "WV"}
    columns = {column.name: column for column in COLUMNS}
    for suspicion in notes.suspicious:
        published = rows.set_index(ROW).loc[suspicion.row, suspicion.column]
        assert published > suspicion.likely
        assert columns[suspicion.column].check(suspicion.likely)
    assert find_notes(fingerprint(rows.iloc[1:])) is None


def test_the_misprinted_population_explains_both_suspicious_figures_of_south_dakota(rows):
    """Licensed drivers and fuel were divided by the same number: both must shrink alike."""
    published = rows.set_index(ROW).loc["SD"]
    shrunk = [s.likely / published[s.column] for s in find_notes(fingerprint(rows)).suspicious if "population" in s.why]
    assert len(shrunk) == 2
    assert shrunk[0] == pytest.approx(shrunk[1], abs=0.002)
