"""The home page: a slider for each input, what the model predicts of a row with these inputs, and how it changes."""

import streamlit as st

from data.errors import DataError
from data.schema import QUESTION
from model.answering.change import predict_with_change
from model.answering.prediction import Scenario
from pages.shared import controls, metrics, resources
from pages.shared.panels import beside, find_form, links, report_button, tray
from pages.shared.panels.frame import draw_frame
from pages.shared.what_if import draw_what_if, list_open_inputs
from pages.shared.what_if.contour import draw_contour
from pages.shared.words import wording

model = resources.active_model()
draw_frame("What if", model)
st.title("What if?", anchor=False)
st.markdown(f":gray[{QUESTION} Start from one, and drag a slider.]")
beside.read_address_on_entry()
controls.read_address_on_entry(model)
tray.note_inputs(controls.read_inputs())
find_form.note_inputs()


@st.fragment
def draw_answer() -> None:
    """Draw the answer to the inputs; as a fragment, it reruns alone on each move of a slider."""
    if resources.active_model() is not model:
        st.rerun()  # another version was promoted meanwhile
    inputs, shown, messages = controls.read_inputs(), controls.read_shown(), st.container()
    level = controls.usable_level(model, inputs)
    start = controls.find_start(model, inputs.start)
    try:
        answer, change = predict_with_change(
            model,
            start.scenario,
            inputs.scenario,
            level,
            start.observed,
            with_reasons=shown.is_average_open,
            curves_of=list_open_inputs(model, is_rest_open=shown.is_rest_open),
        )
    except DataError as error:
        messages.error(str(error))
        return
    for problem in controls.find_problems(inputs.scenario):
        messages.error(problem)
    if note := links.note_of_link(model, answer):
        messages.info(note, icon=":material/link:")
    other = beside.ask_beside(model, Scenario(start.scenario), answer)
    draw_what_if(model, inputs, answer, change, links.link_parameters(model), shown.known_rows, other)
    controls.draw_method_link()
    report_button.note_shown(inputs, level)
    draw_contour(model, inputs, find_form.current_goal())
    metrics.end_move()
    if controls.adopt_browser_inputs(inputs) or tray.is_behind(inputs) or find_form.is_behind():
        st.rerun()  # the whole page


draw_answer()
beside.draw_choice(model)  # asks the store, which a slider move need not
report_button.draw_report_button(model)
find_form.draw_find_form(model)
tray.draw_tray(model)

with st.container(border=True):
    st.markdown("## How far to trust it")
    st.table(wording.score_table(model), border="horizontal", hide_index=True)
    st.caption(wording.scores_in_words(model))
    with st.popover("Facts about this model", type="tertiary"):
        st.markdown(wording.model_facts(model))
