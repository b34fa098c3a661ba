"""What every page begins with: the tab's title and the menu of the pages that exist."""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from data.schema import PERIOD, ROWS, TITLE
from model.fitting.train import Model
from pages.shared import session
from pages.shared.words.wording import escape

PAGES = (
    ("streamlit_app.py", "What if"),
    ("pages/explore.py", "Explore"),
    ("pages/retrain.py", "Retrain"),
    ("pages/models.py", "Models"),
    ("pages/score.py", "Score a file"),
    ("pages/method.py", "Method"),
)

_STYLE, _SCRIPT = (Path(__file__).with_name(f"frame.{kind}") for kind in ("css", "js"))


def read_number_from_address(parameter: str, known: Iterable[int], default: int) -> int:
    """Read a number from the page's address.

    Parameters
    ----------
    parameter
        Its name in the address.
    known
        The numbers that exist.
    default
        Returned if the address has no number, or an unknown one; the latter is reported, and the address corrected.
    """
    text = st.query_params.get(parameter)
    choice = next((number for number in known if str(number) == text), None)
    if choice is None and text is not None:
        st.info(f"There is no {parameter} {escape(text[:20])} here, or no longer. Shown is {default}.")
        st.query_params[parameter] = str(default)
    return default if choice is None else choice


def write_number_to_address(parameter: str, key: str) -> None:
    """Write to the page's address the number that a widget holds."""
    st.query_params[parameter] = str(st.session_state[key])


@cache
def _script() -> Any:
    """Register the script that runs beside each page in the browser."""
    lines = (line.strip() for line in _SCRIPT.read_text(encoding="utf-8").splitlines())
    script = "\n".join(line for line in lines if not line.startswith("//"))
    return st.components.v2.component("frame", js=script, isolate_styles=False)


def draw_frame(title: str, model: Model) -> None:
    """Set the tab's title and draw the menu.

    Parameters
    ----------
    title
        The page's name in the menu.
    model
        The active one, named below the menu.
    """
    st.set_page_config(page_title=f"{title} · {TITLE}", layout="wide", initial_sidebar_state=220)
    st.html(_STYLE)
    with st.sidebar:
        st.markdown(f"**{TITLE}**")
        explore_link = st.session_state.get(session.EXPLORE_LINK, {})
        links = {"pages/explore.py": [(name, value) for name, values in explore_link.items() for value in values]}
        for path, label in PAGES:
            st.page_link(path, label=label, width="stretch", query_params=links.get(path))
        name = f"Version {model.version}: {model.label}" if model.version else f"Shipped {model.label}"
        _draw_model_note(f"{name}  \n{len(model.rows):,} {ROWS}{PERIOD and f', {PERIOD}'}")
        _script()(key=session.FRAME)
    if st.session_state.get(session.PAGE) != title:
        st.session_state[session.PAGE], st.session_state[session.ENTERED] = title, True
    if st.session_state.setdefault(session.ACTIVE_VERSION, model.version) != model.version:
        st.session_state[session.ACTIVE_VERSION] = model.version
        st.toast(f"{name} is now active.", icon=":material/swap_horiz:")
    if model.notice:
        st.warning(model.notice, icon=":material/build:")


# A page with a fragment that is due to run again is rerun as a whole when its connection comes back. Its session may be
# new by then; without a rerun it would know neither the page's fragments nor what the browser keeps, and ignore clicks.
@st.fragment(run_every=timedelta(days=7))
def _draw_model_note(text: str) -> None:
    st.caption(text)
