"""What all visitors share: the active model with its rows, loaded once and never changed."""

import contextlib
import copy
import ctypes
import gc
import logging
import secrets
import sys
import threading
import time

import streamlit as st

from data.load import load_rows
from data.schema import FEATURES, DataError
from data.statistics import choose
from model import artifact, evidence, history, jobs, versions
from model.predict import predict
from model.recipe import ModelError
from model.store import StoreError
from model.survey import Survey
from pages.shared import door, session

_LOG = logging.getLogger(__name__)
_MANY = 50_000  # rows
_ARENA_MAX = -8  # glibc's number for it
_LEFT_ALONE = 5, 30  # times as long as the failure took, but not longer [s]
_failed = {}  # "error" of the last opening that failed, and "until" when nobody tries again
_seen = {}  # "last" -> the store, its stamp, and the model that answered then


def _patiently(ask):
    """Ask the store; one that was long in failing is left alone for a while, or each move would wait for it."""
    if time.monotonic() < _failed.get("until", 0):
        raise _failed["error"].with_traceback(None)  # each raising would add to it
    begun = time.monotonic()
    try:
        return ask()
    except StoreError as error:
        times, most = _LEFT_ALONE
        left_alone = min(times * (time.monotonic() - begun), most)
        _failed.update(error=error, until=time.monotonic() + left_alone)
        raise


@st.cache_resource(show_spinner=False)
def _open_store():
    return _patiently(history.open_store)


@st.cache_resource(max_entries=4, show_spinner=False)
def _version(number):
    return _ready(versions.load(_open_store(), number))


@st.cache_resource(show_spinner=False)
def _shipped():
    return _ready(artifact.load(load_rows()))


def _ready(model):
    """Have a model ready to answer."""
    predict(model, {column.name: column.default for column in FEATURES})
    gc.collect()
    gc.freeze()  # what is alive now stays; without this each collection walks all of it again
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        with contextlib.suppress(AttributeError):  # not glibc
            libc.mallopt(_ARENA_MAX, 2)  # else each visit's threads leave holes in heaps of their own
            libc.malloc_trim(0)  # glibc keeps what the imports and the first prediction have freed
    return model


@st.cache_resource(max_entries=4, show_spinner=False)
def _noticed(of, notice, _model):
    noticed = copy.copy(_model)  # with all that was worked out from its rows
    vars(noticed)["notice"] = " ".join(filter(None, (notice, _model.notice)))
    return noticed


def current_model():
    """Return the model that answers; while nobody has written to the store it is the one that did before.

    Returns
    -------
    model.train.Model
        Shared by all sessions: read only. The same object as long as the same version answers.

    Raises
    ------
    DataError, ModelError
        If there is none, because the shipped data cannot be used.
    """
    if (seen := _seen.get("last")) and seen[1] and seen[0].stamp() == seen[1]:
        return seen[2]
    try:
        store = _open_store()
        stamp = store.stamp()  # before the query: what is written after it will be noticed
        model, notice = _patiently(lambda: history.active_model(store, _version, _shipped))
        _seen["last"] = store, stamp, _noticed(id(model), notice, model) if notice else model
        return _seen["last"][2]
    except StoreError as error:
        if error.passes and (seen := _seen.get("last")):  # no reason to answer with another model meanwhile
            notice = f"{error} Until then the version answers that did before."
            return _noticed(id(seen[2]), notice, seen[2])
        _seen.clear()
        for kept in (_open_store, _version, _evidence, _rows, _standings):
            kept.clear()  # the next store may use the same numbers for others
        model, notice = _shipped(), f"{error} Until then the shipped model answers." if error.hides else ""
    return _noticed(id(model), notice, model) if notice else model


def active_model():
    """Return `current_model`, or tell the visitor why there is none and stop the page."""
    try:
        return current_model()
    except (DataError, ModelError) as error:
        _LOG.error("no model: %s", error)
        st.error("The shipped data cannot be used, so there is no model to ask.", icon=":material/error:")
        st.code(str(error), language=None)
        st.stop()


@contextlib.contextmanager
def telling():
    """Show what goes wrong with the store or a model in the body, in place of an exception."""
    try:
        yield
    except (DataError, ModelError, StoreError) as error:
        _LOG.warning("%s", error)
        st.error(str(error), icon=":material/error:")


def with_store(page, without):
    """Run what needs the store, or say why it cannot.

    Parameters
    ----------
    page : callable
        Called with the open store.
    without : str
        What there is not without one, as a sentence.
    """
    with telling():
        try:
            opened = _open_store()
        except StoreError as error:
            st.error(f"{without} {error}", icon=":material/cloud_off:")
        else:
            page(opened)


def model_of(number):
    """Return the model of a version, which need not be active.

    Raises
    ------
    ModelError, StoreError
        If it cannot be used, or is not there.
    """
    return _version(number)


def _chosen(of, limits, names, _model):
    return Survey(_model, choose(_model.rows, limits, names))


_survey = st.cache_resource(max_entries=32, show_spinner=False)(_chosen)
_large_survey = st.cache_resource(max_entries=3, show_spinner=False)(_chosen)  # of a million rows, 0.2 GB each


def survey(model, limits, names):
    """Return the rows that a filter leaves, with what was worked out from them; kept by data, model and filter.

    Parameters
    ----------
    model : model.train.Model
    limits : tuple of (str, float, float)
    names : tuple of str

    Returns
    -------
    model.survey.Survey
        Shared by all sessions: read only.
    """
    kept = _survey if len(model.rows) <= _MANY else _large_survey
    return kept((model.record["data"]["sha256"], id(model)), limits, names, model)


@st.cache_resource(max_entries=4, show_spinner=False)  # each holds two models
def _evidence(number, against, _active):
    return evidence.gather(_open_store(), _version(number), _active)


def evidence_on(number, active):
    """Return the evidence on a version beside the active model; kept, for all sessions.

    Raises
    ------
    ModelError, StoreError
        If the version cannot be used, or is not there.
    """
    return _evidence(number, active.version, active)


@st.cache_resource(max_entries=4, show_spinner=False)
def _rows(number):
    return versions.rows_of(_open_store(), number)


def rows_of(number):
    """Return the rows of a data set; kept, for all sessions: read only.

    Raises
    ------
    ModelError, StoreError
        If they are not what was stored, or not there.
    """
    return _rows(number)


@st.cache_resource(max_entries=16, show_spinner=False)
def _standings(numbers, _found):
    return evidence.standings(_open_store(), _found)


def standings_of(found):
    """Order versions on the same rows, and draw the tie; kept, for all sessions."""
    return _standings(tuple(one.id for one in found), found)


def visitor():
    """Return what tells this visitor from others, for as long as the page is not loaded anew."""
    return st.session_state.setdefault(session.VISITOR, secrets.token_hex(8))


def warm_up():
    """Load the model before the first visitor comes, and go on with the queue; the page will say what fails, too."""
    try:
        current_model()
    except (DataError, ModelError) as error:
        _LOG.error("no model: %s", error)
    with contextlib.suppress(StoreError):
        store = _open_store()

        def go_on():
            with contextlib.suppress(StoreError):
                jobs.dispatch(store, starting=not door.is_shut())

        go_on()
        if jobs.open_jobs(store):  # one may have lost its worker, which two looks tell
            again = threading.Timer(jobs.AGAIN + 1, go_on)
            again.daemon = True
            again.start()


def shut_down():
    """End the training that runs and have its job say so, if the store can be written within two seconds."""

    def end():
        with contextlib.suppress(StoreError):
            jobs.end_workers(_open_store())

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(2)  # who holds the store longer does not hold the app: the next start finds the job without a worker
