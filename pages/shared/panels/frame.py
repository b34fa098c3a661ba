"""What every page begins with: the tab's title and the menu of the pages that exist."""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from data.schema import PERIOD, ROWS
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


def choice_of_address(what: str, known: Iterable[int], default: int) -> int:
    """Read a number from the page's address.

    Parameters
    ----------
    what
        Name of the parameter.
    known
        What it may be.
    default
        What it is where the address says nothing, or nothing that is known; the latter is told, and mended.
    """
    asked = st.query_params.get(what)
    found = next((number for number in known if str(number) == asked), None)
    if found is None and asked is not None:
        st.info(f"There is no {what} {escape(asked[:20])} here, or no longer. Shown is {default}.")
        st.query_params[what] = str(default)
    return default if found is None else found


@cache
def _script() -> Any:
    """Register what runs beside each page in the browser."""
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
        The one that answers, named below the menu.
    """
    st.set_page_config(page_title=f"{title} · Petrol what-if", layout="wide", initial_sidebar_state=220)
    st.html(_STYLE)
    with st.sidebar:
        st.markdown("**Petrol what-if**")
        chosen = st.session_state.get(session.EXPLORE_LINK, {})
        links = {"pages/explore.py": [(name, value) for name, values in chosen.items() for value in values]}
        for path, label in PAGES:
            st.page_link(path, label=label, width="stretch", query_params=links.get(path))
        name = f"Version {model.version}: {model.label}" if model.version else f"Shipped {model.label}"
        _model_in_words(f"{name}  \n{len(model.rows):,} {ROWS}, {PERIOD}")
        _script()(key=session.FRAME)
    if st.session_state.get(session.PAGE) != title:
        st.session_state[session.PAGE], st.session_state[session.ENTERED] = title, True
    if st.session_state.setdefault(session.ACTIVE_VERSION, model.version) != model.version:
        st.session_state[session.ACTIVE_VERSION] = model.version
        st.toast(f"{name} is now active.", icon=":material/swap_horiz:")
    if model.notice:
        st.warning(model.notice, icon=":material/build:")


# A page that has a fragment to run again some time is run as a whole when its connection comes back: its session may be
# a new one by then, which knows neither its fragments nor what the browser keeps, and would answer no press.
@st.fragment(run_every=timedelta(days=7))
def _model_in_words(text: str) -> None:
    st.caption(text)
