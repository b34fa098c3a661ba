"""The state that a server shares: its open store, the model that answers, and results worked out before."""

import copy
import ctypes
import gc
import logging
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock
from typing import Any

import pandas as pd

from data.load import load_rows
from data.schema import FEATURES
from data.statistics import filter_rows
from model.answering.prediction import predict
from model.cache import Backoff, Cache
from model.fitting import artifact
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.judging import evidence
from model.judging.evidence import Evidence
from model.judging.ranking import Ranking, rank_versions
from model.judging.survey import Survey
from model.queue.dispatcher import Dispatcher
from model.store import history, versions
from model.store.database import Store, StoreError
from model.store.stored_refits import read_refits
from model.store.versions import Version

_LOG = logging.getLogger(__name__)
_MANY_ROWS = 50_000
_ARENA_MAX = -8  # M_ARENA_MAX of glibc
_STORE_KEY = "store"  # the only key in its back-off


@dataclass(frozen=True, eq=False)
class _Opened:
    """A store and the caches of its contents: in another store the same number may mean another version."""

    store: Store
    versions: Cache = field(default_factory=partial(Cache, 4))  # other than the one that answers
    loading: Backoff = field(default_factory=Backoff)
    judged: Cache = field(default_factory=partial(Cache, 6))  # evidence, which holds two models, and rankings
    rows: Cache = field(default_factory=partial(Cache, 4))


@dataclass(frozen=True, eq=False)
class _ActiveState:
    """What answered when the store was last asked; immutable, so that it can be read without a lock."""

    opened: _Opened
    stamp: tuple[Any, ...] | None  # None if the store must be asked again in any case
    model: Model  # as loaded
    noticed: Model  # with the notice of what is not in order


class ActiveModel:
    """The model that answers in a server, and all that pages show of the store; safe to use from several threads.

    Models, rows and everything else that it returns are shared: do not change them.

    Parameters
    ----------
    url
        Of the store; see `model.store.database.Store`. The store is opened when it is first needed.

    Attributes
    ----------
    dispatcher
        Starts the workers of this server.
    """

    def __init__(self, url: str | None = None) -> None:
        self.dispatcher = Dispatcher()
        self._url, self._store_backoff = url, Backoff()
        self._may_create = True  # a new store, until one was found at this address
        self._opened: _Opened | None = None
        self._state: _ActiveState | None = None
        self._last_noticed: tuple[Model, str, Model] | None = None
        self._opening_lock, self._notice_lock = Lock(), Lock()
        self._shipped, self._surveys = Cache(1), Cache(32)
        self._large_surveys = Cache(3)  # of a million rows, 0.2 GB each

    def current(self) -> Model:
        """Return the model that answers; the store is asked only if it may have changed.

        Returns
        -------
        Model
            The same object while the same version answers with the same notice.

        Raises
        ------
        DataError, ModelError
            If no model can answer, because the shipped data cannot be used.
        """
        if (state := self._state) and state.stamp and state.opened.store.stamp() == state.stamp:
            return state.noticed
        try:
            opened = self._open()
            return self._store_backoff.ask(_STORE_KEY, partial(self._ask_store, opened))
        except StoreError as error:
            if state := self._state:  # no reason to answer with another model meanwhile
                return self._with(state.model, f"{error} Until then the version answers that did before.")
            may_hide = error.may_hide_promotions or not self._may_create
            return self._with(self.shipped(), f"{error} Until then the shipped model answers." if may_hide else "")

    def _ask_store(self, opened: _Opened) -> Model:
        """Ask the store which version answers."""
        stamp, state = opened.store.stamp(), self._state  # before the query, so that a later commit is noticed
        former = state.model if state and state.opened is opened and state.model.version else None
        load = partial(self._load, opened)
        model, notice, is_temporary = history.load_active_model(opened.store, load, self.shipped, former)
        if former and model is not former:  # links and kept scenarios still refer to it
            opened.versions.get(former.version, lambda: former)
        if model.version and not model.refits:
            model = _with_refits(opened.store, model)
        noticed = self._with(model, notice)
        self._state = _ActiveState(opened, None if is_temporary else stamp, model, noticed)
        return noticed

    def _with(self, model: Model, notice: str) -> Model:
        """Return the model with a notice added to its own: the same object each time."""
        with self._notice_lock:
            last_model, last_notice, noticed = self._last_noticed or (None, "", model)
            if notice and notice != last_notice:
                _LOG.warning("%s", notice)
            if not notice:
                self._last_noticed = None
                return model
            if last_model is not model or notice != last_notice:
                noticed = copy.copy(model)  # shares all that was worked out from its rows
                vars(noticed)["notice"] = " ".join(filter(None, (notice, model.notice)))
                self._last_noticed = model, notice, noticed
            return noticed

    def store(self) -> Store:
        """Return the open store.

        Raises
        ------
        StoreError
            If it cannot be used.
        """
        return self._open().store

    def _open(self) -> _Opened:
        """Return the open store; open it first, or again if another file has taken the place of its own."""
        if (opened := self._opened) and not opened.store.is_replaced:
            opened.store.require_file()
            return opened
        with self._opening_lock:
            if (opened := self._opened) and not opened.store.is_replaced:  # another thread was faster
                return opened
            if opened:
                opened.store.remove_log()
            try:
                self._opened = _Opened(self._store_backoff.ask(_STORE_KEY, self._open_store))
            except StoreError as error:
                self._may_create &= not error.may_hide_promotions
                raise
            self._may_create = False
            if (store := self._opened.store).is_new:
                _LOG.warning("There was no store %s, so a new one was made, with the shipped model.", store.location)
            return self._opened

    def _open_store(self) -> Store:
        store = history.open_store(self._url, create=self._may_create)
        store.check()
        return store

    def shipped(self) -> Model:
        """Return the model that comes with the app.

        Raises
        ------
        DataError, ModelError
            If it cannot be used.
        """
        try:
            return self._shipped.get(None, lambda: _warm_up(artifact.load(load_rows())))
        except (OSError, ImportError, MemoryError) as error:
            raise _temporary_error("The shipped model", error) from None

    def version(self, number: int) -> Model:
        """Return the model of any version, active or not.

        Raises
        ------
        ModelError, StoreError
            If it cannot be used or does not exist.
        """
        try:
            return self._load(self._open(), number)
        except (OSError, ImportError, MemoryError) as error:
            raise _temporary_error(f"Version {number}", error) from None

    def _load(self, opened: _Opened, number: int) -> Model:
        """Return a version as loaded; the active one is held beside the cache, so that no other can push it out."""
        if (state := self._state) and state.opened is opened and state.model.version == number:
            return state.model

        def load() -> Model:
            return _warm_up(versions.load_version(opened.store, number))

        return opened.versions.get(number, lambda: opened.loading.ask(number, load))

    def survey(self, model: Model, limits: tuple[Any, ...], names: tuple[str, ...]) -> Survey:
        """Return the rows that pass a filter, with the results worked out from them."""
        surveys = self._surveys if len(model.rows) <= _MANY_ROWS else self._large_surveys
        # A model equals only itself, and the key keeps it alive, so that no other can be mistaken for it.
        return surveys.get((model, limits, names), lambda: Survey(model, filter_rows(model.rows, limits, names)))

    def evidence_on(self, number: int, active: Model) -> Evidence:
        """Return the evidence on a version, compared with the active model.

        Raises
        ------
        ModelError, StoreError
            If the version cannot be used or does not exist.
        """
        opened = self._open()
        return opened.judged.get(
            (number, active), lambda: evidence.gather_evidence(opened.store, self.version(number), active)
        )

    def rows_of(self, data_set_id: int) -> pd.DataFrame:
        """Return the rows of a data set.

        Raises
        ------
        ModelError, StoreError
            If they are damaged or do not exist.
        """
        opened = self._open()
        return opened.rows.get(data_set_id, lambda: versions.read_rows(opened.store, data_set_id))

    def ranking_of(self, same: list[Version]) -> Ranking:
        """Rank versions of the same rows, and say which tie with the best."""
        opened = self._open()
        return opened.judged.get(tuple(version.id for version in same), lambda: rank_versions(opened.store, same))

    def end_workers(self) -> None:
        """End the workers that this server has started, before it ends itself; see `Dispatcher.end_workers`."""
        if opened := self._opened:
            self.dispatcher.end_workers(opened.store)


def _with_refits(store: Store, model: Model) -> Model:
    """Return a model with the refits of its rows if a job has made them meanwhile, else the same object."""
    with suppress(ModelError):
        if refits := read_refits(store, model.metadata.data.sha256):
            model = copy.copy(model)  # shares all that was worked out from its rows
            vars(model)["refits"] = refits
    return model


def _temporary_error(subject: str, error: Exception) -> ModelError:
    return ModelError(f"{subject} cannot be loaded at the moment ({str(error) or 'not enough memory'}). Try again.")


def _warm_up(model: Model) -> Model:
    """Make a first prediction, so that the model is ready to answer."""
    predict(model, {column.name: column.default for column in FEATURES})
    _use_one_thread()
    _freeze_memory()
    return model


@cache
def _use_one_thread() -> None:
    """Have products of matrices use one thread: for those of a move, the second costs as much and saves nothing."""
    from threadpoolctl import ThreadpoolController

    ThreadpoolController().limit(limits=1, user_api="blas")  # of this process, for good


@cache
def _freeze_memory() -> None:
    """Exempt all objects of this moment from garbage collection, and give freed memory back to the system.

    Only once, after the first prediction: doing so for each later model would keep that moment's garbage for ever.
    """
    gc.collect()
    gc.freeze()  # otherwise each collection would visit them all again
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None)
        with suppress(AttributeError):  # not glibc
            libc.mallopt(_ARENA_MAX, 2)  # else each visit's threads leave holes in heaps of their own
            libc.malloc_trim(0)  # glibc holds on to what the imports and the first prediction have freed
