"""Who may change the model: the settings, what a provider says of somebody, and that no change goes past the door."""

import ast
import math

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from model.active import ActiveModel
from model.store import sign_ins
from pages.shared import door, resources
from tests.conftest import ROOT

NOW = 1_800_000_000
ANN = {"is_logged_in": True, "email": "Ann@Example.org", "email_verified": True, "exp": NOW + 1}
MODULES, CHANGES = ("jobs", "history"), {"submit", "cancel", "promote", "remove_version", "remove_data_set"}
EXPIRED = "Your sign-in has expired. Sign in again."
NOBODY = "Your sign-in vouches for no mail address"


@pytest.mark.parametrize(
    "allowed", ["ann@example.org", "example.org", "@Example.ORG", "bob@b.org, ann@EXAMPLE.org ", "b.org,example.org"]
)
def test_who_is_allowed_by_address_or_domain_comes_in(allowed):
    assert door._refusal_of(ANN, allowed, NOW) == ""
    assert door._refusal_of(ANN | {"email_verified": "true"}, allowed, NOW) == ""  # as some send it
    without = {name: value for name, value in ANN.items() if name != "email_verified"}
    assert door._refusal_of(without, allowed, NOW) == ""  # some providers do not say


@pytest.mark.parametrize("allowed", ["", ",", "@", "xann@example.org", "ple.org", "sub.example.org", "bob@example.org"])
def test_nobody_else_does(allowed):
    assert "may not change the model here" in door._refusal_of(ANN, allowed, NOW)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"is_logged_in": False}, "Sign in to train"),
        ({"is_logged_in": None}, "Sign in to train"),
        ({"exp": NOW}, EXPIRED),
        ({"exp": None}, EXPIRED),
        ({"exp": str(NOW + 9)}, EXPIRED),
        ({"exp": math.nan}, EXPIRED),
        ({"email": None}, NOBODY),
        ({"email": ""}, NOBODY),
        ({"email": "example.org"}, NOBODY),
        ({"email": "@example.org"}, NOBODY),
        ({"email": "eve@evil.org@example.org"}, NOBODY),
        ({"email": ["ann@example.org"]}, "may not change"),
        ({"email_verified": False}, NOBODY),
        ({"email_verified": "false"}, NOBODY),
        ({"email_verified": None}, NOBODY),
        ({"email": "x y@example.org"}, NOBODY),
        ({"email": "ann@example.org\n"}, NOBODY),
        ({"email": "eve@example\N{LATIN CAPITAL LETTER SHARP S}.org"}, NOBODY),  # whose small form is that of others
        ({"email": "eve@\N{KELVIN SIGN}.org"}, NOBODY),
        ({"email": "eve@example.org.evil.org"}, "eve@example.org.evil.org may not"),
        ({"email": "*eve*@evil.org"}, r"\*eve\*@evil.org may not"),
    ],
    ids=str,
)
def test_what_the_provider_says_must_hold_now(claims, said):
    found = door._refusal_of(ANN | claims, "example.org, ann@example.org", NOW)
    assert said in found.replace("\N{WORD JOINER}", "").replace("\\.", ".").replace("\\@", "@")


def test_who_has_signed_out_elsewhere_or_cannot_be_asked_about_may_change_nothing(store, monkeypatch):
    monkeypatch.setattr(resources, "owner", ActiveModel())
    gone = ANN | {"iat": 7, "sub": "gone"}
    assert door._refusal_of_ended(gone) == ""
    sign_ins.end_sign_in(store, "gone", "7", NOW)
    assert door._refusal_of_ended(gone) == EXPIRED
    assert door._refusal_of_ended(gone | {"iat": 8}) == ""
    monkeypatch.setattr(resources, "owner", ActiveModel("sqlite:////nowhere/store.db"))
    assert "The store /nowhere/store.db cannot be written" in door._refusal_of_ended(ANN)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (None, ""),
        ("", ""),
        ("open", ""),
        (" Open ", ""),
        ("off", "Changes are switched off here (PETROL_RETRAIN=off)"),
        ("opne", "PETROL_RETRAIN is 'opne', which is not open, off or login."),
        ("0", "PETROL_RETRAIN is '0'"),
    ],
)
def test_a_setting_that_is_not_known_shuts_the_door(setting, said, monkeypatch):
    monkeypatch.delenv("PETROL_RETRAIN", raising=False)
    if setting is not None:
        monkeypatch.setenv("PETROL_RETRAIN", setting)
    done = []
    if said:
        assert said in door.refusal()
        with pytest.raises(door.NotAllowedError, match="PETROL_RETRAIN"):
            door.change(done.append, 1)
        assert done == []
    else:
        door.change(done.append, 1)
        assert done == [1]


def test_no_page_changes_anything_but_through_the_door():
    """Nobody but the door gets hold of what changes something; Models hands two to the function that asks it."""
    found = []
    for path in [ROOT / "streamlit_app.py", ROOT / "server.py", *(ROOT / "pages").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        through = {id(call.args[0]) for call in calls if ast.unparse(call.func) == "door.change"}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names = {alias.name: alias.asname for alias in node.names}
                assert not set(names) & CHANGES, path
                assert not any(names.get(module) for module in MODULES), path
            assert not isinstance(node, ast.Import) or not any(a.name.startswith("model") for a in node.names), path
            if isinstance(node, ast.Attribute) and node.attr in CHANGES and ast.unparse(node.value) in MODULES:
                found.append((path.name, ast.unparse(node), id(node) in through))
    assert sorted(found) == [
        ("evidence_panel.py", "history.promote", True),
        ("models.py", "history.remove_data_set", False),
        ("models.py", "history.remove_version", False),
        ("queue_panel.py", "jobs.cancel", True),
        ("queue_panel.py", "jobs.submit", True),
        ("retrain.py", "jobs.submit", True),
    ]
    assert (ROOT / "pages" / "models.py").read_text(encoding="utf-8").count("on_click=door.change_and_report") == 2


def test_what_a_button_changes_goes_through_the_door(monkeypatch):
    monkeypatch.setenv(door.RETRAIN_SETTING, "off")
    called = []
    door.change_and_report("done", "It was done.", called.append, 1)
    assert not called
    assert st.session_state["done"].startswith("Changes are switched off here")
    monkeypatch.setenv(door.RETRAIN_SETTING, "open")
    door.change_and_report("done", "It was done.", called.append, 1)
    assert (called, st.session_state.pop("done")) == ([1], "It was done.")


def page_of(name):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    app.switch_page(f"pages/{name}.py").run()
    assert not app.exception
    return app


@pytest.mark.parametrize("page", ["retrain", "models"])
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("open", "Anyone who opens this page can train"),
        ("off", "Changes are switched off"),
        ("login", "there is no .streamlit/secrets"),
    ],
)
def test_the_pages_say_who_may_change_the_model(page, setting, said, monkeypatch, store):
    monkeypatch.setenv("PETROL_RETRAIN", setting)
    shown = page_of(page)
    assert any(said in element.value for element in [*shown.caption, *shown.info])
    buttons = [button.label for button in shown.button]
    assert ("Retrain" in buttons) == (page == "retrain" and setting == "open")
    assert "Sign in" not in buttons  # nobody could


WHOLE = dict.fromkeys(("client_id", "client_secret", "server_metadata_url"), "x") | {
    "redirect_uri": "https://example.org:8501/oauth2callback",
    "cookie_secret": "x" * 32,
}


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (WHOLE, ""),
        (WHOLE | {"cookie_secret": "x" * 31}, "cookie_secret is shorter than 32 characters"),
        (WHOLE | {"cookie_secret": ""}, "cookie_secret is missing"),
        (WHOLE | {"cookie_secret": 12345}, "cookie_secret is missing"),
        ({"google": WHOLE}, "redirect_uri is missing"),
        (
            WHOLE | {"redirect_uri": "https://example.org/"},
            "redirect_uri is not like https://example.org/oauth2callback",
        ),
        (WHOLE | {"redirect_uri": "/oauth2callback"}, "redirect_uri is not like"),
        (WHOLE | {"redirect_uri": "https://example.org/petrol/oauth2callback"}, "redirect_uri is not like"),
        (WHOLE | {"client_id": ""}, "client_id is missing"),
        ({}, "redirect_uri is missing"),
    ],
    ids=str,
)
def test_with_settings_that_cannot_work_or_that_others_could_sign_for_the_door_is_shut(auth, said, monkeypatch):
    monkeypatch.setattr(door, "_sign_in_settings", lambda: auth)
    assert said in door.configuration_problem()
    assert bool(door.configuration_problem()) == bool(said)
    monkeypatch.setenv("PETROL_RETRAIN", "login")
    assert said in door.refusal()
    assert door.refusal()
