"""What all visitors share: the owner of this server's active model, and how a page shows what is wrong with it."""

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator

import streamlit as st

from data.errors import DataError
from model.active import ActiveModel
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.queue import jobs
from model.queue.dispatcher import SILENCE_GRACE
from model.store import versions
from model.store.database import Store, StoreError
from pages.shared.mode import is_read_only

_LOG = logging.getLogger(__name__)
owner = ActiveModel()  # opens the store on first use
_refits_requested: weakref.WeakSet[Model] = weakref.WeakSet()


def active_model() -> Model:
    """Return the model that answers, or tell the visitor why there is none and stop the page."""
    try:
        model = owner.current()
    except (DataError, ModelError) as error:
        _LOG.error("no model: %s", error)
        st.error("The shipped data cannot be used, so there is no model to ask.", icon=":material/error:")
        st.code(str(error), language=None)
        st.stop()
    request_refits(model)
    return model


@contextlib.contextmanager
def showing_problems() -> Iterator[None]:
    """Show an error of the store or a model in the body as a message, instead of an exception."""
    try:
        yield
    except (DataError, ModelError, StoreError) as error:
        _LOG.warning("%s", error)
        st.error(str(error), icon=":material/error:")


def label_other_versions(model: Model) -> dict[int, str]:
    """Return number -> label of the versions that can be laid beside a model; none while the store cannot be read."""
    try:
        return {
            version.id: version.label
            for version in versions.list_versions(owner.store())
            if version.id != model.version and not version.broken
        }
    except StoreError:
        return {}


def run_with_store(page: Callable[[Store], None], without: str) -> None:
    """Draw a page that needs the store, or say why it cannot be drawn.

    Parameters
    ----------
    page
        Called with the open store.
    without
        A sentence that says what is missing without the store.
    """
    with showing_problems():
        try:
            store = owner.store()
        except StoreError as error:
            st.error(f"{without} {error}", icon=":material/cloud_off:")
        else:
            page(store)


def dispatch_jobs(store: Store) -> None:
    """Let this server look after the queue; it starts no job where nobody may change anything."""
    owner.dispatcher.dispatch(store, starting=not is_read_only())


def request_refits(model: Model) -> None:
    """Queue the refits that a version trained by an older release lacks, once for as long as it is active."""
    if model.refits or not model.version or model in _refits_requested or is_read_only():
        return
    _refits_requested.add(model)
    with contextlib.suppress(StoreError):
        store = owner.store()
        version = versions.read_version(store, model.version)
        jobs.submit_refits(store, version.data_set.id, version.excluded)
        dispatch_jobs(store)


def warm_up() -> None:
    """Load the model before the first visitor comes, and resume the queue; the pages, too, say what fails."""
    try:
        request_refits(owner.current())
    except (DataError, ModelError) as error:
        _LOG.error("no model: %s", error)
    try:
        store = owner.store()
    except StoreError as error:
        _LOG.warning("%s", error)
        return
    with contextlib.suppress(StoreError):

        def resume_queue() -> None:
            with contextlib.suppress(StoreError):
                dispatch_jobs(store)

        resume_queue()
        if jobs.list_open_jobs(store):  # one may have lost its worker, which takes two looks to tell
            second_look = threading.Timer(SILENCE_GRACE + 1, resume_queue)
            second_look.daemon = True
            second_look.start()


def shut_down() -> None:
    """End the running training and record that in its job, if the store can be written within two seconds."""

    def end_workers() -> None:
        with contextlib.suppress(StoreError):
            owner.end_workers()

    ending = threading.Thread(target=end_workers, daemon=True)
    ending.start()
    ending.join(2)  # a store locked for longer must not hold up the app: the next start finds the job without a worker
