"""The one owner of what is active in a server: the open store, the version that answers, and what was worked out."""

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
_MANY = 50_000  # rows
_ARENA_MAX = -8  # glibc's number for it
_STORE = "store"  # what is left alone when it was long in failing; versions are by their numbers


@dataclass(frozen=True, eq=False)
class _Opened:
    """A store with what is known of it: another store may use the same numbers for others."""

    store: Store
    versions: Cache = field(default_factory=partial(Cache, 4))  # beside the one that answers
    loading: Backoff = field(default_factory=Backoff)
    judged: Cache = field(default_factory=partial(Cache, 6))  # evidence, each with two models, and rankings
    rows: Cache = field(default_factory=partial(Cache, 4))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What answered when the store was last asked; never changed, so that who reads it needs no lock."""

    opened: _Opened
    stamp: tuple[Any, ...] | None  # None where the store must be asked again in any case
    model: Model  # as it was loaded
    noticed: Model  # with what is not in order


class ActiveModel:
    """What answers in a server, and all that pages show of the store; any number of threads may use it at once.

    Models, rows and whatever else it returns are shared: read only.

    Parameters
    ----------
    url
        Of the store; see `model.store.database.Store`. It is opened when it is first needed.

    Attributes
    ----------
    dispatcher
        Starts the workers of this server.
    """

    def __init__(self, url: str | None = None) -> None:
        self.dispatcher = Dispatcher()
        self._url, self._asking = url, Backoff()
        self._may_create = True  # a store, until one was seen in its place
        self._opened: _Opened | None = None
        self._seen: _Seen | None = None
        self._noticed: tuple[Model, str, Model] | None = None
        self._opening, self._noticing = Lock(), Lock()
        self._shipped, self._surveys = Cache(1), Cache(32)
        self._large_surveys = Cache(3)  # of a million rows, 0.2 GB each

    def current(self) -> Model:
        """Return the model that answers; while nobody has written to the store it is the one that did before.

        Returns
        -------
        Model
            The same object as long as the same version answers with the same notice.

        Raises
        ------
        DataError, ModelError
            If there is none, because the shipped data cannot be used.
        """
        if (seen := self._seen) and seen.stamp and seen.opened.store.stamp() == seen.stamp:
            return seen.noticed
        try:
            opened = self._open()
            return self._asking.ask(_STORE, partial(self._look, opened))
        except StoreError as error:
            if seen := self._seen:  # no reason to answer with another model meanwhile
                return self._with(seen.model, f"{error} Until then the version answers that did before.")
            may_hide = error.may_hide_promotions or not self._may_create
            return self._with(self.shipped(), f"{error} Until then the shipped model answers." if may_hide else "")

    def _look(self, opened: _Opened) -> Model:
        """Ask the store which version answers."""
        stamp, seen = opened.store.stamp(), self._seen  # before the query: what is written after it will be noticed
        former = seen.model if seen and seen.opened is opened and seen.model.version else None
        load = partial(self._load, opened)
        model, notice, is_temporary = history.load_active_model(opened.store, load, self.shipped, former)
        if former and model is not former:  # links and kept scenarios still name it
            opened.versions.get(former.version, lambda: former)
        if model.version and not model.refits:
            model = _with_refits(opened.store, model)
        noticed = self._with(model, notice)
        self._seen = _Seen(opened, None if is_temporary else stamp, model, noticed)
        return noticed

    def _with(self, model: Model, notice: str) -> Model:
        """Return a model that says what is not in order, too: the same object each time."""
        with self._noticing:
            last, said_before, noticed = self._noticed or (None, "", model)
            if notice and notice != said_before:
                _LOG.warning("%s", notice)
            if not notice:
                self._noticed = None
                return model
            if last is not model or notice != said_before:
                noticed = copy.copy(model)  # with all that was worked out from its rows
                vars(noticed)["notice"] = " ".join(filter(None, (notice, model.notice)))
                self._noticed = model, notice, noticed
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
        """Open the store, or another file that has taken the place of the one that was open; only a start makes one."""
        if (opened := self._opened) and not opened.store.is_replaced:
            opened.store.require_file()
            return opened
        with self._opening:
            if (opened := self._opened) and not opened.store.is_replaced:  # somebody was faster
                return opened
            if opened:
                opened.store.remove_log()
            try:
                self._opened = _Opened(self._asking.ask(_STORE, self._open_store))
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
            return self._shipped.get(None, lambda: _made_ready(artifact.load(load_rows())))
        except (OSError, ImportError, MemoryError) as error:
            raise _for_now("The shipped model", error) from None

    def version(self, number: int) -> Model:
        """Return the model of a version, which need not be active.

        Raises
        ------
        ModelError, StoreError
            If it cannot be used, or is not there.
        """
        try:
            return self._load(self._open(), number)
        except (OSError, ImportError, MemoryError) as error:
            raise _for_now(f"Version {number}", error) from None

    def _load(self, opened: _Opened, number: int) -> Model:
        """Return a version as it was loaded; the one that answers stays, whatever is looked at beside it."""
        if (seen := self._seen) and seen.opened is opened and seen.model.version == number:
            return seen.model

        def load() -> Model:
            return _made_ready(versions.load_version(opened.store, number))

        return opened.versions.get(number, lambda: opened.loading.ask(number, load))

    def survey(self, model: Model, limits: tuple[Any, ...], names: tuple[str, ...]) -> Survey:
        """Return the rows that a filter leaves, with what was worked out from them."""
        surveys = self._surveys if len(model.rows) <= _MANY else self._large_surveys
        # A model equals itself alone, and a key keeps it alive: no other can ever be taken for it.
        return surveys.get((model, limits, names), lambda: Survey(model, filter_rows(model.rows, limits, names)))

    def evidence_on(self, number: int, active: Model) -> Evidence:
        """Return the evidence on a version beside the active model.

        Raises
        ------
        ModelError, StoreError
            If the version cannot be used, or is not there.
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
            If they are not what was stored, or not there.
        """
        opened = self._open()
        return opened.rows.get(data_set_id, lambda: versions.read_rows(opened.store, data_set_id))

    def ranking_of(self, same: list[Version]) -> Ranking:
        """Order versions on the same rows, and draw the tie."""
        opened = self._open()
        return opened.judged.get(tuple(each.id for each in same), lambda: rank_versions(opened.store, same))

    def end_workers(self) -> None:
        """End the workers that this server has started, for it is about to end; see `Dispatcher.end_workers`."""
        if opened := self._opened:
            self.dispatcher.end_workers(opened.store)


def _with_refits(store: Store, model: Model) -> Model:
    """Return a model with the refits of its rows, where a job has made them meanwhile; else the same object."""
    with suppress(ModelError):
        if refits := read_refits(store, model.metadata.data.sha256):
            model = copy.copy(model)  # with all that was worked out from its rows
            vars(model)["refits"] = refits
    return model


def _for_now(what: str, error: Exception) -> ModelError:
    return ModelError(f"{what} cannot be loaded at the moment ({str(error) or 'not enough memory'}). Try again.")


def _made_ready(model: Model) -> Model:
    """Have a model ready to answer."""
    predict(model, {column.name: column.default for column in FEATURES})
    _settle()
    return model


@cache
def _settle() -> None:
    """After the first prediction, have what is alive now never collected again, and give back what was freed.

    Once: at each model that is loaded later, the garbage of that moment would stay for ever.
    """
    gc.collect()
    gc.freeze()  # without this each collection walks all of it again
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None)
        with suppress(AttributeError):  # not glibc
            libc.mallopt(_ARENA_MAX, 2)  # else each visit's threads leave holes in heaps of their own
            libc.malloc_trim(0)  # glibc keeps what the imports and the first prediction have freed
