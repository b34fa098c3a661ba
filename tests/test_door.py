"""Who may change the model: the settings, what a provider says of somebody, and that no change goes past the door."""

import ast
import math

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import door
from tests.conftest import ROOT

NOW = 1_800_000_000
ANN = {"is_logged_in": True, "email": "Ann@Example.org", "email_verified": True, "exp": NOW + 1}
CHANGES = {"jobs": {"submit", "cancel"}, "history": {"promote", "remove_version", "remove_data_set"}}
EXPIRED = "Your sign-in has expired. Sign in again."
NOBODY = "Your sign-in vouches for no mail address"


@pytest.mark.parametrize(
    "allowed", ["ann@example.org", "example.org", "@Example.ORG", "bob@b.org, ann@EXAMPLE.org ", "b.org,example.org"]
)
def test_who_is_allowed_by_address_or_domain_comes_in(allowed):
    assert door._refusal_of(ANN, allowed, NOW) == ""
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
        ({"email_verified": "true"}, NOBODY),
        ({"email_verified": None}, NOBODY),
        ({"email": "eve@example.org.evil.org"}, "eve@example.org.evil.org may not"),
        ({"email": "*eve*@evil.org"}, r"\*eve\*@evil.org may not"),
    ],
    ids=str,
)
def test_what_the_provider_says_must_hold_now(claims, said):
    found = door._refusal_of(ANN | claims, "example.org, ann@example.org", NOW)
    assert said in found.replace("\N{WORD JOINER}", "").replace("\\.", ".").replace("\\@", "@")


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
    changes, passed = {f"{module}.{name}" for module, names in CHANGES.items() for name in names}, set()
    for path in [ROOT / "streamlit_app.py", *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (module := node.module.rpartition(".")[2]) in CHANGES:
                assert not {alias.name for alias in node.names} & CHANGES[module], path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in changes, f"{path}:{node.lineno}"
                passed |= {ast.unparse(node.args[0])} if called == "door.change" else set()
    assert passed == {"jobs.submit", "jobs.cancel", "history.promote", "function"}  # of models.remove, with either


def page_of(name):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    app.switch_page(f"pages/{name}.py").run()
    assert not app.exception
    return app


@pytest.mark.parametrize("page", ["retrain", "models"])
@pytest.mark.parametrize(
    ("setting", "said"),
    [("open", "Whoever opens this page can train"), ("off", "Changes are switched off"), ("login", "Sign in to train")],
)
def test_the_pages_say_who_may_change_the_model(page, setting, said, monkeypatch, store):
    monkeypatch.setenv("PETROL_RETRAIN", setting)
    shown = page_of(page)
    assert any(said in element.value for element in [*shown.caption, *shown.info])
    buttons = [button.label for button in shown.button]
    assert ("Retrain" in buttons) == (page == "retrain" and setting == "open")
    assert ("Sign in" in buttons) == (setting == "login")


def test_without_a_provider_signing_in_says_what_is_missing(monkeypatch, store):
    monkeypatch.setenv("PETROL_RETRAIN", "login")
    shown = page_of("retrain")
    shown.button(key="door_in").click().run()
    assert not shown.exception
    (told,) = [element.value for element in shown.error]
    assert told.startswith("Nobody can sign in here: .streamlit/secrets.toml does not say where.")
