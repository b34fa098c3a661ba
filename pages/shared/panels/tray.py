"""The tray of kept scenarios: keep, compare, rename, move, remove, download, load. Each browser has its own."""

from functools import partial

import numpy as np
import streamlit as st

from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES, ROW, ROWS, TARGET, row_name
from model.answering import scenarios
from model.answering.change import predict_change
from model.answering.prediction import Prediction, predict
from model.answering.scenarios import MAX_KEPT, MAX_NAME, KeptScenario, ReadScenario
from model.answering.scoring import ScoredRows, score_scenarios
from model.fitting.errors import ModelError
from model.fitting.interval import nearest_possible_level
from model.fitting.train import Model
from model.store.database import StoreError
from pages.shared import controls, resources, session
from pages.shared.controls import Inputs, Start
from pages.shared.panels import browser_storage, uploads
from pages.shared.pictures import text_tables
from pages.shared.what_if.details import draw_comparison
from pages.shared.what_if.kept import draw_kept
from pages.shared.words.reports import write_kept_report
from pages.shared.words.wording import change_in_words, escape


@st.fragment
def draw_tray(model: Model) -> None:
    """Draw the tray, as a fragment that a slider move does not run."""
    state = st.session_state
    if resources.active_model() is not model or state.pop(session.TRAY_SHOWN, False):
        st.rerun()
    tray = state.setdefault(session.TRAY, [])
    with st.container(border=True, key=session.TRAY_CARD):
        st.markdown("## Kept scenarios")
        with st.form(session.TRAY_FORM, border=False):
            left, right = st.columns([0.76, 0.24], vertical_alignment="bottom")
            left.text_input("Name", key=session.TRAY_NAME, max_chars=MAX_NAME, placeholder="Optional name")
            right.form_submit_button("Keep this scenario", on_click=_keep_scenario, width="stretch")
        # Containers even if empty, so that what follows does not jump.
        messages, table = st.container(), st.container(key=session.TRAY_TABLE)
        kind, text = state.pop(session.TRAY_TOLD, ("", ""))
        if text:
            getattr(messages, kind)(text)
        with messages:
            browser_storage.draw_messages()
        with table:
            draw_kept(
                _tabulate(model, tray),
                tray,
                browser_storage.message_to_browser(),
                _run_action,
                lambda message: browser_storage.restore_from_browser(message, _predict_read),
            )
        st.caption(f"{'' if tray else 'Nothing is kept yet. '}{browser_storage.storage_note()}")
        with st.expander("Download or load", key=session.TRAY_FILES):
            _draw_files(model, tray)
        if tray:
            with st.expander("Rename or move", key=session.TRAY_CHANGES):
                _draw_rename_and_move(tray)
            _draw_comparison(model, tray)


def note_inputs(inputs: Inputs) -> None:
    """Note where the sliders are, when the whole page runs and the tray with it."""
    st.session_state[session.TRAY_SEEN] = inputs.epoch, inputs.seq


def is_behind(inputs: Inputs) -> bool:
    """Whether the tray compares a kept scenario with the sliders, and has not seen where they are by now."""
    state = st.session_state
    is_compared = state.get(session.TRAY) and session.NOW in (state.get(session.TRAY_FROM), state.get(session.TRAY_TO))
    return bool(is_compared) and state[session.TRAY_SEEN] != (inputs.epoch, inputs.seq)


def _keep_scenario() -> None:
    """Keep what stands on the sliders, under the name in the form."""
    if keep_scenario(st.session_state[session.TRAY_NAME], controls.read_scenario()):
        st.session_state[session.TRAY_NAME] = ""


def keep_scenario(name: str, scenario: dict[str, float]) -> bool:
    """Keep a scenario as one that was reached from the start on the page; False, and told, if there is no room."""
    model, state = resources.active_model(), st.session_state
    tray = state[session.TRAY]
    if len(tray) >= MAX_KEPT:
        text = f"{MAX_KEPT} scenarios are kept, which is all there is room for. Remove one first."
        state[session.TRAY_TOLD] = "error", text
        return False
    inputs = controls.read_inputs()
    start, level = controls.find_start(model, inputs.start), controls.usable_level(model, inputs)
    taken_names = [session.NOW, *(kept.name for kept in tray)]
    name = scenarios.clean_name(name, taken_names, f"Scenario {len(tray) + 1}")
    _add_to_tray([_predict_scenario(model, name, scenario, level, start)])
    return True


def _predict_scenario(model: Model, name: str, scenario: dict[str, float], level: float, start: Start) -> KeptScenario:
    """Predict a scenario, and make it one that can be kept."""
    answer = predict(model, scenario, level)
    change = predict_change(model, start.scenario, scenario, level)
    figures = (answer.value, answer.low, answer.high, change.value, change.low, change.high)
    return KeptScenario(name, answer.scenario, level, model.version, start.code, *figures)


def _add_to_tray(new_scenarios: list[KeptScenario]) -> None:
    tray = st.session_state[session.TRAY]
    st.session_state[session.TRAY] = [*tray, *browser_storage.with_ids(new_scenarios, tray)]


def _predict_now(model: Model, tray: list[KeptScenario]) -> ScoredRows:
    """Predict each scenario with the active model."""
    X = np.array([[kept.scenario[name] for name in FEATURE_NAMES] for kept in tray])
    return score_scenarios(model, X)


def _interval_in_words(answer: KeptScenario | Prediction, level: float) -> str:
    """Both ends, which stay on one line, and the level."""
    ends = f"{TARGET.estimate(answer.low)} –\N{WORD JOINER} {TARGET.estimate(answer.high)}".replace(
        " ", "\N{NO-BREAK SPACE}"
    )
    return f"{ends} ({controls.format_level(level)})".replace(" %", "\N{NO-BREAK SPACE}%")


def _change_in_words(kept: KeptScenario) -> str:
    """The change from its start, with the ends of its interval."""
    if not kept.change and not kept.change_low and not kept.change_high:
        return "none"
    text = TARGET.estimate(kept.change, "+")
    low, high = kept.change_low, kept.change_high
    ends = "" if low is None or high is None else f" ({TARGET.estimate(low, '+')} to {TARGET.estimate(high, '+')})"
    return f"{text}{ends}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def _version_name(number: int) -> str:
    return f"version\N{NO-BREAK SPACE}{number}" if number else "the shipped model"


def _tabulate(model: Model, tray: list[KeptScenario]) -> text_tables.Rows:
    """Make a line for each scenario; if other versions predicted some, with the prediction then and now."""
    if not tray:
        return []
    answers, lines = _predict_now(model, tray), []
    is_mixed = any(kept.version != model.version for kept in tray)
    for i, kept in enumerate(tray):
        line = {"Scenario": kept.name}
        line[f"{'Then' if is_mixed else 'Prediction'}{TARGET.short_unit_note}"] = TARGET.estimate(kept.value)
        line["Interval"] = _interval_in_words(kept, kept.coverage)
        line["Start"] = controls.find_start(model, kept.start).name
        line["Change"] = _change_in_words(kept)
        if is_mixed:
            line["By"] = _version_name(kept.version)
            line[f"Now, {_version_name(model.version)}"] = TARGET.estimate(answers.value[i])
        line |= {text_tables.SHORT_TITLES[column.name]: column.text(kept.scenario[column.name]) for column in FEATURES}
        nearest = row_name(str(model.records[answers.nearest[i]][ROW]))
        line[f"Nearest {ROW}"] = f"{nearest}, {answers.distance[i]:.1f}\N{NO-BREAK SPACE}s.d."
        lines.append(line)
    return lines


def _draw_rename_and_move(tray: list[KeptScenario]) -> None:
    names, state = [kept.name for kept in tray], st.session_state
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


def _run_action(action: str, name: str) -> None:
    """Run the action that was pressed in a scenario's row; do nothing if the scenario is gone by now."""
    state = st.session_state
    kept = next((kept for kept in state[session.TRAY] if kept.name == name), None)
    if kept and action == "Remove":
        state[session.TRAY] = [scenario for scenario in state[session.TRAY] if scenario is not kept]
        browser_storage.remove_stored(kept.id)
    elif kept and action == "Show":
        _put_on_sliders(kept)


def _put_on_sliders(kept: KeptScenario) -> None:
    state = st.session_state
    problems = [
        f"{column.label.lower()} is {column.text_with_unit(value)}, the slider goes from "
        f"{column.text_with_unit(column.low)} to {column.text_with_unit(column.high)}"
        for column in FEATURES
        if not column.low <= (value := kept.scenario[column.name]) <= column.high
    ]
    if problems:
        text = f"{escape(kept.name)} is beyond the sliders: {escape('; '.join(problems))}. Compare it here instead."
        state[session.TRAY_TOLD] = "error", text
        return
    controls.write_inputs(kept.scenario, kept.start)
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


def _write_report(model: Model, tray: list[KeptScenario], address: str) -> str:
    return write_kept_report(model, tray, _tabulate(model, tray), address)


def _draw_files(model: Model, tray: list[KeptScenario]) -> None:
    with st.container(horizontal=True):
        for label, write, mime in (
            ("CSV", scenarios.write_csv, "text/csv"),
            ("JSON", scenarios.write_json, "application/json"),
        ):
            st.download_button(
                f"Download {label}",
                partial(write, tray),
                f"scenarios.{label.lower()}",
                mime,
                disabled=not tray,
                on_click="ignore",
                icon=":material/download:",
            )
        address = (st.context.url or "").partition("?")[0]
        st.download_button(
            "Report of all",
            partial(_write_report, model, tray, address),
            "scenarios.html",
            "text/html",
            disabled=not tray,
            on_click="ignore",
            icon=":material/description:",
        )
    generation = st.session_state.setdefault(session.TRAY_GENERATION, 0)
    key = session.part(session.TRAY_FILE, generation)
    st.file_uploader(
        "Load scenarios",
        max_upload_size=scenarios.MAX_FILE_BYTES // 2**20,
        type=["csv", "json", "txt", "tsv"],
        key=key,
        on_change=_load_file,
        args=(key,),
        help="What was downloaded here, or any CSV with the inputs. Predictions are made anew.",
    )


def _load_file(key: str) -> None:
    """Keep all scenarios of a file, predicted anew, or none."""
    state = st.session_state
    file = state[key]
    state[session.TRAY_GENERATION] += 1  # empties the uploader
    if file is None:
        return
    try:
        content = file.read(scenarios.MAX_FILE_BYTES + 1)
        uploads.require_room(content)
        entries = scenarios.read_scenarios(content)
        if (room := MAX_KEPT - len(state[session.TRAY])) < len(entries):
            raise DataError([f"There is room for {room} more, the file has {len(entries)}. Remove some first."])
        loaded, unusable = list[KeptScenario](), set[int]()
        for entry in entries:
            loaded.append(_predict_read(entry, [*state[session.TRAY], *loaded], unusable))
        _add_to_tray(loaded)
    except DataError as error:
        problems = "\n".join(f"- {escape(problem)}" for problem in error.problems[: DataError.SHOWN])
        state[session.TRAY_TOLD] = "error", f"{escape(file.name)} was not loaded:\n{problems}"
        return
    n = len(loaded)
    state[session.TRAY_TOLD] = "success", f"{n} scenario{'s' * (n > 1)} loaded."
    if unusable:
        numbers = ", ".join(map(str, sorted(unusable)))
        state[session.TRAY_TOLD] = (
            "warning", f"{n} loaded. Not known here or not usable: version {numbers}. The active one answered.",
        )  # fmt: skip


def _predict_read(entry: ReadScenario, kept_so_far: list[KeptScenario], unusable: set[int]) -> KeptScenario:
    """Predict a scenario with the version that it names, or else with the active one."""
    model = resources.active_model()
    if entry.version not in (0, model.version):
        try:
            model = resources.owner.version(entry.version)
        except (ModelError, StoreError):
            unusable.add(entry.version)
    level = nearest_possible_level(len(model.distinct), entry.coverage or controls.read_inputs().level)
    taken_names = [session.NOW, *(kept.name for kept in kept_so_far)]
    name = scenarios.clean_name(entry.name, taken_names, f"Scenario {len(kept_so_far) + 1}")
    start = controls.find_start(model, entry.start)
    if entry.start and not start.code:
        cure = f"Name one of the model's {len(model.rows):,} {ROWS}, or leave it empty."
        raise DataError([f"{entry.where}, start: {entry.start[:60]!r} is no {ROW} that is known. {cure}"])
    return _predict_scenario(model, name, entry.scenario, level, start)


def _draw_comparison(model: Model, tray: list[KeptScenario]) -> None:
    """Draw two scenarios side by side, and why the prediction moves from one to the other."""
    inputs, state = controls.read_inputs(), st.session_state
    start, level = controls.find_start(model, inputs.start), controls.usable_level(model, inputs)
    choices = {kept.name: kept for kept in tray}
    choices[session.NOW] = _predict_scenario(model, session.NOW, inputs.scenario, level, start)
    st.markdown("### Compare two")
    from_key, to_key = session.TRAY_FROM, session.TRAY_TO
    for key, other_key, names in ((from_key, to_key, list(choices)), (to_key, from_key, list(reversed(choices)))):
        if state.get(key) not in choices:
            state[key] = next(name for name in names if name != state.get(other_key))
    left, right = st.columns(2)
    pair = before, after = [
        choices[cell.selectbox(label, list(choices), key=key)]
        for cell, label, key in ((left, "From", from_key), (right, "To", to_key))
    ]
    levels = [nearest_possible_level(len(model.distinct), kept.coverage) for kept in pair]
    change = predict_change(model, before.scenario, after.scenario, levels[1])
    answers = [predict(model, kept.scenario, level) for kept, level in zip(pair, levels, strict=True)]
    table = [
        ["Scenario", before.name, after.name],
        [f"{TARGET.label}{TARGET.short_unit_note}", *(TARGET.estimate(answer.value) for answer in answers)],
        ["Interval", *(_interval_in_words(answer, answer.level) for answer in answers)],
        *([c.label, *(c.text_with_unit(kept.scenario[c.name]) for kept in pair)] for c in FEATURES),
        [f"Nearest {ROW}", *(f"{row_name(a.nearest[0].name)}, {a.nearest[0].distance:.1f} s.d." for a in answers)],
    ]
    st.markdown(f"{escape(after.name)}: {change_in_words(change, escape(before.name))}")
    draw_comparison(change, table)
