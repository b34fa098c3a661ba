"""The Models page: every version, what was active when and why, its card, and how to roll back."""

import io
import zipfile
from typing import Any

import streamlit as st

from data.cells import escape_cell
from data.schema import ROWS, TARGET_UNIT
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.judging.card import export_version, write_card
from model.store import history, pruning, versions
from model.store.database import Store
from model.store.history import Promotion
from model.store.tables import now
from model.store.versions import Version
from pages.shared import door, resources, session
from pages.shared.panels import evidence_panel
from pages.shared.panels.frame import draw_frame, read_number_from_address, write_number_to_address
from pages.shared.pictures import evidence_charts, text_tables
from pages.shared.words import verdicts
from pages.shared.words.wording import escape


def version_status(version: Version, last_promotions: dict[int, Promotion]) -> str:
    """Say whether a version is active, was active, is a candidate or is broken."""
    if version.broken:
        return "broken"
    if version.id == model.version:
        return "active"
    return "was active" if version.id in last_promotions else "candidate"


def history_row(version: Version, last_promotions: dict[int, Promotion]) -> dict[str, object]:
    """Return a version's row in the table of versions."""
    scores, last_promotion = version.metadata.scores["model"], last_promotions.get(version.id)
    return {
        "Version": version.id,
        "Status": version_status(version, last_promotions),
        "Algorithm": verdicts.capitalise(version.recipe.label),
        "MAE": scores.mae.value,
        "±": scores.mae.standard_error,
        "RMSE": scores.rmse.value,
        "R²": scores.r2.value,
        "Data": escape_cell(verdicts.training_data(version)),
        "Promoted (UTC)": f"{last_promotion.at:%Y-%m-%d %H:%M}" if last_promotion else "–",
        "By": escape_cell(last_promotion.by) if last_promotion else "–",  # the table can be downloaded
        "Why": escape_cell(last_promotion.reason) if last_promotion else "–",
        "Trained (UTC)": f"{version.created_at:%Y-%m-%d %H:%M}",
    }


def draw_history(promotions: list[Promotion]) -> None:
    """Draw which version was active when, as a picture and as a table."""
    st.markdown("## What was active when")
    st.plotly_chart(
        evidence_charts.draw_timeline(promotions, now()),
        key=session.MODELS_TIMELINE,
        alt=f"Which version answered when: {len(promotions)} promotions",
        config={"displaylogo": False},
    )
    with st.popover("Show as table", type="tertiary", icon=":material/table_rows:"):
        table = [
            {
                "From (UTC)": f"{promotion.at:%Y-%m-%d %H:%M:%S}",
                "Version": str(promotion.version_id),
                "By": escape(promotion.by),
                "Why": escape(promotion.reason),
            }
            for promotion in reversed(promotions)
        ]
        if table:
            st.markdown(text_tables.to_markdown(table))


def draw_versions(newest_first: list[Version], last_promotions: dict[int, Promotion]) -> None:
    """Draw the table of all versions."""
    st.markdown("## Versions")
    figures = {
        name: st.column_config.NumberColumn(format=number_format, help=help_text, width=62)
        for name, number_format, help_text in (
            ("MAE", "%.1f", f"Typical miss: mean absolute error, cross-validated on its own rows [{TARGET_UNIT}]."),
            ("±", "%.1f", f"One standard error of the MAE for these {ROWS} and folds [{TARGET_UNIT}]."),
            ("RMSE", "%.1f", f"Root mean square error [{TARGET_UNIT}]."),
            ("R²", "%.2f", "Share of the variance that is explained out of fold [no unit]."),
        )
    }
    widths = {"Version": 64, "Status": 84, "Data": 160, "By": 80}
    st.dataframe(
        [history_row(version, last_promotions) for version in newest_first],
        hide_index=True,
        column_config=figures | {name: st.column_config.Column(width=width) for name, width in widths.items()},
        alt=f"{len(newest_first)} versions, the newest first",
    )
    st.caption(
        f"MAE and RMSE in {TARGET_UNIT}. Scores of versions on other {ROWS} cannot be compared with each other: the "
        "Retrain page compares two versions on the same folds."
    )


def pack_archive(store: Store, version: Version, loaded_model: Model, promotions: list[Promotion]) -> bytes:
    """Zip everything that is needed to use the version elsewhere."""
    pipeline = versions.read_pipeline(store, version.id)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in export_version(version, loaded_model, promotions, pipeline).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def draw_version(
    store: Store, versions_by_id: dict[int, Version], last_promotions: dict[int, Promotion], promotions: list[Promotion]
) -> None:
    """Draw one version: its card, and the buttons to download, promote or remove it."""
    default = model.version if model.version in versions_by_id else next(iter(versions_by_id))
    version_id = read_number_from_address(session.VERSION, versions_by_id, default)
    st.session_state[session.MODELS_VERSION] = version_id
    left, right = st.columns(2, gap="large")
    labels = {
        number: f"{version.label}, {version_status(version, last_promotions)}"
        for number, version in versions_by_id.items()
    }
    left.selectbox(
        "Version",
        list(versions_by_id),
        format_func=labels.__getitem__,
        key=session.MODELS_VERSION,
        on_change=write_number_to_address,
        args=(session.VERSION, session.MODELS_VERSION),
    )
    version, card = versions_by_id[version_id], ""
    with left.container(horizontal=True):
        try:
            loaded_model = resources.owner.version(version_id)
        except ModelError as error:
            st.error(f"Version {version_id} cannot be used. {error}", icon=":material/broken_image:")
        else:
            card = write_card(version, loaded_model, promotions)
            options: dict[str, Any] = {"icon": ":material/download:", "on_click": "ignore"}
            st.download_button("Model card", card, f"model_card_{version_id}.md", "text/markdown", **options)
            st.download_button(
                "Model with its record and rows",
                lambda: pack_archive(store, version, loaded_model, promotions),
                f"petrol_model_{version_id}.zip",
                "application/zip",
                **options,
            )
        if version_id not in last_promotions and not version.shipped and not door.refusal():
            with st.popover("Remove", icon=":material/delete:"):
                st.markdown(f"Removes **{version.label}** with its scores. It was never promoted. It cannot be undone.")
                done = session.MODELS_REMOVED, f"{version.label} was removed."
                arguments = *done, history.remove_version, store, version_id
                st.button("Remove it", on_click=door.change_and_report, args=arguments, key=session.MODELS_REMOVE)
    if card:
        with right:
            evidence_panel.draw_promotion(store, resources.owner.evidence_on(version_id, model))
        with st.container(border=True):
            card = card.replace(":material", ":\N{WORD JOINER}material")  # else Streamlit draws an icon
            st.markdown(card.replace("\n## ", "\n### ").replace("# Version", "## Version", 1))


def draw_removable_data_sets(store: Store) -> None:
    """Offer to remove the data sets that only removable versions were trained on, if any."""
    removable = history.list_removable_data_sets(store)
    if not removable or door.refusal():
        return
    st.markdown("## Data sets that can be removed")
    st.caption("No version that was ever promoted was trained on them.")
    for data_set, lost_ids in removable:
        consequence = ""
        if lost_ids:
            consequence = f", and with it version{'s' if len(lost_ids) > 1 else ''} {', '.join(map(str, lost_ids))}"
        description = f"Data set {data_set.id}, {escape(data_set.origin)} ({data_set.n_rows:,} {ROWS}){consequence}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(description, width="stretch")
            with st.popover("Remove", key=session.part(session.MODELS_REMOVE_SET, data_set.id)):
                st.markdown(f"Removes {description}. It cannot be undone.")
                done = session.MODELS_REMOVED, f"{description} was removed."
                arguments = *done, history.remove_data_set, store, data_set.id
                key = session.part(session.MODELS_REMOVE_DATA, data_set.id)
                st.button("Remove it", key=key, on_click=door.change_and_report, args=arguments)


def draw_page(store: Store) -> None:
    """Draw the history, all versions, then one of them."""
    if message := st.session_state.pop(session.MODELS_REMOVED, None):
        st.info(message, icon=":material/delete:")
    promotions = history.list_promotions(store)
    last_promotions = {promotion.version_id: promotion for promotion in promotions}
    versions_by_id = {version.id: version for version in reversed(versions.list_versions(store))}
    draw_history(promotions)
    if store.is_new:
        st.caption(f"There was no store {escape(store.location)} when the app was started, so it made this one.")
    if not versions_by_id:
        st.info("There is no version yet.")
        return
    draw_versions(list(versions_by_id.values()), last_promotions)
    st.caption(f"The store takes up {pruning.in_megabytes(pruning.size_of_store(store))}.")
    draw_version(store, versions_by_id, last_promotions, promotions)
    draw_removable_data_sets(store)


model = resources.active_model()
draw_frame("Models", model)
st.title("Models", anchor=False)
st.markdown(":gray[Every version that was trained, what was active when and why, and how to roll back.]")
door.draw_door()
resources.run_with_store(draw_page, "There is no history to show.")
