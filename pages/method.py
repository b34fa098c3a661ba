"""The Method page: where every figure comes from, with one state worked through by hand."""

import re
from pathlib import Path

import streamlit as st

from pages.shared import resources
from pages.shared.panels.frame import draw_frame

TEXT = Path(__file__).parents[1] / "docs" / "method.md"

draw_frame("Method", resources.active_model())
title, _, text = TEXT.read_text(encoding="utf-8").partition("\n")
st.title(title.removeprefix("# "), anchor=False)
# Relative links lead to files of the repository, and Streamlit would read what stands between two $ as LaTeX.
text = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", text).replace("$", r"\$")
with st.container(width=860):
    st.markdown(text)
