"""What all visitors share: the owner of what is active in this server, and how a page tells what is wrong with it."""

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
from model.queue.dispatcher import AGAIN
from model.store import versions
from model.store.database import Store, StoreError
from pages.shared.mode import is_read_only

_LOG = logging.getLogger(__name__)
owner = ActiveModel()  # opens the store when it is first asked
_asked: weakref.WeakSet[Model] = weakref.WeakSet()  # models whose refits were asked for


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
    """Show what goes wrong with the store or a model in the body, in place of an exception."""
    try:
        yield
    except (DataError, ModelError, StoreError) as error:
        _LOG.warning("%s", error)
        st.error(str(error), icon=":material/error:")


def run_with_store(page: Callable[[Store], None], without: str) -> None:
    """Run what needs the store, or say why it cannot.

    Parameters
    ----------
    page
        Called with the open store.
    without
        What there is not without one, as a sentence.
    """
    with showing_problems():
        try:
            store = owner.store()
        except StoreError as error:
            st.error(f"{without} {error}", icon=":material/cloud_off:")
        else:
            page(store)


def dispatch_jobs(store: Store) -> None:
    """Have the queue looked after by this server; it begins nothing where nobody may change anything."""
    owner.dispatcher.dispatch(store, starting=not is_read_only())


def request_refits(model: Model) -> None:
    """Have the refits of a version made that an older release has trained; once for as long as it answers."""
    if model.refits or not model.version or model in _asked or is_read_only():
        return
    _asked.add(model)
    with contextlib.suppress(StoreError):
        store = owner.store()
        version = versions.read_version(store, model.version)
        jobs.submit_refits(store, version.data_set.id, version.excluded)
        dispatch_jobs(store)


def warm_up() -> None:
    """Load the model before the first visitor comes, and go on with the queue; the page will say what fails, too."""
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

        def go_on() -> None:
            with contextlib.suppress(StoreError):
                dispatch_jobs(store)

        go_on()
        if jobs.list_open_jobs(store):  # one may have lost its worker, which two looks tell
            second_look = threading.Timer(AGAIN + 1, go_on)
            second_look.daemon = True
            second_look.start()


def shut_down() -> None:
    """End the training that runs and have its job say so, if the store can be written within two seconds."""

    def end() -> None:
        with contextlib.suppress(StoreError):
            owner.end_workers()

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(2)  # who holds the store longer does not hold the app: the next start finds the job without a worker
