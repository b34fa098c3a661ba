"""The house: imports go one way, files stay small, and what the documents promise is there."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib

import pytest

from data.schema import COLUMNS
from tests.conftest import ROOT

# Who may import whom: a room from itself and from those before it; the two of a pair know nothing of each other.
ROOMS = (
    ("data",),
    ("model/fitting",),
    ("model/answering", "model/store"),
    ("model/queue", "model/judging"),
    ("model",),
    ("pages/shared/words",),
    ("pages/shared/pictures",),
    ("pages/shared",),
    ("pages/shared/what_if",),
    ("pages/shared/panels",),
    ("pages",),
    ("web",),
    (".",),
)
RANKS = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
PRODUCT = [
    path
    for place in ("data", "model", "pages", "web", "streamlit_app.py", "server.py")
    for path in ([ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")))
]
CODE = [*PRODUCT, *sorted((ROOT / "tests").glob("*.py")), *sorted((ROOT / "bench").glob("*.py"))]


def imports_of(path):
    """Yield each module that a file imports anywhere, but for those that only a type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    unread = {id(node) for statement in for_types for node in ast.walk(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and id(node) not in unread:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (module if file_of(module) else node.module for module in modules)


def file_of(module):
    """Return the file of a module of the project, or None."""
    place = ROOT / module.replace(".", "/")
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()), None)


def room_of(path):
    return path.parent.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_from_its_own_room_or_one_before_it(path):
    own, modules = room_of(path), set(imports_of(path))
    rooms = {room_of(file) for file in map(file_of, modules) if file} - {own}
    assert {room for room in rooms if RANKS.get(room, len(ROOMS)) >= RANKS[own]} == set()
    assert own.split("/")[0] not in ("data", "model") or "streamlit" not in {name.split(".")[0] for name in modules}


def test_no_files_import_each_other_in_a_circle():
    graph = {path: {file for file in map(file_of, imports_of(path)) if file} - {path} for path in PRODUCT}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_on_a_few_screens(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_browsers_part_stays_small():
    lines = [
        line
        for path in (ROOT / "pages").rglob("*")
        if path.suffix in (".js", ".css")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    assert len(lines) <= 1400


def test_nothing_is_evaluated():
    for path in PRODUCT:
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        names = {ast.unparse(call.func) for call in calls}
        assert not names & {"eval", "exec", "compile", "__import__", "pickle.loads", "os.system"}, path


def test_a_column_is_named_in_its_table_alone():
    for path in [*PRODUCT, *(ROOT / "pages").rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        if path.name == "__main__.py":
            text = text.split('"""', 2)[2]  # its docstring shows how it is called
        assert [column.name for column in COLUMNS if column.name in text] == [], path


def test_heavy_libraries_wait_until_they_are_used():
    """A slider move and a start should not pay for pictures or for training."""
    code = (
        "import sys, model.answering.prediction, model.fitting.artifact; "
        "print(*sorted({'sklearn', 'plotly', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_locks_are_compiled_from_the_project_and_carry_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = ("requirements.txt", "requirements-scale.txt", "requirements-dev.txt")
    lock, scale, dev = ((ROOT / name).read_text(encoding="utf-8") for name in names)
    needed, more = project["project"]["dependencies"], project["project"]["optional-dependencies"]["scale"]
    wanted_by = ((lock, needed), (scale, [*needed, *more]), (dev, [*more, *project["dependency-groups"]["dev"]]))
    for text, wanted in wanted_by:
        locked = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
        assert {re.match(r"[a-z-]+", name)[0] for name in wanted} <= locked
        assert text.count("--hash=sha256:") >= len(locked)
        assert "://" not in re.sub(r"#.*", "", text)


def test_the_readme_names_commands_and_files_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", readme)) | {"run", "test"} <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert re.findall(r"run: (make .*|docker build) ?", workflow) == ["make lint", "make test", "docker build"]


def test_what_the_documents_link_to_is_there():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for file, part in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", text):
            linked = (path.parent / file).resolve() if file else path
            assert linked.exists(), (path.name, file)
            headings = re.findall(r"(?m)^#+ (.*)$", linked.read_text(encoding="utf-8")) if part else []
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert not part or part in anchors, (path.name, part)


def test_each_setting_that_the_app_reads_stands_in_the_readmes_table_and_no_other():
    rows = re.findall(r"(?m)^\| (`[A-Z_]+`[^|]*)\|", (ROOT / "README.md").read_text(encoding="utf-8"))
    told = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    read = {
        name for path in PRODUCT for name in re.findall(r'"(PETROL_[A-Z_]+|PORT)"', path.read_text(encoding="utf-8"))
    }
    options = re.findall(r'"server\.(\w+)": ', (ROOT / "server.py").read_text(encoding="utf-8"))
    assert told == read | {"STREAMLIT_SERVER_" + re.sub(r"(?=[A-Z])", "_", option).upper() for option in options}


def test_the_page_menu_lists_exactly_the_pages_that_exist():
    from pages.shared.panels.frame import PAGES

    paths = [path for path, _ in PAGES]
    assert paths[0] == "streamlit_app.py"
    assert sorted(paths[1:]) == sorted(f"pages/{p.name}" for p in (ROOT / "pages").glob("*.py"))
