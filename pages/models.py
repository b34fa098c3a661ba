"""The Models page: every version, what was active when and why, its card, and the way back."""

import io
import zipfile

import streamlit as st

from model import history, versions
from model.card import card, export
from model.recipe import ALGORITHMS, ModelError
from model.store import StoreError
from model.tables import now
from pages.shared import evidence, evidence_charts, resources, verdicts
from pages.shared.frame import frame
from pages.shared.wording import plain

model = resources.active_model()
frame("Models", model)
st.title("Models", anchor=False)
st.markdown(":gray[Every version that was trained, what was active when and why, and the way back.]")

try:
    store = resources.store()
    promotions = history.promotions(store)
    everything = {one.id: one for one in reversed(versions.versions(store))}
except StoreError as error:
    st.error(f"There is no history to show. {error}", icon=":material/cloud_off:")
    st.stop()

promoted = {one.version_id: one for one in promotions}
last_removal = st.session_state.pop("models_removed", None)
if last_removal:
    st.info(last_removal, icon=":material/delete:")


def status(one):
    """What a version is at the moment."""
    if one.broken:
        return "broken"
    if one.id == model.version:
        return "active"
    return "was active" if one.id in promoted else "candidate"


def row(one):
    """A version's line in the history."""
    mae, last = one.record["scores"]["model"]["mae"], promoted.get(one.id)
    return {
        "Version": one.id,
        "Status": status(one),
        "Algorithm": verdicts.capital(ALGORITHMS[one.record["algorithm"]].label),
        "MAE": mae["value"],
        "±": mae["standard_error"],
        "RMSE": one.record["scores"]["model"]["rmse"]["value"],
        "R²": one.record["scores"]["model"]["r2"]["value"],
        "Data": verdicts.trained_on(one),
        "Trained (UTC)": one.created_at.replace(tzinfo=None),
        "Last promoted (UTC)": last and last.at.replace(tzinfo=None),
        "By": last.by if last else "",
        "Why": last.reason if last else "",
    }


def remove(what, function, *arguments):
    """Delete, and say what went or why it stays."""
    try:
        function(store, *arguments)
        st.session_state.models_removed = f"{what} was removed."
    except StoreError as error:
        st.session_state.models_removed = str(error)


st.markdown("#### What was active when")
st.plotly_chart(
    evidence_charts.timeline(promotions, now()),
    key="models_timeline",
    alt=f"Which version answered when: {len(promotions)} promotions",
    config={"displaylogo": False},
)
with st.popover("Show as table", type="tertiary", icon=":material/table_rows:"):
    st.table(
        [
            {
                "From (UTC)": f"{one.at:%Y-%m-%d %H:%M:%S}",
                "Version": str(one.version_id),
                "By": plain(one.by),
                "Why": plain(one.reason),
            }
            for one in reversed(promotions)
        ],
        hide_index=True,
    )

st.markdown("#### Versions")
moment = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")
number = {
    name: st.column_config.NumberColumn(format="%.1f", help=help_)
    for name, help_ in (
        ("MAE", "Typical miss: mean absolute error, cross-validated on its own rows [gallons per person per year]."),
        ("±", "One standard error of the MAE."),
        ("RMSE", "Root mean square error [gallons per person per year]."),
    )
}
st.dataframe(
    [row(one) for one in everything.values()],
    hide_index=True,
    column_config=number
    | {"R²": st.column_config.NumberColumn(format="%.2f"), "Trained (UTC)": moment, "Last promoted (UTC)": moment},
    alt=f"{len(everything)} versions, the newest first",
)
st.caption("Scores of versions on other rows cannot be compared: the Retrain page holds two against each other fairly.")

asked = st.query_params.get("version", "")
chosen = int(asked) if asked.isdecimal() and int(asked) in everything else model.version
if chosen not in everything:
    chosen = next(iter(everything))
st.session_state.models_version = chosen
left, right = st.columns([0.5, 0.5], gap="large")
with left:
    st.selectbox(
        "Version",
        list(everything),
        format_func=lambda one: f"{everything[one].label} ({status(everything[one])})",
        key="models_version",
        on_change=lambda: st.query_params.update(version=str(st.session_state.models_version)),
    )
version = everything[chosen]
try:
    loaded = resources.model_of(chosen)
except (ModelError, StoreError) as error:
    st.error(f"Version {chosen} cannot be used. {error}", icon=":material/broken_image:")
    loaded = None


def archive():
    """Pack everything that is needed to use the version elsewhere."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in export(version, loaded, promotions).items():
            archive.writestr(name, content)
    return packed.getvalue()


with right:
    if loaded:
        evidence.promote(store, resources.evidence_on(chosen, model))
with left, st.container(horizontal=True):
    if loaded:
        text = card(version, loaded, promotions)
        st.download_button(
            "Model card", text, f"model_card_{chosen}.md", "text/markdown", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Model with its record and rows", archive, f"petrol_model_{chosen}.zip", "application/zip",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    if chosen not in promoted and not version.shipped:
        with st.popover("Remove", icon=":material/delete:"):
            st.markdown(f"Removes **{version.label}** with its scores. It was never promoted. This cannot be undone.")
            what = version.label
            st.button("Remove it", on_click=remove, args=(what, history.remove_version, chosen), key="models_remove")
if loaded:
    with st.container(border=True):
        st.markdown(text.replace("\n## ", "\n##### ").replace("# Version", "#### Version", 1))

removable = history.removable_data_sets(store)
if removable:
    st.markdown("#### Data sets that can be removed")
    st.caption("No version that was ever promoted was trained on them.")
    for data_set, using in removable:
        with st.container(horizontal=True, vertical_alignment="center"):
            goes = f", and with it version{'s' if len(using) > 1 else ''} {', '.join(map(str, using))}" if using else ""
            name = f"Data set {data_set.id}, {plain(data_set.origin)} ({data_set.n_rows:,} rows)"
            st.markdown(f"{name}{goes}", width="stretch")
            with st.popover("Remove", key=f"models_remove_set_{data_set.id}"):
                st.markdown(f"Removes {name}{goes}. This cannot be undone.")
                arguments = (f"{name}{goes}", history.remove_data_set, data_set.id)
                st.button("Remove it", key=f"models_remove_data_{data_set.id}", on_click=remove, args=arguments)
