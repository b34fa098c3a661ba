"""What every page begins with: the tab's title and the menu of the pages that exist."""

import streamlit as st

from data.schema import PERIOD, ROWS

PAGES = (
    ("streamlit_app.py", "What if"),
    ("pages/explore.py", "Explore"),
    ("pages/retrain.py", "Retrain"),
    ("pages/models.py", "Models"),
)


def frame(title, model):
    """Set the tab's title and draw the menu.

    Parameters
    ----------
    title : str
        The page's name in the menu.
    model : model.train.Model
        The one that answers, named below the menu.
    """
    st.set_page_config(page_title=f"{title} · Petrol what-if", layout="wide", initial_sidebar_state=220)
    with st.sidebar:
        st.markdown("#### Petrol what-if")
        for path, label in PAGES:
            st.page_link(path, label=label, width="stretch")
        name = f"Version {model.version}: {model.label}" if model.version else f"Shipped {model.label}"
        st.caption(f"{name}  \n{len(model.rows):,} {ROWS}, {PERIOD}")
    if st.session_state.setdefault("active_version", model.version) != model.version:
        st.session_state.active_version = model.version
        st.toast(f"{name} is now active.", icon=":material/swap_horiz:")
    if model.notice:
        st.warning(model.notice, icon=":material/build:")
