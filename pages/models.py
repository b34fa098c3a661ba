"""The Models page: every version, what was active when and why, its card, and how to roll back."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import streamlit as st

from data.cells import escape_cell
from data.schema import ROWS, TARGET
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.judging.card import export_version, write_card
from model.store import history, pruning, versions
from model.store.database import Store, StoreError
from model.store.history import Promotion
from model.store.tables import now
from model.store.versions import Version
from pages.shared import door, resources, session
from pages.shared.panels import evidence_panel
from pages.shared.panels.frame import choice_of_address, draw_frame
from pages.shared.pictures import evidence_charts, text_tables
from pages.shared.words import verdicts
from pages.shared.words.wording import escape


def status(version: Version, promoted: dict[int, Promotion]) -> str:
    """What a version is at the moment."""
    if version.broken:
        return "broken"
    if version.id == model.version:
        return "active"
    return "was active" if version.id in promoted else "candidate"


def row(version: Version, promoted: dict[int, Promotion]) -> dict[str, object]:
    """A version's line in the history."""
    scores, last = version.metadata.scores["model"], promoted.get(version.id)
    return {
        "Version": version.id,
        "Status": status(version, promoted),
        "Algorithm": verdicts.capitalise(version.recipe.label),
        "MAE": scores.mae.value,
        "±": scores.mae.standard_error,
        "RMSE": scores.rmse.value,
        "R²": scores.r2.value,
        "Data": escape_cell(verdicts.training_data(version)),
        "Promoted (UTC)": f"{last.at:%Y-%m-%d %H:%M}" if last else "–",
        "By": escape_cell(last.by) if last else "–",  # the table can be downloaded
        "Why": escape_cell(last.reason) if last else "–",
        "Trained (UTC)": f"{version.created_at:%Y-%m-%d %H:%M}",
    }


def record(promotions: list[Promotion]) -> None:
    """What was active when: a picture, and behind it the table."""
    st.markdown("## What was active when")
    st.plotly_chart(
        evidence_charts.draw_timeline(promotions, now()),
        key=session.MODELS_TIMELINE,
        alt=f"Which version answered when: {len(promotions)} promotions",
        config={"displaylogo": False},
    )
    with st.popover("Show as table", type="tertiary", icon=":material/table_rows:"):
        lines = [
            {
                "From (UTC)": f"{promotion.at:%Y-%m-%d %H:%M:%S}",
                "Version": str(promotion.version_id),
                "By": escape(promotion.by),
                "Why": escape(promotion.reason),
            }
            for promotion in reversed(promotions)
        ]
        if lines:
            st.markdown(text_tables.to_markdown(lines))


def overview(found: list[Version], promoted: dict[int, Promotion]) -> None:
    """Every version, the newest first."""
    st.markdown("## Versions")
    figures = {
        name: st.column_config.NumberColumn(format=form, help=told, width=62)
        for name, form, told in (
            ("MAE", "%.1f", f"Typical miss: mean absolute error, cross-validated on its own rows [{TARGET.unit}]."),
            ("±", "%.1f", f"One standard error of the MAE for these {ROWS} and folds [{TARGET.unit}]."),
            ("RMSE", "%.1f", f"Root mean square error [{TARGET.unit}]."),
            ("R²", "%.2f", "Share of the variance that is explained out of fold [no unit]."),
        )
    }
    widths = {"Version": 64, "Status": 84, "Data": 160, "By": 80}
    st.dataframe(
        [row(one, promoted) for one in found],
        hide_index=True,
        column_config=figures | {name: st.column_config.Column(width=width) for name, width in widths.items()},
        alt=f"{len(found)} versions, the newest first",
    )
    st.caption(
        f"MAE and RMSE in {TARGET.unit}. Scores of versions on other {ROWS} cannot be compared with each other: the "
        "Retrain page compares two versions on the same folds."
    )


def archive(store: Store, version: Version, loaded: Model, promotions: list[Promotion]) -> bytes:
    """Pack everything that is needed to use the version elsewhere."""
    stored = versions.read_pipeline(store, version.id)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in export_version(version, loaded, promotions, stored).items():
            into.writestr(name, content)
    return packed.getvalue()


def remove(store: Store, what: str, function: Callable[[Store, int], None], number: int) -> None:
    """Delete, and say what went or why it stays."""
    try:
        door.change(function, store, number)
        st.session_state[session.MODELS_REMOVED] = f"{what} was removed."
    except StoreError as error:
        st.session_state[session.MODELS_REMOVED] = str(error)


def one_version(
    store: Store, found: dict[int, Version], promoted: dict[int, Promotion], promotions: list[Promotion]
) -> None:
    """Choose a version, read its card, take it away, promote it, roll back to it, or remove it."""
    usual = model.version if model.version in found else next(iter(found))
    chosen = choice_of_address(session.VERSION, found, usual)
    st.session_state[session.MODELS_VERSION] = chosen
    left, right = st.columns(2, gap="large")
    left.selectbox(
        "Version",
        list(found),
        format_func=lambda number: f"{found[number].label}, {status(found[number], promoted)}",
        key=session.MODELS_VERSION,
        on_change=lambda: st.query_params.update({session.VERSION: str(st.session_state[session.MODELS_VERSION])}),
    )
    version, text = found[chosen], ""
    with left.container(horizontal=True):
        try:
            loaded = resources.owner.version(chosen)
        except ModelError as error:
            st.error(f"Version {chosen} cannot be used. {error}", icon=":material/broken_image:")
        else:
            text = write_card(version, loaded, promotions)
            options: dict[str, Any] = {"icon": ":material/download:", "on_click": "ignore"}
            st.download_button("Model card", text, f"model_card_{chosen}.md", "text/markdown", **options)
            packed = f"petrol_model_{chosen}.zip"
            st.download_button(
                "Model with its record and rows",
                lambda: archive(store, version, loaded, promotions),
                packed,
                "application/zip",
                **options,
            )
        if chosen not in promoted and not version.shipped and not door.refusal():
            with st.popover("Remove", icon=":material/delete:"):
                st.markdown(f"Removes **{version.label}** with its scores. It was never promoted. It cannot be undone.")
                arguments = store, version.label, history.remove_version, chosen
                st.button("Remove it", on_click=remove, args=arguments, key=session.MODELS_REMOVE)
    if text:
        with right:
            evidence_panel.draw_promotion(store, resources.owner.evidence_on(chosen, model))
        with st.container(border=True):
            text = text.replace(":material", ":\N{WORD JOINER}material")  # else the browser's part makes icons of it
            st.markdown(text.replace("\n## ", "\n### ").replace("# Version", "## Version", 1))


def data_sets(store: Store) -> None:
    """Offer the removal of data that no version needs which must stay."""
    removable = history.list_removable_data_sets(store)
    if not removable or door.refusal():
        return
    st.markdown("## Data sets that can be removed")
    st.caption("No version that was ever promoted was trained on them.")
    for data_set, using in removable:
        goes = f", and with it version{'s' if len(using) > 1 else ''} {', '.join(map(str, using))}" if using else ""
        name = f"Data set {data_set.id}, {escape(data_set.origin)} ({data_set.n_rows:,} {ROWS}){goes}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(name, width="stretch")
            with st.popover("Remove", key=session.part(session.MODELS_REMOVE_SET, data_set.id)):
                st.markdown(f"Removes {name}. It cannot be undone.")
                arguments = store, name, history.remove_data_set, data_set.id
                key = session.part(session.MODELS_REMOVE_DATA, data_set.id)
                st.button("Remove it", key=key, on_click=remove, args=arguments)


def page(store: Store) -> None:
    """From the whole record to one version."""
    if told := st.session_state.pop(session.MODELS_REMOVED, None):
        st.info(told, icon=":material/delete:")
    promotions = history.list_promotions(store)
    promoted = {promotion.version_id: promotion for promotion in promotions}
    found = {version.id: version for version in reversed(versions.list_versions(store))}
    record(promotions)
    if store.is_new:
        st.caption(f"There was no store {escape(store.location)} when the app was started, so it made this one.")
    if not found:
        st.info("There is no version yet.")
        return
    overview(list(found.values()), promoted)
    st.caption(f"The store takes up {pruning.in_megabytes(pruning.size_of_store(store))}.")
    one_version(store, found, promoted, promotions)
    data_sets(store)


model = resources.active_model()
draw_frame("Models", model)
st.title("Models", anchor=False)
st.markdown(":gray[Every version that was trained, what was active when and why, and how to roll back.]")
door.draw_door()
resources.run_with_store(page, "There is no history to show.")
