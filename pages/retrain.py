"""The Retrain page: a candidate is trained beside the app, held against the active model, and perhaps promoted."""

import streamlit as st

from data.schema import ROWS, DataError
from model import history, jobs, recipe, versions
from model.recipe import ModelError
from model.store import StoreError
from model.train import require_usable
from pages.shared import evidence, proposal, resources, training, verdicts
from pages.shared.frame import frame

model = resources.active_model()
frame("Retrain", model)
st.title("Retrain", anchor=False)
st.markdown(":gray[A retraining is a proposal: nobody’s predictions change until a candidate is promoted.]")

try:
    store = resources.store()
except StoreError as error:
    st.error(f"Retraining is off. {error}", icon=":material/cloud_off:")
    st.stop()


def submit(rows, excluded, origin, algorithms, parameters, seed):
    """Put a training into the queue; what stands against it is kept for the page to say."""
    try:
        used = rows.drop(index=list(excluded))
        require_usable(used)
        with store.writing() as connection:
            data_set = versions.add_data_set(connection, rows, origin)
        jobs.submit(
            store, resources.visitor(), data_set, algorithms, parameters=parameters, seed=seed, excluded=excluded
        )
    except (DataError, ModelError, StoreError) as error:
        st.session_state.retrain_problem = str(error)
    else:
        st.session_state.pop("retrain_problem", None)


left, right = st.columns([0.46, 0.54], gap="large")
with left, st.container(border=True):
    st.markdown("#### What to train")
    rows, excluded, origin = proposal.rows(store)
    name, parameters, seed = proposal.algorithm()
    n_rows = 0 if rows is None else len(rows) - len(excluded)
    problem = ""
    try:
        if rows is not None:
            require_usable(rows.drop(index=list(excluded)))
            proposal.announce(name, parameters, n_rows)
    except ModelError as error:
        problem = str(error)
        st.error(problem)
    with st.container(horizontal=True):
        st.button(
            "Retrain",
            type="primary",
            disabled=rows is None or bool(problem),
            on_click=submit,
            args=(rows, excluded, origin, [name], parameters, seed),
        )
        st.button(
            "Compare all",
            disabled=rows is None or n_rows < 2,
            on_click=submit,
            args=(rows, excluded, origin, list(recipe.OFFERED), None, seed),
            help=f"Train all {len(recipe.OFFERED)} algorithms with their usual settings on these {ROWS}.",
        )
    if refused := st.session_state.get("retrain_problem"):
        st.error(refused)

with right:
    is_busy = training.watch(store)
    if not is_busy:
        watched = st.session_state.pop("retrain_watched", None)
        if watched and (trained := versions.of_job(store, watched)):
            st.query_params["candidate"] = str(resources.standings_of(trained)[0].version)
        training.outcome(store)
    for waiting in history.waiting_shipped(store):
        st.info(f"{waiting.label}, came with the app and was never promoted.", icon=":material/new_releases:")

candidates = {one.id: one for one in reversed(versions.versions(store)) if one.id != model.version and not one.broken}
with right:
    if not candidates and is_busy:
        st.stop()
    if not candidates:
        st.markdown("#### No candidate yet")
        st.markdown(
            "Press **Retrain** to train one with the usual settings, or **Compare all** to hold all algorithms "
            "against each other. It takes some seconds, and this page shows how far it is."
        )
        st.stop()
    asked = st.query_params.get("candidate", "")
    chosen = int(asked) if asked.isdecimal() and int(asked) in candidates else next(iter(candidates))
    st.session_state.retrain_candidate = chosen
    st.selectbox(
        "Candidate",
        list(candidates),
        format_func=lambda number: f"{candidates[number].label} ({verdicts.trained_on(candidates[number])})",
        key="retrain_candidate",
        on_change=lambda: st.query_params.update(candidate=str(st.session_state.retrain_candidate)),
    )
    try:
        found = resources.evidence_on(chosen, model)
    except (ModelError, StoreError) as error:
        st.error(str(error))
        st.stop()
    evidence.promote(store, found)

st.markdown(f"#### {candidates[chosen].label}, against version {model.version}")
together = versions.of_job(store, candidates[chosen].job_id) if candidates[chosen].job_id else []
evidence.show(found, resources.standings_of(together) if len(together) > 1 else ())
