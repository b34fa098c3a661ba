"""The Explore page: the rows on a map and in a table, and below them one analysis at a time."""

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from data.edit import write_rows
from data.notes import find_notes
from data.schema import A_ROW, COLUMNS, FEATURES, ROW, ROWS, TARGET, TILES, Column, row_name
from data.statistics import NUMBERS, commonest
from model.answering.prediction import predict_rows
from model.fitting.errors import ModelError
from model.fitting.importance import KINDS, importances
from pages.shared import controls, resources, session
from pages.shared.panels import selection
from pages.shared.panels.frame import draw_frame
from pages.shared.pictures import charts, text_tables
from pages.shared.pictures.drawing import Points, draw_blank
from pages.shared.words import findings, wording

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MAX_PAIRED = 6  # inputs in a matrix of pairs: of more, none could be read
label_of = attrgetter("label")

model = resources.active_model()
draw_frame("Explore", model)
n_all, sha256 = len(model.rows), model.metadata.data.sha256
notes = find_notes(sha256)
doubts = findings.list_doubts(notes, model.rows)

st.title("Explore", anchor=False)
st.markdown(f":gray[{findings.rows_in_words(n_all)}]")
notices = st.container()
toolbar = st.container(horizontal=True, vertical_alignment="center", key=session.EXPLORE_BAR)
with toolbar:
    row_filter = selection.draw_filter(model.rows, sha256)
with notices:
    for problem in selection.list_link_problems():
        st.info(problem, icon=":material/link:")
survey = resources.owner.survey(model, row_filter.limits, row_filter.names)
n, selected = len(survey.rows), st.session_state[session.EXPLORE_SELECTED]
selected_shown = [index for index in selected if index in survey.rows.index]
selected_hidden = frozenset(selected).difference(selected_shown)
points = Points(survey.rows.loc[survey.sample], frozenset(selected), doubts)


def draw_picture(
    key: str, figure: "go.Figure", alt: str, table: text_tables.Rows | None = None, *, can_select: bool = True
) -> None:
    """Draw a figure, and offer its numbers as a table."""
    options: dict[str, Any] = {"on_select": selection.selecting_from(key, selected_hidden)} if can_select else {}
    st.plotly_chart(figure, key=key, alt=alt, config={"displaylogo": False}, **options)
    if table:
        with st.popover("Show as table", type="tertiary", icon=":material/table_rows:"):
            st.markdown(text_tables.to_markdown(table))


def draw_one_input() -> None:
    """Draw one input against the target, with the line, the model's average response, and the scenario."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        column = st.selectbox(
            "Input", FEATURES, format_func=label_of, key=session.EXPLORE_INPUT, persist_state="session"
        )
        with_names = st.toggle("Names", key=session.EXPLORE_WITH_NAMES, persist_state="session")
    scenario = controls.read_scenario()
    answer = predict_rows(model, np.array([[scenario[feature.name] for feature in FEATURES]]))[0]
    curves, problem = None, ""
    try:
        curves = survey.curves(column.name)
    except ModelError as error:
        problem = str(error)
    alt = (
        f"{TARGET.label} against {column.label.lower()} of {n:,} {ROWS}, with a straight line and the model's response"
    )
    figure = charts.draw_input_and_target(
        points, column, curves, (scenario[column.name], answer), with_names=with_names
    )
    draw_picture(session.EXPLORE_ONE, figure, alt, text_tables.tabulate_curves(column, curves) if curves else None)
    st.caption(problem or findings.curves_note(column))


def draw_columns() -> None:
    """Say what each column means, and draw the distribution of a chosen one."""
    st.markdown(text_tables.to_markdown(text_tables.tabulate_statistics(survey.statistics)))
    if counts := text_tables.tabulate_choices(survey.rows):
        st.markdown(text_tables.to_markdown(counts))
    st.caption(findings.column_meanings())
    column = st.selectbox(
        "Distribution of", COLUMNS, format_func=label_of, key=session.EXPLORE_COLUMN, persist_state="session"
    )
    values = survey.rows[column.name]
    if column.choices:
        figure = charts.draw_choices(column, values.to_numpy(float))
        note, alt = "", f"Number of {ROWS} with each {column.label.lower()}, of {n:,}"
    else:
        figure = charts.draw_distribution(points, column, values.to_numpy(float))
        note, alt = " Whiskers reach the extremes.", f"Histogram of {column.label.lower()} of {n:,} {ROWS}"
    draw_picture(session.EXPLORE_SPREAD, figure, alt, text_tables.tabulate_bins(column, values.to_numpy(float)))
    st.caption(f"{findings.spread_in_words(column, *commonest(values), n)}{note}")


def choose_inputs() -> list[Column]:
    """Return the inputs to draw in pairs: all, or of many those that matter most to the model, or that are chosen."""
    if len(FEATURES) <= _MAX_PAIRED:
        return list(FEATURES)
    st.session_state.setdefault(session.EXPLORE_PAIRED, [FEATURES[i] for i in model.ranked_inputs[:_MAX_PAIRED]])
    chosen = st.multiselect(
        f"Inputs, {_MAX_PAIRED} at most; first the ones that matter most to the model",
        FEATURES,
        format_func=label_of,
        key=session.EXPLORE_PAIRED,
        max_selections=_MAX_PAIRED,
        persist_state="session",
    )
    return chosen or [FEATURES[model.ranked_inputs[0]]]


def draw_pairs() -> None:
    """Draw each column against each other, and their correlations."""
    st.markdown(findings.strongest_correlation(*survey.correlations, n))
    columns = [*choose_inputs(), TARGET]
    numbers = [column for column in columns if not column.choices]
    left, right = st.columns([0.58, 0.42], gap="medium")
    with left:
        alt = f"{len(columns)} columns against each other for {n:,} {ROWS}, histograms on the diagonal"
        draw_picture(session.EXPLORE_PAIRS, charts.draw_matrix(points, survey.rows, columns), alt)
    if len(NUMBERS) == 1:
        return
    with right:
        alt = f"Correlations of {len(numbers)} columns, Pearson and Spearman, of {n:,} {ROWS}"
        figure = charts.draw_correlations(*survey.correlations, n, numbers)
        draw_picture(
            session.EXPLORE_HEAT, figure, alt, text_tables.tabulate_correlations(*survey.correlations), can_select=False
        )


def draw_influence() -> None:
    """Draw which rows pull the straight line, and say how it changes without the selected ones."""
    try:
        regression = survey.regression
    except ModelError as error:
        st.plotly_chart(draw_blank(str(error)), key=session.EXPLORE_INFLUENCE, alt="No regression of these rows")
        return
    codes = survey.rows[ROW].tolist()
    positions = survey.rows.index.get_indexer(points.rows.index)
    left, right = st.columns([0.46, 0.54], gap="medium")
    with left:
        alt = f"Leverage against studentised residual of {n:,} {ROWS}, larger for a larger Cook's distance"
        table = text_tables.tabulate_influence(codes, regression, positions)
        draw_picture(session.EXPLORE_INFLUENCE, charts.draw_influence(points, regression, positions), alt, table)
        st.caption(findings.influence_thresholds(regression))
    with right:
        st.markdown(findings.influential_rows(codes, regression))
        if selected_shown:
            draw_line_without(selected_shown)
        else:
            st.caption(f"Select {A_ROW} to see the line without it.")
    st.markdown(f"**The line through all {len(FEATURES)} inputs at once**")
    st.markdown(text_tables.to_markdown(text_tables.tabulate_regression(regression)))
    st.caption(findings.fit_in_words(regression))


def draw_line_without(indexes: list[int]) -> None:
    """Compare the line of these rows with the line without some of them."""
    heading = f"Without {findings.name_rows(model, indexes)}"
    try:
        table = text_tables.tabulate_regression_change(survey.regression, survey.without(indexes), heading)
    except ModelError as error:
        st.info(f"{heading}: {error}")
    else:
        st.markdown(text_tables.to_markdown(table))


def draw_importance() -> None:
    """Draw which inputs the active model relies on."""
    st.markdown(findings.importance_note(model))
    if n < 2:
        st.plotly_chart(
            draw_blank(f"One {ROW} cannot say what matters."), key=session.EXPLORE_IMPORTANCE, alt="No figures"
        )
        return
    rises = [importances(model.importance[kind], survey.rows.index) for kind in KINDS]
    alt = f"Rise of the model's error with each input exchanged, judged by {n:,} {ROWS}"
    draw_picture(
        session.EXPLORE_IMPORTANCE,
        charts.draw_importances(*rises),
        alt,
        text_tables.tabulate_importance(*rises),
        can_select=False,
    )
    for warning in (findings.shared_importance(survey.correlations[0]), findings.misleading_importance(*rises)):
        if warning:
            st.caption(warning)


def draw_provenance() -> None:
    """Say where the rows come from, and which figures to doubt."""
    st.markdown(findings.provenance(notes, model))
    if not notes:
        return
    st.markdown("\n".join(f"- {fact}" for fact in notes.facts))
    st.markdown(f"**Doubtful figures.** They stay as published; a star or a diamond marks their {ROWS}.")
    st.markdown(findings.suspicious_figures(notes, model.rows))
    if doubtful_indexes := [index for index in doubts if index in survey.rows.index]:
        st.markdown(f"The straight line through all {len(FEATURES)} inputs, with and without these {ROWS}:")
        draw_line_without(doubtful_indexes)


VIEWS = {
    "One at a time": draw_one_input,
    "Columns": draw_columns,
    "All pairs": draw_pairs,
    f"Influential {ROWS}": draw_influence,
    "What matters": draw_importance,
    "About the data": draw_provenance,
}

with notices:
    selection.write_address(model.rows, row_filter, list(VIEWS))
with toolbar:
    st.markdown(f"**{n:,} of {n_all:,} {ROWS}**" if row_filter.is_on else f"**All {n_all:,} {ROWS}**", width="content")
    if row_filter.is_on:
        st.button("Show all", on_click=selection.show_all)
    st.markdown(findings.selection_in_words(model, selected, selected_shown), width="content")
    if selected:
        st.button("Clear selection", on_click=selection.clear_selection)
    if len(selected) == 1 and (query := controls.link_from_row(model.records[selected[0]])):
        name = wording.escape(row_name(model.records[selected[0]][ROW]))
        st.page_link(
            "streamlit_app.py", label=f"Start a what-if from {name}", query_params=query, icon=":material/tune:"
        )
if len(points.rows) < n:
    st.caption(
        f"Pictures draw {len(points.rows):,} of them, and the model's average response is over a random part of those; "
        f"every other figure is of all {n:,}."
    )
if not n:
    st.info(
        f"The filter leaves none of the {n_all:,} {ROWS}. Widen a range, or show all.", icon=":material/filter_alt:"
    )
    st.stop()

left, right = st.columns([0.4, 0.6], gap="medium") if TILES else (None, st.container())
if left:
    shade_column = left.selectbox(
        "Colour by", NUMBERS[::-1], format_func=label_of, key=session.EXPLORE_SHADE, persist_state="session"
    )
    alt = f"Tile map of {n:,} {ROWS}, darker for more {shade_column.label.lower()}"
    with left:
        draw_picture(session.EXPLORE_MAP, charts.draw_tile_map(points, shade_column), alt)
st.caption(findings.rows_to_notice(survey, doubts))
for tab, draw_view in zip(selection.draw_views(list(VIEWS)), VIEWS.values(), strict=True):
    if tab.open:
        with tab:
            draw_view()
with right:  # last, because the table keeps the browser busy: the pictures come first
    selection.draw_rows_table(survey, selected, doubts)
    st.download_button(
        f"Download {n:,} of {n_all:,} {ROWS} as CSV",
        lambda: write_rows(survey.rows),
        f"{ROWS}_{n}_of_{n_all}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
