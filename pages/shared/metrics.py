"""Metrics for whoever runs the app, in the format of Prometheus; while off, nothing is counted or imported."""

import time
from collections.abc import Iterator
from typing import Any

import streamlit as st
from streamlit.runtime import get_instance

from data.errors import DataError
from model.cache import Backoff
from model.fitting.errors import ModelError
from model.queue import jobs
from model.store.database import FAILURES, StoreError
from model.store.tables import STATES
from pages.shared import resources, session

_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10)  # [s]; an answer to a slider takes 0.02


class Metrics:
    """The metrics of this process: those counted, and those looked up when they are read; none holds names."""

    def __init__(self) -> None:
        from prometheus_client import (
            CollectorRegistry,
            GCCollector,
            Histogram,
            ProcessCollector,
            disable_created_metrics,
        )

        disable_created_metrics()  # the times of the first counts, a third of all lines
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_CurrentState())
        options: Any = {"buckets": _BUCKETS, "registry": self.registry}
        help_text = "Time from a slider's move reaching its page to the answer [s]"
        self.moves = Histogram("petrol_move_seconds", help_text, **options)
        help_text = "Time of a request of the JSON interface [s]"
        self.requests = Histogram("petrol_api_request_seconds", help_text, ["path", "status"], **options)

    def text(self) -> bytes:
        """Write all figures."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


class _CurrentState:
    """The metrics that are looked up when they are read."""

    def __init__(self) -> None:
        self._backoff = Backoff()

    def describe(self) -> list[Any]:
        """Announce no metrics before the first reading, because the store may be unreachable."""
        return []

    def collect(self) -> Iterator[Any]:
        """Look up the metrics of sessions, model and store."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        def gauge(name: str, help_text: str, value: float) -> Any:
            return GaugeMetricFamily(f"petrol_{name}", help_text, value=value)

        n_sessions = get_instance()._session_mgr.num_active_sessions()  # noqa: SLF001 (there is no other way)
        yield gauge("sessions", "Open windows", n_sessions)
        try:
            model = resources.owner.current()
            yield gauge("active_version", "Version that answers; 0 where there is no store", model.version)
            yield gauge("notice", "Whether something is not in order with the model or its store", bool(model.notice))
        except (DataError, ModelError):
            yield gauge("notice", "Whether something is not in order with the model or its store", 1)
        try:
            store = resources.owner.store()
            states = self._backoff.ask(store, lambda: jobs.count_states(store))
        except StoreError:
            states = None
        yield gauge("store_up", "Whether the store can be read", states is not None)
        if states is not None:
            n_jobs = GaugeMetricFamily("petrol_jobs", "Trainings in the store", labels=["state"])
            for state in STATES:
                n_jobs.add_metric([state], states.get(state, 0))
            yield n_jobs
        yield CounterMetricFamily("petrol_store_errors", "Failures to use the store", value=FAILURES.total())


counters: Metrics | None = None  # of this process; None while metrics are off


def start_counting() -> Metrics:
    """Return the counters of this process; the first call creates them."""
    global counters  # noqa: PLW0603 - one per process, and none while metrics are off
    counters = counters or Metrics()
    return counters


def begin_move() -> None:
    """Note when a message of the browser arrives, before its page runs."""
    if counters:
        st.session_state[session.MOVED] = time.perf_counter()


def end_move() -> None:
    """Count a move whose answer has been written; do nothing if the page ran for another reason."""
    if counters and (started := st.session_state.pop(session.MOVED, None)):
        counters.moves.observe(time.perf_counter() - started)
