"""The home page: four sliders, and the petrol consumption of a state as the model sees it."""

import streamlit as st

from data.schema import QUESTION, DataError
from model.predict import predict
from pages.shared import controls, links, resources, session, wording
from pages.shared.frame import frame
from pages.shared.goal import goal
from pages.shared.live_readout import details, live_readout, style
from pages.shared.tray import tray

model = resources.active_model()
frame("What if", model)
style()
st.title("What if?", anchor=False)
st.markdown(f":gray[{QUESTION} Drag a slider.]")


@st.fragment
def what_if():
    """Run alone on each move: controls give a scenario, the scenario an answer, the answer the pictures."""
    if resources.active_model() is not model:
        st.rerun()  # another version was promoted meanwhile
    left, right = st.columns([0.42, 0.58], gap="medium")
    with left:
        scenario = controls.scenario(model)
        words = st.container(key=session.ANSWER)
        level = controls.coverage(model)
    try:
        answer = predict(model, scenario, level)
    except DataError as error:
        left.error(str(error))
        return
    words.markdown(wording.answer_in_words(model, answer))
    if told := links.told_by_link(model, answer):
        words.info(told, icon=":material/link:")
    with right:
        live_readout(model, answer, links.link(model, answer))
        st.caption(wording.limits_of(model))
    details(model, answer)


what_if()
goal(model)
tray(model)

with st.container(border=True):
    st.markdown("#### How far to trust it")
    st.table(wording.trust_table(model), border="horizontal", hide_index=True)
    st.caption(wording.trust_in_words(model))
    with st.popover("Facts about this model", type="tertiary"):
        st.markdown(wording.model_facts(model))
