"""The Retrain page: a candidate is trained beside the app, compared with the active model, and perhaps promoted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from data.errors import DataError
from data.schema import ROWS
from model.fitting.algorithms import OFFERED
from model.fitting.errors import ModelError
from model.fitting.recipe import make_recipe
from model.fitting.train import require_usable
from model.judging.evidence import Evidence
from model.judging.ranking import comparable_versions
from model.queue import duration, jobs
from model.queue.jobs import Job
from model.store import history, versions
from model.store.database import Store, StoreError
from model.store.versions import Version
from pages.shared import door, resources, session, visitors
from pages.shared.panels import evidence_panel, proposal, queue_panel
from pages.shared.panels.frame import draw_frame, read_number_from_address, write_number_to_address
from pages.shared.words import verdicts

if TYPE_CHECKING:
    import pandas as pd

HOW_TO = (
    "Press **Retrain** to train one with the usual settings, or **Compare all** to compare all algorithms. Progress "
    "appears here."
)


def submit_job(
    store: Store,
    data: "tuple[pd.DataFrame, str]",
    excluded: tuple[int, ...],
    algorithms: Sequence[str],
    parameters: dict[str, float] | None,
    seed: int,
) -> None:
    """Queue a training, or show why it cannot be queued."""
    try:
        options = {"parameters": parameters, "seed": seed, "excluded": excluded, "by": door.author_name("a visitor")}
        number = door.change(jobs.submit, store, visitors.visitor_of_session(), data, algorithms, **options)
        st.query_params[session.JOB] = str(number)
    except (DataError, ModelError, StoreError) as error:
        st.error(str(error))


def draw_proposal(store: Store, below: DeltaGenerator) -> None:
    """Draw what can be trained, and the two buttons that do it."""
    st.markdown("## What to train")
    rows, excluded, origin = proposal.draw_rows(store, below)
    name, parameters, seed = proposal.draw_recipe()
    has_problem = {"rows": rows is None or seed is None, "recipe": parameters is None}
    if rows is not None:
        used_rows = rows.drop(index=list(excluded)) if excluded else rows
        try:
            require_usable(used_rows)
            if parameters is not None:
                has_problem["recipe"] = not proposal.draw_cost(make_recipe(name, parameters), len(used_rows))
        except ModelError as error:
            has_problem["rows"] = True
            st.error(str(error))
    with st.container(horizontal=True):  # no callbacks: they would see the fields as last drawn
        wants_training = st.button("Retrain", type="primary", disabled=any(has_problem.values()))
        wants_comparison = st.button(
            "Compare all",
            disabled=has_problem["rows"],
            help=f"Train all {len(OFFERED)} algorithms with their usual settings on these {ROWS}. Left out, with a "
            f"word, is what makes too large a model or takes more than {duration.MAX_COMPARED_SECONDS // 60} minutes.",
        )
    if wants_training and not any(has_problem.values()):  # the run after the press may refuse what was typed
        submit_job(store, (rows, origin), excluded, [name], parameters, seed or 0)
    elif wants_comparison and not has_problem["rows"]:
        submit_job(store, (rows, origin), excluded, OFFERED, None, seed or 0)


def show_best_of_finished_job(store: Store, usable: list[Version], open_jobs: list[Job]) -> None:
    """Once the job in the address has ended, name its best version there, where a reload finds it."""
    job_id = st.query_params.get(session.JOB)
    if job_id and job_id not in [str(job.id) for job in open_jobs]:
        del st.query_params[session.JOB]
        if trained_ids := [version.id for version in usable if str(version.job_id) == job_id]:
            candidate_id = trained_ids[-1]
            if len(trained_ids) > 1:
                comparable = comparable_versions(usable, candidate_id, model.version)
                candidate_id = resources.owner.ranking_of(comparable).preferred(model.version)
            st.query_params[session.CANDIDATE] = str(candidate_id)


def draw_candidate_choice(versions_by_id: dict[int, Version]) -> int:
    """Draw the list of candidates, and return the id of the chosen one."""
    default = next((number for number in versions_by_id if number != model.version), model.version)
    candidate_id = read_number_from_address(session.CANDIDATE, versions_by_id, default)
    st.session_state[session.RETRAIN_CANDIDATE] = candidate_id
    labels = {
        number: f"{version.label}{', active' if number == model.version else ''}: {verdicts.training_data(version)}"
        for number, version in versions_by_id.items()
    }
    return st.selectbox(
        "Candidate",
        list(versions_by_id),
        format_func=labels.__getitem__,
        key=session.RETRAIN_CANDIDATE,
        on_change=write_number_to_address,
        args=(session.CANDIDATE, session.RETRAIN_CANDIDATE),
    )


def draw_page(store: Store) -> None:
    """Draw the proposal, for those who may change something, and the evidence on a candidate."""
    if may_change := door.draw_door():
        left, right = st.columns([0.46, 0.54], gap="large")
        below = st.container()
        with left, st.container(border=True):
            draw_proposal(store, below)
    with right if may_change else st.container():
        open_jobs = queue_panel.draw_queue(store)
        usable = [version for version in versions.list_versions(store) if not version.broken]
        show_best_of_finished_job(store, usable, open_jobs)
        queue_panel.draw_outcome(store)
        for version in history.list_unpromoted_shipped(store):
            st.info(f"{version.label} came with the app and was never promoted.", icon=":material/new_releases:")
        if not [version for version in usable if version.id != model.version]:
            if not open_jobs:
                st.markdown("## No candidate yet")
                st.markdown(HOW_TO if may_change else "Nothing but the model that answers was trained here so far.")
            evidence_panel.draw_yardstick(
                resources.owner.evidence_on(model.version, model) if model.version else Evidence(model, model, None)
            )
            return
        candidate_id = draw_candidate_choice({version.id: version for version in reversed(usable)})
        evidence = resources.owner.evidence_on(candidate_id, model)
        evidence_panel.draw_promotion(store, evidence)
    candidate = next(version for version in usable if version.id == candidate_id)
    active_name = f"version {model.version}" if model.version else "the shipped model"
    st.markdown(f"## {candidate.label}" + ("" if evidence.is_active else f" against {active_name}"))
    comparable = comparable_versions(usable, candidate_id, model.version)
    evidence_panel.draw_evidence(evidence, resources.owner.ranking_of(comparable) if len(comparable) > 1 else None)


model = resources.active_model()
draw_frame("Retrain", model)
st.title("Retrain", anchor=False)
st.markdown(":gray[A retraining is a proposal: nobody’s predictions change until a candidate is promoted.]")
resources.run_with_store(draw_page, "Retraining is off.")
