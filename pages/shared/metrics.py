"""Figures for whoever runs the app, in the form of Prometheus; where they are off nothing is counted or imported."""

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


class Counters:
    """What is counted in this process, and what is asked for when somebody reads it; it holds no names."""

    def __init__(self) -> None:
        from prometheus_client import (
            CollectorRegistry,
            GCCollector,
            Histogram,
            ProcessCollector,
            disable_created_metrics,
        )

        disable_created_metrics()  # when each was first counted: a third of all lines
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
    """What is asked for when somebody reads the figures."""

    def __init__(self) -> None:
        self._asking = Backoff()

    def describe(self) -> list[Any]:
        """Name nothing before the first reading: the store may be away."""
        return []

    def collect(self) -> Iterator[Any]:
        """Look at sessions, model and store."""
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
            states = self._asking.ask(store, lambda: jobs.count_states(store))
        except StoreError:
            states = None
        yield gauge("store_up", "Whether the store can be read", states is not None)
        if states is not None:
            n_jobs = GaugeMetricFamily("petrol_jobs", "Trainings in the store", labels=["state"])
            for state in STATES:
                n_jobs.add_metric([state], states.get(state, 0))
            yield n_jobs
        yield CounterMetricFamily("petrol_store_errors", "Failures to use the store", value=FAILURES.total())


counters: Counters | None = None  # of this process, where they are asked for


def start_counting() -> Counters:
    """Begin to count."""
    global counters  # noqa: PLW0603 - one a process, and none where nobody asks
    counters = counters or Counters()
    return counters


def begin_move() -> None:
    """Note that a message of the browser has arrived, before its page runs."""
    if counters:
        st.session_state[session.MOVED] = time.perf_counter()


def end_move() -> None:
    """Count a move whose answer has been written; nothing where the page ran for another reason."""
    if counters and (begun := st.session_state.pop(session.MOVED, None)):
        counters.moves.observe(time.perf_counter() - begun)
