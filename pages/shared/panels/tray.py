"""The tray of kept scenarios: keep, compare, rename, move, remove, and carry in files. Each browser has its own."""

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES, ROW, ROWS, TARGET, row_name
from model.answering import scenarios
from model.answering.change import predict_change
from model.answering.prediction import Prediction, predict
from model.answering.scenarios import MAX_KEPT, MAX_NAME, KeptScenario, ReadScenario
from model.answering.scoring import score_scenarios
from model.fitting.errors import ModelError
from model.fitting.interval import nearest_possible_level
from model.fitting.train import Model
from model.store.database import StoreError
from pages.shared import controls, resources, session
from pages.shared.controls import Inputs, Start
from pages.shared.panels import stored, uploads
from pages.shared.pictures import text_tables
from pages.shared.what_if.details import draw_comparison
from pages.shared.what_if.kept import draw_kept
from pages.shared.words.wording import change_in_words, escape


@st.fragment
def draw_tray(model: Model) -> None:
    """Draw the tray; it runs alone, and a slider move does not run it."""
    state = st.session_state
    if resources.active_model() is not model or state.pop(session.TRAY_SHOWN, False):
        st.rerun()
    kept = state.setdefault(session.TRAY, [])
    with st.container(border=True, key=session.TRAY_CARD):
        st.markdown("## Kept scenarios")
        with st.form(session.TRAY_FORM, border=False):
            left, right = st.columns([0.76, 0.24], vertical_alignment="bottom")
            left.text_input(
                "Name",
                key=session.TRAY_NAME,
                max_chars=MAX_NAME,
                placeholder="Optional name",
            )
            right.form_submit_button("Keep this scenario", on_click=_keep_scenario, width="stretch")
        # Always there: what follows stays in its place.
        message, table = st.container(), st.container(key=session.TRAY_TABLE)
        kind, told = state.pop(session.TRAY_TOLD, ("", ""))
        if told:
            getattr(message, kind)(told)
        with message:
            stored.draw_messages()
        with table:
            draw_kept(
                _comparison_rows(model, kept),
                kept,
                stored.messages_to_browser(),
                _press,
                lambda told: stored.take_from_browser(told, _answer_read),
            )
        st.caption(f"{'' if kept else 'Nothing is kept yet. '}{stored.where_kept()}")
        with st.expander("Download or load", key=session.TRAY_FILES):
            _draw_files(kept)
        if kept:
            with st.expander("Rename or move", key=session.TRAY_CHANGES):
                _change(kept)
        if kept:
            _draw_comparison(model, kept)


def note_inputs(inputs: Inputs) -> None:
    """Note where the sliders are when the whole page runs, and the tray with it."""
    st.session_state[session.TRAY_SEEN] = inputs.epoch, inputs.seq


def is_behind(inputs: Inputs) -> bool:
    """Whether the tray compares a kept scenario with the sliders, and has not seen where they are by now."""
    state = st.session_state
    is_compared = state.get(session.TRAY) and session.NOW in (state.get(session.TRAY_FROM), state.get(session.TRAY_TO))
    return bool(is_compared) and state[session.TRAY_SEEN] != (inputs.epoch, inputs.seq)


def _keep_scenario() -> None:
    model, state = resources.active_model(), st.session_state
    kept = state[session.TRAY]
    if len(kept) >= MAX_KEPT:
        text = f"{MAX_KEPT} scenarios are kept, which is all there is room for. Remove one first."
        state[session.TRAY_TOLD] = "error", text
        return
    inputs, level = controls.read_inputs(), controls.read_level(model)
    taken = [session.NOW, *(entry.name for entry in kept)]
    name = scenarios.clean_name(state[session.TRAY_NAME], taken, f"Scenario {len(kept) + 1}")
    state[session.TRAY_NAME] = ""
    _add([_to_kept(model, name, inputs.scenario, level, controls.find_start(model, inputs.start))])


def _to_kept(model: Model, name: str, scenario: dict[str, float], level: float, start: Start) -> KeptScenario:
    """Predict a scenario and build the record to keep."""
    answer = predict(model, scenario, level)
    moved = predict_change(model, start.scenario, scenario, level)
    figures = (answer.value, answer.low, answer.high, moved.value, moved.low, moved.high)
    return KeptScenario(name, answer.scenario, level, model.version, start.code, *figures)


def _add(more: list[KeptScenario]) -> None:
    kept = st.session_state[session.TRAY]
    st.session_state[session.TRAY] = [*kept, *stored.with_ids(more, kept)]


def _predict_kept(model: Model, kept: list[KeptScenario]) -> Any:
    """Predict every kept scenario with the active model."""
    X = np.array([[entry.scenario[name] for name in FEATURE_NAMES] for entry in kept])
    return score_scenarios(model, X)


def _interval(answer: KeptScenario | Prediction, level: float) -> str:
    """Both ends, which stay on one line, and the level."""
    ends = f"{answer.low:.0f} –\N{WORD JOINER} {answer.high:.0f}".replace(" ", "\N{NO-BREAK SPACE}")
    return f"{ends} ({controls.format_level(level)})".replace(" %", "\N{NO-BREAK SPACE}%")


def _changed(entry: KeptScenario) -> str:
    """The change from its start, with the ends of its interval."""
    if not entry.change and not entry.change_low and not entry.change_high:
        return "none"
    text = f"{entry.change:+.0f}" if round(entry.change) else "0"
    ends = "" if entry.change_low is None else f" ({entry.change_low:+z.0f} to {entry.change_high:+z.0f})"
    return f"{text}{ends}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def _version(number: int) -> str:
    return f"version\N{NO-BREAK SPACE}{number}" if number else "the shipped model"


def _comparison_rows(model: Model, kept: list[KeptScenario]) -> list[dict[str, str]]:
    """A line for each; where another version answers now, what was said then and what is said now."""
    if not kept:
        return []
    answers, lines = _predict_kept(model, kept), []
    is_mixed = any(entry.version != model.version for entry in kept)
    for i, one in enumerate(kept):
        line = {"Scenario": one.name}
        line[f"{'Then' if is_mixed else 'Prediction'} ({TARGET.short_unit})"] = f"{one.value:.0f}"
        line["Interval"] = _interval(one, one.coverage)
        line["Start"] = controls.find_start(model, one.start).name
        line["Change"] = _changed(one)
        if is_mixed:
            line["By"] = _version(one.version)
            line[f"Now, {_version(model.version)}"] = f"{answers.value[i]:.0f}"
        line |= {text_tables.SHORT_TITLES[column.name]: column.text(one.scenario[column.name]) for column in FEATURES}
        near = row_name(str(model.records[answers.nearest[i]][ROW]))
        line[f"Nearest {ROW}"] = f"{near}, {answers.distance[i]:.1f}\N{NO-BREAK SPACE}s.d."
        lines.append(line)
    return lines


def _change(kept: list[KeptScenario]) -> None:
    names, state = [entry.name for entry in kept], st.session_state
    if state.get(session.TRAY_CHOSEN) not in names:
        state[session.TRAY_CHOSEN] = names[0]
    name = st.selectbox("Scenario", names, key=session.TRAY_CHOSEN)
    with st.container(horizontal=True):
        st.button("Move up", key=session.TRAY_UP, on_click=_move, args=(-1,), disabled=name == names[0])
        st.button("Move down", key=session.TRAY_DOWN, on_click=_move, args=(1,), disabled=name == names[-1])
    with st.form(session.TRAY_RENAME, border=False):
        left, right = st.columns([0.76, 0.24], vertical_alignment="bottom")
        left.text_input("New name", key=session.TRAY_NEW_NAME, max_chars=MAX_NAME)
        right.form_submit_button("Rename", on_click=_rename, width="stretch")


def _press(action: str, name: str) -> None:
    """Do what was pressed in the row of a scenario; one that is gone by now is left alone."""
    state = st.session_state
    one = next((entry for entry in state[session.TRAY] if entry.name == name), None)
    if one and action == "Remove":
        state[session.TRAY] = [other for other in state[session.TRAY] if other is not one]
        stored.remove_stored(one.id)
    elif one and action == "Show":
        _put_on_sliders(one)


def _put_on_sliders(entry: KeptScenario) -> None:
    state = st.session_state
    beyond = [
        f"{column.label.lower()} is {column.text_with_unit(value)}, the slider goes from "
        f"{column.text_with_unit(column.low)} to {column.text_with_unit(column.high)}"
        for column in FEATURES
        if not column.low <= (value := entry.scenario[column.name]) <= column.high
    ]
    if beyond:
        text = f"{escape(entry.name)} is beyond the sliders: {escape('; '.join(beyond))}. Compare it here instead."
        state[session.TRAY_TOLD] = "error", text
        return
    controls.write_inputs(entry.scenario, entry.start)
    state[session.TRAY_SHOWN] = True  # the sliders are elsewhere on the page


def _move(by: int) -> None:
    state = st.session_state
    state[session.TRAY] = scenarios.move_scenario(state[session.TRAY], state[session.TRAY_CHOSEN], by)


def _rename() -> None:
    state, old = st.session_state, st.session_state[session.TRAY_CHOSEN]
    state[session.TRAY], new = scenarios.rename_scenario(state[session.TRAY], old, state[session.TRAY_NEW_NAME])
    state[session.TRAY_NEW_NAME] = ""
    for key in (session.TRAY_CHOSEN, session.TRAY_FROM, session.TRAY_TO):
        if state.get(key) == old:
            state[key] = new


def _draw_files(kept: list[KeptScenario]) -> None:
    with st.container(horizontal=True):
        for label, write, kind in (
            ("CSV", scenarios.write_csv, "text/csv"),
            ("JSON", scenarios.write_json, "application/json"),
        ):
            st.download_button(
                f"Download {label}",
                partial(write, kept),
                f"scenarios.{label.lower()}",
                kind,
                disabled=not kept,
                on_click="ignore",
                icon=":material/download:",
            )
    generation = st.session_state.setdefault(session.TRAY_GENERATION, 0)
    key = session.part(session.TRAY_FILE, generation)
    st.file_uploader(
        "Load scenarios",
        max_upload_size=scenarios.MAX_FILE_BYTES // 2**20,
        type=["csv", "json", "txt", "tsv"],
        key=key,
        on_change=_load,
        args=(key,),
        help="What was downloaded here, or any CSV with the inputs. Predictions are made anew.",
    )


def _load(key: str) -> None:
    """Take a file as a whole or not at all, and answer what is in it."""
    state = st.session_state
    file = state[key]
    state[session.TRAY_GENERATION] += 1  # the uploader is empty again
    if file is None:
        return
    try:
        content = file.read(scenarios.MAX_FILE_BYTES + 1)
        uploads.require_room(content)
        found = scenarios.read_scenarios(content)
        if (room := MAX_KEPT - len(state[session.TRAY])) < len(found):
            raise DataError([f"There is room for {room} more, the file has {len(found)}. Remove some first."])
        more, unknown = list[KeptScenario](), set[int]()
        for one in found:
            more.append(_answer_read(one, [*state[session.TRAY], *more], unknown))
        _add(more)
    except DataError as error:
        problems = "\n".join(f"- {escape(problem)}" for problem in error.problems[: DataError.SHOWN])
        state[session.TRAY_TOLD] = "error", f"{escape(file.name)} was not loaded:\n{problems}"
        return
    state[session.TRAY_TOLD] = "success", f"{len(more)} scenario{'s' * (len(more) > 1)} loaded."
    if unknown:
        numbers = ", ".join(map(str, sorted(unknown)))
        state[session.TRAY_TOLD] = (
            "warning", f"{len(more)} loaded. Not known here or not usable: version {numbers}. The active one answered.",
        )  # fmt: skip


def _answer_read(entry: ReadScenario, others: list[KeptScenario], unknown: set[int]) -> KeptScenario:
    """Have a scenario that was read answered by the version that it names, or by the one that answers now."""
    model = resources.active_model()
    if entry.version not in (0, model.version):
        try:
            model = resources.owner.version(entry.version)
        except (ModelError, StoreError):
            unknown.add(entry.version)
    level = nearest_possible_level(len(model.distinct), entry.coverage or controls.read_inputs().level)
    name = scenarios.clean_name(
        entry.name, [session.NOW, *(other.name for other in others)], f"Scenario {len(others) + 1}"
    )
    start = controls.find_start(model, entry.start)
    if entry.start and not start.code:
        cure = f"Name one of the model's {len(model.rows):,} {ROWS}, or leave it empty."
        raise DataError([f"{entry.where}, start: {entry.start[:60]!r} is no {ROW} that is known. {cure}"])
    return _to_kept(model, name, entry.scenario, level, start)


def _draw_comparison(model: Model, kept: list[KeptScenario]) -> None:
    """Two scenarios side by side, and why the prediction moves from one to the other."""
    inputs, state = controls.read_inputs(), st.session_state
    begin, level = controls.find_start(model, inputs.start), controls.read_level(model)
    choices = {entry.name: entry for entry in kept}
    choices[session.NOW] = _to_kept(model, session.NOW, inputs.scenario, level, begin)
    st.markdown("### Compare two")
    start, end = session.TRAY_FROM, session.TRAY_TO
    for key, other, order in ((start, end, list(choices)), (end, start, list(reversed(choices)))):
        if state.get(key) not in choices:
            state[key] = next(name for name in order if name != state.get(other))
    left, right = st.columns(2)
    pair = [
        choices[column.selectbox(label, list(choices), key=key)]
        for column, label, key in ((left, "From", start), (right, "To", end))
    ]
    before, after = pair
    moved = predict_change(
        model, before.scenario, after.scenario, nearest_possible_level(len(model.distinct), after.coverage)
    )
    answers = [
        predict(model, entry.scenario, nearest_possible_level(len(model.distinct), entry.coverage)) for entry in pair
    ]
    table = [
        ["Scenario", before.name, after.name],
        [f"{TARGET.label} ({TARGET.short_unit})", *(f"{answer.value:.0f}" for answer in answers)],
        ["Interval", *(_interval(answer, answer.level) for answer in answers)],
        *([c.label, *(c.text_with_unit(entry.scenario[c.name]) for entry in pair)] for c in FEATURES),
        [f"Nearest {ROW}", *(f"{row_name(a.nearest[0].name)}, {a.nearest[0].distance:.1f} s.d." for a in answers)],
    ]
    st.markdown(f"{escape(after.name)}: {change_in_words(moved, escape(before.name))}")
    draw_comparison(moved, table)
