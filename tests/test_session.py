"""Keys of the session and names in an address: one table, and no name of a column that could be taken for one."""

import ast
import json
import os
import re
import subprocess
import sys
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from data.definition import FILE, read_definition
from data.errors import DataError
from data.schema import FEATURES, FOLDER
from pages.shared import session
from tests.conftest import ROOT, running_server
from tests.what_if_page import DEFAULTS, number, slider, type_into

PAGES = [path for path in sorted((ROOT / "pages").rglob("*.py")) if path.name not in ("session.py", "api.py")]
PAGES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in [ROOT / "streamlit_app.py", *PAGES]}
CALLS = [call for tree in PAGES.values() for call in ast.walk(tree) if isinstance(call, ast.Call)]
METHODS = ("get", "get_all", "pop", "setdefault", "update", "to_dict")
OLD = {"petrol_tax": "9", "average_income": "3571", "paved_highways": "1976", "driver_licence_share": "0.525"}
OLD_SCENARIO = {name: float(value) for name, value in OLD.items()}
RENAMED = dict(zip(OLD, ("coverage", "version", "job", "tray"), strict=True))
IN_ADDRESS = {"coverage": "input.coverage", "version": "input.version", "job": "input.job", "tray": "tray"}


def states_of(tree):
    """How a module names the session and the address: ``st.session_state``, and names that it gave them."""
    states = {"st.session_state", "st.query_params"}
    return states | {name.id for name, value in bindings_of(tree) if ast.unparse(value) in states}


def pairs(target, value):
    """Each name that an assignment binds, with the expression that it is bound to as narrowly as can be read."""
    if isinstance(target, ast.Name):
        yield target, value
    elif isinstance(target, ast.Tuple):
        is_alike = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        for place, part in enumerate(target.elts):
            yield from pairs(part, value.elts[place] if is_alike else value)


def bindings_of(tree):
    """Each name of a module with each expression that it is bound to, calls of its functions in any page included."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.NamedExpr)):
            for target in getattr(node, "targets", None) or [node.target]:
                yield from pairs(target, node.value)
        elif isinstance(node, (ast.For, ast.comprehension)):
            for value in node.iter.elts if isinstance(node.iter, ast.Tuple) else [node.iter]:
                yield from pairs(node.target, value)
        elif isinstance(node, ast.FunctionDef):
            names = [ast.Name(argument.arg) for argument in node.args.args]
            yield from zip(names[len(names) - len(node.args.defaults) :], node.args.defaults, strict=True)
            for call in CALLS:
                if node.name in (getattr(call.func, "id", None), getattr(call.func, "attr", None)):
                    yield from zip(names, call.args, strict=False)
                    yield from ((ast.Name(keyword.arg), keyword.value) for keyword in call.keywords if keyword.arg)


def keys_of(tree):
    """Each expression that is a key of the session or of a widget, or a name in the address."""
    states = states_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and ast.unparse(node.value) in states:
            if isinstance(node, ast.Subscript):
                yield node.slice
            elif node.attr not in METHODS:
                yield ast.Constant(node.attr)
        elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) in states:
            yield node.left
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function.rpartition(".")[0] in states or function == "st.form":
                yield from (key for first in node.args[:1] for key in getattr(first, "keys", [first]))
                yield from (ast.Constant(keyword.arg) for keyword in node.keywords if function != "st.form")
            if function not in ("sorted", "min", "max"):
                yield from (keyword.value for keyword in node.keywords if keyword.arg == "key")


def literals_in(expression, bindings, seen=()):
    """Text that is written in a key, or in what its names are bound to; not what follows a key of the table."""
    if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "session.part":
        yield from literals_in(expression.args[0], bindings, seen)
    elif isinstance(expression, ast.Constant):
        yield from [expression.value] if isinstance(expression.value, str) else []
    elif isinstance(expression, ast.Name) and expression.id not in seen:
        for name, value in bindings:
            if name.id == expression.id:
                yield from literals_in(value, bindings, (*seen, name.id))
    elif isinstance(expression, (ast.Tuple, ast.IfExp, ast.JoinedStr, ast.BinOp, ast.FormattedValue)):
        for part in ast.iter_child_nodes(expression):
            yield from literals_in(part, bindings, seen)
    elif isinstance(expression, ast.GeneratorExp):
        yield from literals_in(expression.elt, bindings, seen)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_takes_each_key_from_the_table(path):
    bindings = list(bindings_of(PAGES[path]))
    assert [text for key in keys_of(PAGES[path]) for text in literals_in(key, bindings)] == []


def test_each_key_of_the_table_is_used_where_it_says():
    names = {value: name for name, value in vars(session).items() if isinstance(value, str)}
    for key, entry in (session.KEYS | session.PARAMETERS).items():
        for writer in entry.writers.split(", "):
            if writer not in ("nobody yet", "Streamlit"):
                paths = [
                    path for path in PAGES if writer in (path.stem, path.parent.name) and path.parent != ROOT / writer
                ]
                assert [path for path in paths if f"session.{names[key]}" in path.read_text("utf-8")], (key, writer)


def test_what_the_browsers_part_looks_for_has_a_key_of_the_table():
    texts = [path.read_text("utf-8") for path in (ROOT / "pages").rglob("*.*s") if path.suffix in (".js", ".css")]
    classes = {found for text in texts for found in re.findall(r"st-key-[\w-]+", text)}
    assert classes == {session.css_class(session.TRAY_TABLE)}


@pytest.mark.parametrize("page", ["", "explore", "retrain", "models", "score"])
def test_whatever_a_page_keeps_is_an_inputs_or_the_apps_own(page):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    if page:
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception
    keys = set(app.session_state.keys()) - session.PARAMETERS.keys() - set(session.INPUT_KEYS.values())
    assert keys
    assert [key for key in keys if not key.removeprefix("FormSubmitter:").startswith(session.PREFIX)] == []


@pytest.mark.parametrize("name", ["app.tray", "input.version", "petrol tax", "petrol-tax", "1st", "_tax", "größe", ""])
def test_a_column_cannot_be_called_what_a_key_of_the_app_can(name, tmp_path):
    text = (FOLDER / FILE).read_text(encoding="utf-8")
    (tmp_path / FILE).write_text(text.replace('name = "petrol_tax"', f'name = "{name}"'), encoding="utf-8")
    cure = "is empty" if not name else "Begin with a letter, and use only letters from A to Z, digits and underscores"
    with pytest.raises(DataError, match=cure) as caught:
        read_definition(tmp_path)
    assert "input 1 " in str(caught.value)


def test_an_input_gives_way_in_an_address_to_what_is_the_apps_there():
    names = {column.name: column.name for column in FEATURES}
    assert names == session.INPUT_KEYS
    (column, *_) = FEATURES
    assert column.name_beside({column.name}) == f"input.{column.name}"
    assert {"version", "coverage", "from"} < session.PARAMETERS.keys()
    assert all(name == name.lower() for name in session.PARAMETERS)


@pytest.mark.parametrize(
    ("page", "address", "shown"),
    [
        ("", {}, {"app.inputs": (1, 0, DEFAULTS, "", 0.9)}),
        ("", {"petrol_tax": "8.5"}, {"app.inputs": (1, 0, DEFAULTS | {"petrol_tax": 8.5}, "", 0.9)}),
        ("", OLD | {"coverage": "95 %", "version": "1"}, {"app.inputs": (1, 0, OLD_SCENARIO, "", 0.95)}),
        ("", OLD | {"coverage": "80 %"}, {"app.inputs": (1, 0, OLD_SCENARIO, "", 0.8)}),
        ("explore", {"view": "All pairs"}, {"app.explore_view": "All pairs"}),
        ("models", {"version": "1"}, {"app.models_version": 1}),
        ("score", {"score_coverage": "80 %"}, {"score_coverage": 0.8}),
    ],
)
def test_an_address_of_the_first_release_opens_what_it_did(page, address, shown):
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    if page:
        app.switch_page(f"pages/{page}.py")
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert not app.error
    assert {name: app.session_state[name] for name in shown} == shown


@pytest.fixture(scope="module")
def renamed(project_of, tmp_path_factory):
    """Return a copy of the project whose inputs have names of the app's, with a model that is quick to train."""
    project = project_of(tmp_path_factory.mktemp("renamed"))
    for path in (project / "data" / "petrol" / name for name in ("table.toml", "rows.csv")):
        text = path.read_text(encoding="utf-8")
        for old, new in RENAMED.items():
            text = text.replace(f'"{old}"', f'"{new}"') if path.suffix == ".toml" else text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")
    run(
        project,
        "refits = Refits.from_bytes((artifact.FOLDER / artifact.REFITS).read_bytes())",  # which know no names
        "artifact.save(replace(train(load_rows(), make_recipe('ridge'), n_repeats=1), refits=refits))",
    )
    return project


def run(project, *lines):
    """Run lines of Python in a copy of the project; return what they print."""
    imports = (
        "from data.load import load_rows", "from model.answering import scenarios",
        "from model.fitting import artifact", "from model.__main__ import main",
        "from model.answering.prediction import Scenario", "from model.fitting.train import train",
        "from dataclasses import replace", "from model.fitting.recipe import make_recipe",
        "from model.fitting.refits import Refits",
    )  # fmt: skip
    code = [sys.executable, "-c", "\n".join([*imports, *lines])]
    environment = os.environ | {"PETROL_STORE_URL": store_of(project)}
    return subprocess.run(code, cwd=project, env=environment, capture_output=True, text=True, check=True).stdout


def store_of(project):
    return f"sqlite:///{project}/store.db"


@pytest.mark.soak
@pytest.mark.browser
def test_inputs_may_have_the_names_of_the_apps_own(renamed, window, tmp_path, usual_port):
    values = {RENAMED[name]: float(value) for name, value in OLD.items()}
    options = [f"--{'input.' * (name == 'coverage')}{name}={value}" for name, value in values.items()]
    answer = json.loads(run(renamed, f"main(['predict', *{options}, '--coverage=0.95', '--json'])"))
    texts = [f"{answer[part]:.0f}" for part in ("value", "low", "high")]
    assert answer["scenario"] == values

    def shows(page):
        for place, text in zip(("live-prediction", "live-low", "live-high"), texts, strict=True):
            expect(page.get_by_test_id(place)).to_have_text(text)
        expect(page.get_by_test_id("level")).to_have_value("0.95")

    own = {"port": usual_port, "PETROL_STORE_URL": store_of(renamed)}
    with running_server(cwd=renamed, log=tmp_path / "log", **own) as url:
        page = window.new_page()
        page.goto(url)
        for name, shown in zip(values, ("9", "3571", "1976", "52.5"), strict=True):
            type_into(page, name, shown)
            expect(page).to_have_url(re.compile(rf"[?&]{re.escape(IN_ADDRESS[name])}={values[name]:.12g}\b"))
        page.get_by_test_id("level").select_option("0.95")
        shows(page)
        expect(page).to_have_url(re.compile("coverage="))  # which is written a moment later
        asked = parse_qs(page.url.partition("?")[2])
        assert asked == {IN_ADDRESS[name]: [f"{value:.12g}"] for name, value in values.items()} | {"coverage": ["95 %"]}
        page.get_by_role("button", name="Keep this scenario").click()
        expect(page.locator(".st-key-app-tray_table tbody tr")).to_contain_text([f"Scenario 1{texts[0]}"])
        page.get_by_role("button", name="Copy link").click()
        expect(page.get_by_text("Link copied")).to_be_visible()
        link = page.evaluate("navigator.clipboard.readText()")
        assert parse_qs(link.partition("?")[2]) == asked | {"version": ["1"]}
        other = window.new_page()
        other.goto(link)
        shows(other)
        slider(other, "coverage").focus()
        other.keyboard.press("ArrowLeft")
        expect(number(other)).not_to_have_text(texts[0])
        for opened in (page, other):
            opened.close()
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_file_of_scenarios_keeps_inputs_apart_from_what_stands_beside_them(renamed):
    values = {RENAMED[name]: float(value) for name, value in OLD.items()}
    told = run(
        renamed,
        f"kept = scenarios.KeptScenario('A', Scenario({values}), 0.8, 3, 'OH', 601.4, 475.0, 727.7, -46.0, None, None)",
        "for content in (scenarios.write_csv([kept]), scenarios.write_json([kept]).encode()):",
        "    (read,) = scenarios.read_scenarios(content)",
        "    print(read[:5] == ('A', kept.scenario, 0.8, 3, 'OH'))",
        "(read,) = scenarios.read_scenarios(b'coverage,version,job,tray\\n9,3571,1976,0.525\\n')",
        "print(read[:5] == ('', kept.scenario, 0.0, 0, ''))",
    )
    assert told.split() == ["True"] * 3
