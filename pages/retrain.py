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
from model.judging.standings import comparable_versions
from model.queue import duration, jobs
from model.queue.jobs import Job
from model.store import history, versions
from model.store.database import Store, StoreError
from model.store.versions import Version
from pages.shared import door, resources, session, visitors
from pages.shared.panels import evidence_panel, proposal, training
from pages.shared.panels.frame import choice_of_address, draw_frame
from pages.shared.words import verdicts

if TYPE_CHECKING:
    import pandas as pd

HOW_TO = (
    "Press **Retrain** to train one with the usual settings, or **Compare all** to compare all algorithms. Progress "
    "appears here."
)


def submit(
    store: Store,
    data: "tuple[pd.DataFrame, str]",
    excluded: tuple[int, ...],
    algorithms: Sequence[str],
    parameters: dict[str, float] | None,
    seed: int,
) -> None:
    """Put a training into the queue, or say what stands against it."""
    try:
        options = {"parameters": parameters, "seed": seed, "excluded": excluded, "by": door.author_name("a visitor")}
        number = door.change(jobs.submit, store, visitors.visitor_of_session(), data, algorithms, **options)
        st.query_params[session.JOB] = str(number)
    except (DataError, ModelError, StoreError) as error:
        st.error(str(error))


def propose(store: Store, below: DeltaGenerator) -> None:
    """Draw what can be trained, and the two buttons that do it."""
    st.markdown("## What to train")
    rows, excluded, origin = proposal.draw_rows(store, below)
    name, parameters, seed = proposal.draw_recipe()
    problems = {"rows": rows is None or seed is None, "recipe": parameters is None}
    if rows is not None:
        used = rows.drop(index=list(excluded)) if excluded else rows
        try:
            require_usable(used)
            problems["recipe"] = parameters is None or not proposal.draw_cost(make_recipe(name, parameters), len(used))
        except ModelError as error:
            problems["rows"] = True
            st.error(str(error))
    with st.container(horizontal=True):  # no callbacks: those would know the fields as they were drawn last
        is_one = st.button("Retrain", type="primary", disabled=any(problems.values()))
        are_all = st.button(
            "Compare all",
            disabled=problems["rows"],
            help=f"Train all {len(OFFERED)} algorithms with their usual settings on these {ROWS}. Left out, "
            f"with a word, is what makes too large a model or takes more than {duration.MOST_COMPARED // 60} minutes.",
        )
    if is_one and not any(problems.values()):  # what was typed may be refused in the run in which it was pressed
        submit(store, (rows, origin), excluded, [name], parameters, seed or 0)
    elif are_all and not problems["rows"]:
        submit(store, (rows, origin), excluded, OFFERED, None, seed or 0)


def finish(store: Store, found: list[Version], current: list[Job]) -> None:
    """Turn to the best of what the job in the address has trained, once it has ended; a reload keeps the address."""
    mine = st.query_params.get(session.JOB)
    if mine and mine not in [str(job.id) for job in current]:
        del st.query_params[session.JOB]
        if trained := [one.id for one in found if str(one.job_id) == mine]:
            same = comparable_versions(found, trained[-1], model.version)
            best = resources.owner.standings_of(same).preferred(model.version) if len(trained) > 1 else trained[-1]
            st.query_params[session.CANDIDATE] = str(best)


def choose(found: dict[int, Version]) -> int:
    """Draw the choice of the candidate and read it."""
    usual = next((number for number in found if number != model.version), model.version)
    chosen = choice_of_address(session.CANDIDATE, found, usual)
    st.session_state[session.RETRAIN_CANDIDATE] = chosen
    return st.selectbox(
        "Candidate",
        list(found),
        format_func=lambda number: (
            f"{found[number].label}{', active' if number == model.version else ''}: "
            f"{verdicts.training_data(found[number])}"
        ),
        key=session.RETRAIN_CANDIDATE,
        on_change=lambda: st.query_params.update({session.CANDIDATE: str(st.session_state[session.RETRAIN_CANDIDATE])}),
    )


def page(store: Store) -> None:
    """From the proposal to its evidence; without the proposal for those who may not change anything."""
    if may_change := door.draw_door():
        left, right = st.columns([0.46, 0.54], gap="large")
        below = st.container()
        with left, st.container(border=True):
            propose(store, below)
    with right if may_change else st.container():
        current = training.draw_queue(store)
        found = [one for one in versions.list_versions(store) if not one.broken]
        finish(store, found, current)
        training.draw_outcome(store)
        for waiting in history.list_unpromoted_shipped(store):
            st.info(f"{waiting.label} came with the app and was never promoted.", icon=":material/new_releases:")
        if not [one for one in found if one.id != model.version]:
            if not current:
                st.markdown("## No candidate yet")
                st.markdown(HOW_TO if may_change else "Nothing but the model that answers was trained here so far.")
            evidence_panel.draw_yardstick(
                resources.owner.evidence_on(model.version, model) if model.version else Evidence(model, model, None)
            )
            return
        chosen = choose({one.id: one for one in reversed(found)})
        shown = resources.owner.evidence_on(chosen, model)
        evidence_panel.draw_promotion(store, shown)
    (version,) = (one for one in found if one.id == chosen)
    against = f"version {model.version}" if model.version else "the shipped model"
    st.markdown(f"## {version.label}" + ("" if shown.is_active else f" against {against}"))
    same = comparable_versions(found, chosen, model.version)
    evidence_panel.draw_evidence(shown, resources.owner.standings_of(same) if len(same) > 1 else None)


model = resources.active_model()
draw_frame("Retrain", model)
st.title("Retrain", anchor=False)
st.markdown(":gray[A retraining is a proposal: nobody’s predictions change until a candidate is promoted.]")
resources.run_with_store(page, "Retraining is off.")
