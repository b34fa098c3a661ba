"""Pictures without a page: a unit on every axis, names that are only names, and what is drawn when nothing can be."""

import numpy as np
import pytest

from data.schema import COLUMNS, FEATURES, ROW, TARGET
from model.fitting.importance import KINDS, importances
from model.judging.survey import Survey
from pages.shared.pictures import charts
from pages.shared.pictures.drawing import Points, draw_blank
from tests.explore_page import decoded

HOSTILE = '<a href="javascript:alert(1)">x</a> & <b>|'


@pytest.fixture(scope="module")
def pictures(model):
    """Every picture of the shipped rows, by name."""
    rows, survey = model.rows, Survey(model, model.rows)
    points = Points(rows)
    rises = [importances(model.importance[kind], range(48)) for kind in KINDS]
    found = {
        "heat_map": charts.draw_correlations(*survey.correlations, 48),
        "matrix": charts.draw_matrix(points, rows),
        "influence": charts.draw_influence(points, survey.regression, np.arange(48)),
        "importances": charts.draw_importances(*rises),
    }
    for column in COLUMNS:
        found[f"tile_map {column.name}"] = charts.draw_tile_map(points, column)
        found[f"distribution {column.name}"] = charts.draw_distribution(
            points, column, rows[column.name].to_numpy(float)
        )
    for column in FEATURES:
        curves = survey.curves(column.name)
        found[f"one {column.name}"] = charts.draw_input_and_target(points, column, curves, (column.default, 500))
    return {name: figure.to_plotly_json() for name, figure in found.items()}


def test_every_axis_of_numbers_says_what_it_counts_in(pictures):
    units = [*(column.unit for column in COLUMNS), *(column.short_unit for column in COLUMNS)]
    units += ["no unit", "standard deviations"]
    for name, picture in pictures.items():
        axes = {key: axis for key, axis in picture["layout"].items() if key[1:5] == "axis"}
        assert axes
        for key, axis in axes.items():
            title = axis.get("title", {}).get("text", "")
            is_of_names = name in ("heat_map", "importances") and key == "yaxis"
            if axis.get("visible", True) and not is_of_names:
                assert any(f"({unit})" in title for unit in units) or title.startswith(("Number of", "Leverage")), (
                    name,
                    key,
                )


def test_a_map_says_in_what_its_colours_are(pictures):
    for column in COLUMNS:
        bar = pictures[f"tile_map {column.name}"]["data"][0]["marker"]["colorbar"]
        assert bar["title"]["text"] == f"{column.label} ({column.unit})"


def luminance(colour):
    """Relative luminance of a colour, red, green and blue from 0 to 1 (WCAG 2.2)."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def rgb(text):
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) / 255


@pytest.mark.parametrize("name", [f"tile_map {column.name}" for column in COLUMNS] + ["heat_map"])
def test_labels_stand_out_from_what_they_lie_on(pictures, name):
    (trace,) = decoded(pictures[name]["data"])
    if name == "heat_map":
        scale, values, inks = trace["colorscale"], (np.linspace(-1, 1, 21) + 1) / 2, [trace["textfont"]["color"]] * 21
    else:
        marker, inks = trace["marker"], trace["textfont"]["color"]
        scale, values = marker["colorscale"], (np.array(marker["color"]) - marker["cmin"]) / np.ptp(marker["color"])
    places, colours = (np.array(part) for part in zip(*[(place, rgb(text)) for place, text in scale], strict=True))
    for value, ink in zip(values, inks, strict=True):
        under = np.array([np.interp(value, places, colours[:, part]) for part in range(3)])
        both = sorted((luminance(under), luminance(rgb(ink))))
        assert (both[1] + 0.05) / (both[0] + 0.05) >= 4.5


def test_ranges_stay_where_they_are_so_that_a_swipe_scrolls_the_page(pictures):
    for picture in pictures.values():
        assert all(axis["fixedrange"] for key, axis in picture["layout"].items() if key[1:5] == "axis")


def test_a_name_from_a_file_is_never_markup(model):
    rows = model.rows.assign(**{ROW: HOSTILE})
    points = Points(rows, frozenset(), {0: [HOSTILE]})
    survey = Survey(model, rows)
    figures = [
        charts.draw_input_and_target(points, FEATURES[0], None, (7.5, 500), with_names=True),
        charts.draw_matrix(points, rows),
        charts.draw_influence(points, survey.regression, np.arange(48)),
        charts.draw_distribution(points, TARGET, rows[TARGET.name].to_numpy(float)),
        charts.draw_tile_map(points, TARGET),
        draw_blank(HOSTILE),
    ]
    for figure in figures:
        assert "<a href" not in figure.to_json().replace("\\u003c", "<")


def test_rows_without_a_place_on_the_map_are_told(model):
    figure = charts.draw_tile_map(Points(model.rows.assign(**{ROW: "R1"})), TARGET)
    assert [note.text for note in figure.layout.annotations] == ["None of these states has a place on the map."]


def test_a_selected_row_stands_out_and_a_hidden_selection_dims_nothing(model):
    assert Points(model.rows, frozenset({3})).opacity.count(1) == 1
    assert set(Points(model.rows.iloc[:3], frozenset({3})).opacity) == {1}
