"""The evidence on a version compared with the active one, and the form that promotes it."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from data.schema import ROW, ROWS, TARGET, TARGET_UNIT, row_name
from model.judging.evidence import Evidence
from model.judging.ranking import Ranking
from model.store import history
from model.store.database import Store, StoreError
from pages.shared import controls, door, session
from pages.shared.pictures import evidence_charts, text_tables
from pages.shared.words import verdicts
from pages.shared.words.reports import write_evidence_report
from pages.shared.words.wording import standard_error_note

if TYPE_CHECKING:
    import plotly.graph_objects as go

_UNSEEN = f"Each {ROW} was predicted by fits that had not seen it; the mean of all rounds is drawn."


def draw_evidence(evidence: Evidence, ranking: Ranking | None = None) -> None:
    """Draw all of the evidence, one view at a time.

    Parameters
    ----------
    ranking
        Of the versions on the same rows, if there are several.
    """
    views = {
        "Scores": _draw_scores,
        "Predictions": _draw_predictions,
        "Curves": _draw_curves,
        "What would move": _draw_moves,
    }
    if ranking:
        views = {"All candidates": lambda _: _draw_ranking(evidence, ranking)} | views
    # Another set of tabs has a key of its own, also in the address.
    key = session.EVIDENCE_OF_SEVERAL if ranking else session.EVIDENCE
    if not evidence.is_active:
        address = f"{(st.context.url or '').partition('?')[0]}?{session.CANDIDATE}={evidence.candidate.version}"
        st.download_button(
            "Download report",
            partial(write_evidence_report, evidence, ranking, dict(controls.read_scenario()), address),
            f"version-{evidence.candidate.version}.html",
            "text/html",
            type="tertiary",
            icon=":material/description:",
            on_click="ignore",
            help="One file with this evidence. It opens without the app, and prints.",
        )
    for tab, draw in zip(st.tabs(list(views), key=key, bind="query-params"), views.values(), strict=True):
        if tab.open:
            with tab:
                draw(evidence)


def _draw_picture(key: str, figure: "go.Figure", alt: str) -> None:
    st.plotly_chart(figure, key=key, alt=alt, config={"displaylogo": False})


def _draw_ranking(evidence: Evidence, ranking: Ranking) -> None:
    st.markdown(verdicts.tie_in_words(ranking, evidence.n_rows))
    _draw_picture(
        session.EVIDENCE_RANKING, evidence_charts.draw_ranking(ranking.table), "Typical miss of each candidate"
    )
    baseline = evidence.candidate.metadata.scores["mean"]
    st.markdown(text_tables.to_markdown(verdicts.tabulate_ranking(ranking, evidence.active.version, baseline)))
    st.caption(f"Shaded: cannot be told apart from the best. MAE and RMSE in {TARGET_UNIT}. {standard_error_note()}")


def draw_yardstick(evidence: Evidence) -> None:
    """Draw the active model as its candidates will be judged: baselines, unseen predictions, largest misses.

    Parameters
    ----------
    evidence
        On the active model itself.
    """
    st.markdown("## What a candidate is compared with")
    _draw_scores_table(evidence)
    _draw_observed(evidence)
    st.markdown(verdicts.largest_misses(evidence))
    st.caption(_UNSEEN)


def _draw_scores(evidence: Evidence) -> None:
    _draw_scores_table(evidence)
    st.markdown("**Intervals**")
    st.markdown(text_tables.to_markdown(verdicts.intervals_table(evidence)))
    st.caption(
        f"Half the width in {TARGET_UNIT}. Held: {ROWS} inside, of those that set neither fit nor width. What was held "
        "ranks no model: chance alone moves it by more."
    )
    controls.draw_method_link()


def _draw_scores_table(evidence: Evidence) -> None:
    st.markdown(text_tables.to_markdown(verdicts.scores_table(evidence)))
    folds = evidence.candidate.metadata.folds
    difference_note = (
        ""
        if evidence.is_active
        else " The interval of the difference is Nadeau and Bengio’s, which allows for folds that share rows."
    )
    st.caption(
        f"All on the same {evidence.n_rows:,} {ROWS} and the same {folds.n_repeats} × {folds.n_splits} folds. "
        f"MAE and RMSE in {TARGET_UNIT}. {standard_error_note()}{difference_note}"
    )


def _draw_observed(evidence: Evidence) -> None:
    alt = f"Observed against out-of-fold predicted {TARGET.label.lower()} of {evidence.n_rows:,} {ROWS}"
    _draw_picture(session.EVIDENCE_OBSERVED, evidence_charts.draw_observed(evidence), alt)


def _draw_predictions(evidence: Evidence) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_observed(evidence)
    with right:
        alt = f"Residuals over predictions of {evidence.n_rows:,} {ROWS}"
        _draw_picture(session.EVIDENCE_RESIDUALS, evidence_charts.draw_residuals(evidence), alt)
    caption = _UNSEEN
    if len(evidence.shown) < evidence.n_rows:
        caption += (
            f" {len(evidence.shown):,} of {evidence.n_rows:,} are drawn, those with the largest errors among them."
        )
    st.caption(caption)


def _draw_curves(evidence: Evidence) -> None:
    scenario = controls.read_scenario()
    now, then = evidence.answers(scenario)
    st.markdown(
        f"Your what-if scenario: **{TARGET.estimate(now)}** now, **{TARGET.estimate(then)}** with version "
        f"{evidence.candidate.version} "
        f"({TARGET_UNIT})."
    )
    alt = "Response curves of both models through your what-if scenario, a panel an input"
    _draw_picture(session.EVIDENCE_CURVES, evidence_charts.draw_curves(evidence, scenario), alt)


def _draw_moves(evidence: Evidence) -> None:
    now, then = evidence.answers(controls.read_scenario())
    change = TARGET.estimate(then - now, "+", n_more=1).replace("-", "−")
    st.markdown(f"{verdicts.moves_in_words(evidence)} Your what-if scenario would move by {change}.")
    _draw_picture(
        session.EVIDENCE_MOVES, evidence_charts.draw_moves(evidence), f"Change of the prediction of each {ROW}"
    )
    names = [row_name(str(code)) for code in np.asarray(evidence.active.rows[ROW])]
    with st.popover("Show as table", type="tertiary", icon=":material/table_rows:"):
        st.markdown(text_tables.to_markdown(verdicts.moves_table(evidence, names)))


def draw_promotion(store: Store, evidence: Evidence) -> None:
    """Say how the candidate compares, and draw the form that promotes it; objections must be ticked."""
    version, active_version = evidence.candidate.version, evidence.active.version
    st.markdown(verdicts.headline(evidence))
    seen_version = st.session_state.get(session.PROMOTE_SEEN_AGAINST, active_version)
    st.session_state[session.PROMOTE_SEEN_AGAINST] = active_version
    if evidence.is_active:
        return
    st.page_link(
        "streamlit_app.py",
        label="See it on What if, beside the active one",
        icon=":material/stacked_line_chart:",
        query_params={session.BESIDE: str(version)},
    )
    if door.refusal():
        return
    was_active = any(promotion.version_id == version for promotion in history.list_promotions(store))
    verb = "Roll back to" if was_active else "Promote"
    with st.form(session.part(session.PROMOTE, version), border=True):
        st.markdown(
            f"**{verb} version {version}** :gray[Everybody’s predictions change at once. "
            "You can roll back on the Models page.]"
        )
        by = door.author_name("")
        left, right = (st, st) if by else st.columns([0.7, 0.3])
        reason = left.text_input("Reason", key=session.part(session.PROMOTE_REASON, version))
        if not by:
            by = right.text_input("Your name", key=session.PROMOTE_BY, persist_state="session")
        objections = verdicts.list_objections(evidence)
        is_agreed = True
        if objections:
            text = f"I have seen that {' and that '.join(objections)}."
            is_agreed = st.checkbox(text, key=session.part(session.PROMOTE_AGREED, version, active_version))
        is_submitted = st.form_submit_button(f"{verb} version {version}", type="primary")
    if not is_submitted:
        return
    if seen_version not in (0, active_version):  # a tick would be about another version than the visitor has seen
        st.error(history.OVERTAKEN.format(active_version))
        return
    missing = [field for field, text in (("a reason", reason.strip()), ("your name", by.strip())) if not text]
    if missing or not is_agreed:
        problems = [f"Give {' and '.join(missing)}."] if missing else []
        problems += [] if is_agreed else ["Tick that you have seen what speaks against it."]
        st.error(" ".join(problems))
        return
    try:
        door.change(history.promote, store, version, by, reason, instead_of=seen_version or None)
    except StoreError as error:
        st.error(str(error))
        return
    st.rerun()
