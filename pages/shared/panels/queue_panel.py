"""The queue as visitors see it: the running job and its progress, those waiting, and how the last one ended."""

from datetime import timedelta

import streamlit as st

from model.queue import jobs
from model.queue.jobs import Job
from model.store.database import Store
from model.store.tables import THE_APP, now
from pages.shared import door, resources, session, visitors
from pages.shared.words import verdicts

_RECENT = timedelta(minutes=10)  # how long the page says how a job ended


def draw_queue(store: Store) -> list[Job]:
    """Draw the running job and those waiting, updated every half second, and return them."""
    resources.dispatch_jobs(store)
    open_jobs = jobs.list_open_jobs(store)
    if open_jobs:
        st.fragment(_draw_open_jobs, run_every=0.5)(store, [job.id for job in open_jobs])
    return open_jobs


def _draw_open_jobs(store: Store, ids_before: list[int]) -> None:
    with resources.showing_problems():
        resources.dispatch_jobs(store)
        open_jobs = jobs.list_open_jobs(store)
        if [job.id for job in open_jobs] != ids_before:
            st.rerun()  # the whole page: a job has ended, or was submitted
        with st.container(border=True):
            for n_before, job in enumerate(open_jobs):
                _draw_job(store, job, n_before)


def _draw_job(store: Store, job: Job, n_before: int) -> None:
    left, right = st.columns([0.8, 0.2], vertical_alignment="center")
    title = f"**Job {job.id}: {verdicts.requested_training(job)}**, {_started_by(job)}"
    with left:
        if job.state == "running":
            st.markdown(title)
            st.progress(job.done / job.total if job.total else 0.0, text=verdicts.progress_in_words(job, now()))
        else:
            st.markdown(f"{title}  \n:gray[waits, {n_before} before it]")
    with right:
        if not door.refusal():
            key = session.part(session.RETRAIN_CANCEL, job.id)
            st.button("Cancel", key=key, on_click=_cancel, args=(store, job.id))


def _started_by(job: Job) -> str:
    if job.visitor == THE_APP:
        return "started by the app"
    is_mine = visitors.visitor_of_session() == job.visitor or door.author_name("") == job.request.by
    return "started by you" if is_mine else "started by another visitor"


def _cancel(store: Store, job_id: int) -> None:
    with resources.showing_problems():
        door.change(jobs.cancel, store, job_id)


def _train_without_cluster(store: Store, failed: Job) -> None:
    """Submit a failed job once more, to be trained on this machine."""
    request = failed.request
    options = {"parameters": request.parameters, "seed": request.seed, "excluded": request.excluded}
    by = door.author_name(request.by)
    with resources.showing_problems():
        data_set_id, algorithms = request.data_set_id, list(request.algorithms)
        job_id = door.change(
            jobs.submit, store, visitors.visitor_of_session(), data_set_id, algorithms, **options, by=by, here=True
        )
        st.query_params[session.JOB] = str(job_id)


def draw_outcome(store: Store) -> None:
    """Say how the last job ended, if it ended lately and there is something to say."""
    ended = jobs.find_last_ended(store)
    if not ended or not ended.ended_at or now() - ended.ended_at > _RECENT:
        return
    title = f"Job {ended.id} ({verdicts.requested_training(ended)}, {_started_by(ended)})"
    if ended.state == "failed":
        st.error(f"{title} failed at {ended.ended_at:%H:%M} UTC.", icon=":material/error:")
        st.code(ended.message, language=None, wrap_lines=True)
        if ended.failure == jobs.CLUSTER_FAILED and not door.refusal():
            st.button("Train here instead", on_click=_train_without_cluster, args=(store, ended))
    elif ended.state == "cancelled":
        st.info(f"{title} was cancelled, and nothing of it was kept.", icon=":material/cancel:")
    elif ended.message:
        st.info(f"{title} has finished.", icon=":material/info:")
        st.caption(ended.message)
