"""The JSON interface on changes: what one scenario is to another, and what would have to change."""

import json

import pytest

from model.answering.change import predict_change
from model.answering.find import find
from model.answering.question import read_question
from tests.test_api import OHIO, ask, refused


@pytest.mark.parametrize("start", ["OH", "ohio", OHIO], ids=str)
@pytest.mark.parametrize("to", [{"petrol_tax": 9}, OHIO | {"petrol_tax": 9}], ids=["one input", "all"])
def test_a_change_is_the_one_that_the_model_gives(server, model, start, to):
    status, _, content = ask(f"{server}/api/change", {"from": start, "to": to})
    observed = 498.0 if isinstance(start, str) else None
    answer = predict_change(model, OHIO, OHIO | {"petrol_tax": 9}, observed=observed)
    assert status == 200
    assert content == answer.to_record() | {"version": 1, "notice": ""}
    assert content["change"] == pytest.approx(content["to_prediction"] - content["from_prediction"], abs=1e-9)


@pytest.mark.parametrize(
    ("body", "status", "problems"),
    [
        ({"from": "Atlantis", "to": {}}, 422, [(None, "from", "Atlantis")]),
        ({"from": "OH", "to": {"petrol_tax": "9"}}, 422, [(None, "petrol_tax", "9")]),
        ({"from": "OH", "to": {"tax": 9}}, 422, [(None, "tax", "9")]),
        ({"from": "OH", "to": 9}, 422, [(None, "", "9")]),
        ({"from": 3, "to": {}}, 422, [(None, "", "3")]),
        ({"from": {"petrol_tax": 7}, "to": OHIO}, 422, None),
        ({"to": OHIO}, 422, []),
        ({"from": "OH", "via": OHIO}, 422, []),
        ([], 422, []),
        (b"{", 400, []),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_answered_is_refused_with_the_cure(server, body, status, problems):
    got, listed = refused(f"{server}/api/change", body)
    assert got == status
    assert problems is None or listed == problems


def test_a_change_to_nothing_is_none(server):
    _, _, content = ask(f"{server}/api/change?coverage=0.8", {"from": "OH"})
    assert (content["change"], content["low"], content["high"], content["level"]) == (0, 0, 0, 0.8)


@pytest.mark.parametrize(
    "asked",
    [
        {"aim": "at_most", "goal": 500},
        {"aim": "reach", "goal": 560, "share": 0.8, "fixed": ["petrol_tax"]},
        {
            "aim": "highest",
            "support": "very far",
            "ranges": {"petrol_tax": {"low": 6, "high": 8, "step": 0.5, "cost": 2}},
        },
    ],
)
def test_what_is_found_is_what_the_model_finds(server, model, asked):
    status, _, content = ask(f"{server}/api/find?coverage=0.8", {"from": "OH"} | asked)
    assert status == 200, content
    expected = find(model, read_question(model, OHIO, **asked), 0.8).to_record()
    assert content == json.loads(json.dumps(expected)) | {"version": 1, "notice": ""}
    assert content["answers"]


@pytest.mark.parametrize(
    ("body", "status", "problems"),
    [
        ({"from": "Atlantis", "aim": "highest"}, 422, [(None, "from", "Atlantis")]),
        ({"from": "OH", "aim": "best"}, 422, [(None, "aim", "best")]),
        ({"from": "OH", "aim": "reach"}, 422, [(None, "goal", None)]),
        ({"from": "OH", "aim": "reach", "goal": "500"}, 422, [(None, "goal", "500")]),
        ({"from": "OH", "aim": "highest", "fixed": ["tax"]}, 422, [(None, "fixed", "tax")]),
        (
            {"from": "OH", "aim": "highest", "ranges": {"petrol_tax": {"low": "6"}}},
            422,
            [(None, "petrol_tax, low", "6")],
        ),
        ({"from": "OH", "aim": "highest", "ranges": ["petrol_tax"]}, 422, [(None, "ranges", "a list")]),
        ({"from": "OH", "aim": "highest", "fixed": list(OHIO)}, 422, [(None, "fixed", None)]),
        ({"from": "OH"}, 422, []),
        ({"from": "OH", "aim": "highest", "budget": 3}, 422, []),
        (b"{", 400, []),
    ],
)
def test_what_cannot_be_sought_is_refused_with_the_cure(server, body, status, problems):
    assert refused(f"{server}/api/find", body) == (status, problems)
