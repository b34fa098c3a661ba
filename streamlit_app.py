"""The home page: four sliders, the petrol consumption of a state as the model sees it, and what changes."""

import streamlit as st

from data.schema import QUESTION, DataError
from model.answering.change import change
from model.answering.predict import predict
from pages.shared import controls, metrics, resources
from pages.shared.panels import goal_form, links, tray
from pages.shared.panels.frame import frame
from pages.shared.what_if import style, what_if
from pages.shared.words import wording

model = resources.active_model()
frame("What if", model)
style()
st.title("What if?", anchor=False)
st.markdown(f":gray[{QUESTION} Start from one, and drag a slider.]")
controls.enter(model)
tray.look(controls.read())
goal_form.look()


@st.fragment
def answering() -> None:
    """Run alone on each move: the inputs give a scenario, the scenario an answer, the answer the pictures."""
    if resources.active_model() is not model:
        st.rerun()  # another version was promoted meanwhile
    inputs, told, level = controls.read(), st.container(), controls.last_level(model)
    start = controls.start_of(model, inputs.start)
    try:
        answer = predict(model, inputs.scenario, level)
        moved = change(model, start.scenario, inputs.scenario, level, start.observed)
    except DataError as error:
        told.error(str(error))
        return
    for problem in controls.problems(inputs.scenario):
        told.error(problem)
    if said := links.told_by_link(model, answer):
        told.info(said, icon=":material/link:")
    what_if(model, inputs, answer, moved, links.beside(model), controls.known_rows())
    controls.method_link()
    metrics.end_move()
    if controls.take_over(inputs) or tray.is_behind(inputs) or goal_form.is_behind():
        st.rerun()  # the whole page


answering()
goal_form.goal(model)
tray.tray(model)

with st.container(border=True):
    st.markdown("## How far to trust it")
    st.table(wording.trust_table(model), border="horizontal", hide_index=True)
    st.caption(wording.trust_in_words(model))
    with st.popover("Facts about this model", type="tertiary"):
        st.markdown(wording.model_facts(model))
