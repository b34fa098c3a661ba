"""What every page begins with: the tab's title and the menu of the pages that exist."""

import streamlit as st

from data.schema import PERIOD, ROWS

PAGES = (("streamlit_app.py", "What if"), ("pages/explore.py", "Explore"))


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
        st.caption(f"{model.label.capitalize()}  \n{len(model.rows):,} {ROWS}, {PERIOD}")
    if model.notice:
        st.warning(model.notice, icon=":material/build:")
