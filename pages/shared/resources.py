"""What all visitors share: the active model with its rows, loaded once and never changed."""

import ctypes
import gc
import logging
import sys

import streamlit as st

from data.load import load_rows
from data.schema import FEATURES, DataError
from data.statistics import choose
from model import artifact
from model.predict import predict
from model.recipe import ModelError
from model.survey import Survey

_LOG = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def _load():
    model = artifact.load(load_rows())
    predict(model, {column.name: column.default for column in FEATURES})
    gc.collect()
    gc.freeze()  # what is alive now stays; without this each collection walks all of it again
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None:
        trim(0)  # glibc keeps what the imports and the first prediction have freed
    return model


def active_model():
    """Return the model that answers, or tell the visitor why there is none and stop the page.

    Returns
    -------
    model.train.Model
        Shared by all sessions: read only.
    """
    try:
        return _load()
    except (DataError, ModelError) as error:
        _LOG.error("no model: %s", error)
        st.error("The shipped data cannot be used, so there is no model to ask.", icon=":material/error:")
        st.code(str(error), language=None)
        st.stop()


@st.cache_resource(max_entries=32, show_spinner=False)
def _survey(of, limits, names, _model):
    return Survey(_model, choose(_model.rows, limits, names))


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
    return _survey((model.record["data"]["sha256"], id(model)), limits, names, model)


def warm_up():
    """Load the model before the first visitor comes; a failure is logged, and the page will say it too."""
    try:
        _load()
    except (DataError, ModelError) as error:
        _LOG.error("no model: %s", error)
