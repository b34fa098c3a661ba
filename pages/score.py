"""The Score page: a CSV of scenarios comes back with a prediction, its interval and its support on every row."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from data.cells import escape_table
from data.edit import write_template
from data.inputs import load_inputs
from data.load import load_rows
from data.schema import A_ROW, FEATURE_NAMES, ROW, TARGET, TARGET_UNIT
from data.statistics import histogram
from data.text import MAX_BYTES
from model.answering.neighbours import SUPPORT_LEVELS
from model.answering.scoring import START_COLUMN, ScoredFile, ScoredRows, count_support, score_file, write_csv
from pages.shared import controls, resources, session
from pages.shared.panels import reading, uploads
from pages.shared.panels.frame import draw_frame
from pages.shared.panels.validation_panel import draw_validation
from pages.shared.pictures.drawing import ACCENT, AT_REST, LEGEND, MUTED, POINT, lay_out, round_ticks
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    import plotly.graph_objects as go

N_SHOWN = 100  # rows of the preview
COLOURS = {"near": POINT, "far": MUTED, "very far": ACCENT}


def score_sent_file(name: str, content: bytes, file_id: str, coverage: float) -> ScoredFile | reading.Refusal:
    """Return the file scored by this model at this level, from the session if it is there, or why it is refused."""
    sheet = st.session_state.get(session.SCORE_SHEET, "")
    request = file_id, sheet, model, coverage
    last_request, result = st.session_state.get(session.SCORE_DONE, (None, None))
    if last_request != request:
        progress_bar = st.progress(0.0, f"Reading {escape(name)}")
        result = reading.read_file(load_inputs, name, content, FEATURE_NAMES, sheet=sheet)
        if not isinstance(result, reading.Refusal):
            progress_bar.progress(0.5, f"Scoring {len(result.X):,} rows")  # reading is half of the work

            def show_progress(n: int, n_all: int) -> None:
                progress_bar.progress(0.5 + n / n_all / 2)

            result = score_file(model, result, coverage, show_progress)
        progress_bar.empty()
        st.session_state[session.SCORE_DONE] = request, result
    return result


def draw_predictions(scored: ScoredRows) -> "go.Figure":
    """Draw a histogram of the predictions, stacked by how far the scenarios are from every row."""
    _, edges = histogram(scored.value)
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    bars = []
    for support, colour in COLOURS.items():
        predictions = scored.value[scored.support == support]
        bars.append({
            "type": "bar", "x": centres, "y": np.histogram(predictions, edges)[0], "width": width,
            "name": f"{support} ({len(predictions):,})", "marker": {"color": colour},
            "hovertemplate": f"%{{y:,}} rows {support}, about %{{x:{AT_REST}}} {TARGET.unit}<extra></extra>",
        })  # fmt: skip
    xaxis = {"title": {"text": f"Prediction{TARGET.unit_note}"}, "tickformat": ".0f"} | round_ticks(edges)
    legend = LEGEND | {"title": {"text": f"From every real {ROW}:"}}
    yaxis = {"title": {"text": "Rows"}} | ({"dtick": 1} if len(scored.value) < 10 else {})
    return lay_out(bars, 300, xaxis, yaxis, barmode="stack", legend=legend)


def draw_summary(name: str, result: ScoredFile, coverage: float) -> None:
    """Say how many rows were scored and why others were not, and offer the file with its predictions."""
    n, n_all = len(result.scored.value), len(result.table)
    counts = count_support(result.scored)
    model_name = f"version {model.version} ({model.label})" if model.version else f"the shipped {model.label}"
    far_counts = " and ".join(f"{counts[support]:,} {support}" for support in SUPPORT_LEVELS[1:] if counts[support])
    far_note = f"; {far_counts} from every real {ROW}" if far_counts else ""
    st.markdown(f"**{n:,} of {n_all:,} rows scored** of {escape(name)} by {model_name}{far_note}.")
    if result.n_problems:
        reasons = result.table[result.added[-1]]
        problems = [f"row {row}: {reason}" for row, reason in reasons[reasons != ""].head(20).items()]
        subject = f"{result.n_problems:,} rows" if result.n_problems > 1 else "One row"
        st.warning(f"{subject} could not be scored. The file has the reason in its last column.")
        st.code(
            "\n".join(problems),
            language=None,
            wrap_lines=True,
            height=min(280, 40 + 24 * sum(1 + len(line) // 100 for line in problems)),
        )
    for remark in result.remarks:
        st.info(escape(remark))
    st.download_button(
        "Download with predictions",
        lambda: write_csv(result),
        f"{name.rpartition('.')[0] or name}-scored.csv",
        "text/csv",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    names = ", ".join(f"`{title}`" for title in result.added)
    st.caption(
        f"Added columns: {names}. Predictions, changes and intervals in {TARGET_UNIT}, the intervals at "
        f"{controls.format_level(coverage)}; distance in s.d. of the inputs. Cells that look like formulas start "
        "with an apostrophe."
    )


def draw_preview(result: ScoredFile) -> None:
    """Draw the first rows, or the first that could not be scored."""
    choices = ["First rows"] + (["Not scored"] if result.n_problems else [])
    choice = st.segmented_control("Preview", choices, default=choices[0], key=session.SCORE_PREVIEW, required=True)
    rows = result.table if choice == choices[0] else result.table[result.table[result.added[-1]] != ""]
    columns = {name: st.column_config.NumberColumn(format="%.1f") for name in result.figures}
    columns["_index"] = st.column_config.Column("Row")
    preview = rows.head(N_SHOWN)
    preview = escape_table(preview.loc[:, ~preview.columns.duplicated()])  # it can be downloaded; and no name twice
    st.dataframe(preview, column_config=columns, alt=f"{len(preview)} of {len(rows):,} rows with their predictions")


model = resources.active_model()
draw_frame("Score a file", model)
st.title("Score a file", anchor=False)
st.markdown(":gray[Upload a file of scenarios; download it with a prediction for each. It stays in your session only.]")
left, right = st.columns([0.6, 0.4], gap="large")
left.file_uploader(
    f"CSV, Excel or Parquet file, at most {MAX_BYTES // 2**20} MB",
    type=reading.KINDS,
    key=session.SCORE_FILE,
    on_change=uploads.keep_sent,
    help=f"{reading.HELP} Other columns are carried through.",
)
with right:
    coverage = controls.draw_level(model, session.SCORE_COVERAGE)
    st.markdown(
        f":gray[It needs the columns {', '.join(f'`{name}`' for name in FEATURE_NAMES)}. A column `{START_COLUMN}` "
        f"that names {A_ROW} adds the change from it; a column `{TARGET.name}` shows how well the model does.]"
    )
    st.download_button(
        "Download a template", lambda: write_template(load_rows().drop(columns=TARGET.name)), "template.csv",
        mime="text/csv", type="tertiary", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
sent_file = st.session_state.get(session.SCORE_SENT)
uploads.remember("score", sent_file[0] if sent_file else "")
if sent_file:
    name, content, file_id = sent_file
    result = score_sent_file(name, content, file_id, coverage)
    reading.draw_sheet_choice(result.sheets, result.sheet, session.SCORE_SHEET, uploads.forget_scores)
    reading.draw_matched(name, session.SCORE_CHANGE, uploads.forget_scores)
    if isinstance(result, reading.Refusal):
        if result.matching:
            reading.draw_columns_form(name, result.matching, session.SCORE_MATCHING, uploads.forget_scores)
        else:
            reading.draw_refusal(name, result, "was not scored.")
    else:
        draw_summary(name, result, coverage)
        if len(result.scored.value):
            st.plotly_chart(
                draw_predictions(result.scored),
                key=session.SCORE_PICTURE,
                alt=f"How often each prediction occurs among {len(result.scored.value):,} rows",
                config={"displaylogo": False},
            )
        if np.isfinite(result.y).any():
            draw_validation(model, result, coverage)
        draw_preview(result)
