"""The queue as visitors see it: what runs, how far it is, who waits, and how it ended."""

import streamlit as st

from model import jobs
from model.store import StoreError
from model.tables import now
from pages.shared import verdicts
from pages.shared.wording import plain


def watch(store):
    """Draw the running job and those that wait, anew every half second while there are any.

    Returns
    -------
    bool
        Whether there are any.
    """
    jobs.dispatch(store)
    current = [job.id for job in jobs.open_jobs(store)]
    if current:
        st.session_state.retrain_watched = current[0]
        st.fragment(_poll, run_every=0.5)(store, current)
    return bool(current)


def _poll(store, former):
    try:
        jobs.dispatch(store)
        current = jobs.open_jobs(store)
    except StoreError as error:
        st.error(str(error))
        return
    if [job.id for job in current] != former:
        st.rerun()  # the whole page: something has ended, or has been asked for
    with st.container(border=True):
        for place, job in enumerate(current):
            _draw(store, job, place)


def _draw(store, job, place):
    left, right = st.columns([0.8, 0.2], vertical_alignment="center")
    title = f"**Job {job.id}: {verdicts.asked(job)}**, asked for by {plain(job.request['by'])}"
    with left:
        if job.state == "running":
            st.markdown(title)
            st.progress(job.done / job.total if job.total else 0.0, text=verdicts.progress(job, now()))
        else:
            st.markdown(f"{title}  \n:gray[waits, {place} before it]")
    with right:
        st.button("Cancel", key=f"retrain_cancel_{job.id}", on_click=jobs.cancel, args=(store, job.id))


def outcome(store):
    """Say how the newest job ended where it gave no candidate, or left something out."""
    ended = jobs.last_ended(store)
    if not ended:
        return
    about = f"Job {ended.id} ({verdicts.asked(ended)})"
    at = f":gray[{ended.ended_at:%Y-%m-%d %H:%M} UTC]"
    if ended.state == "failed":
        st.error(f"{about} failed. {at}", icon=":material/error:")
        st.code(ended.message, language=None, wrap_lines=True)
    elif ended.state == "cancelled":
        st.info(f"{about} was cancelled, and nothing of it was kept. {at}", icon=":material/cancel:")
    elif ended.message:
        st.info(f"{about} is done. {plain(ended.message)}", icon=":material/info:")
