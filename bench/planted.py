"""Whether the tests notice a fault: ``python -m bench.planted cover``, then ``python -m bench.planted try``.

``cover`` runs all tests under coverage.py, the processes that they start included, and notes which test reaches which
line. ``try`` plants the 40 faults of ``planted.json`` one after the other into a copy of the project, each in one line
that it finds by its content, and runs the tests that reach the line, quick ones first, until one fails or 90 seconds
are over. ``draw`` has drawn the 40 from all lines of the product, with a fixed seed. Everything stays in one folder,
named by ``--folder``. coverage.py is no part of the environment: ``.venv/bin/python -m pip install coverage``.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import site
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

PLANTED = Path(__file__).with_name("planted.json")
N_FAULTS, SEED = 40, 15
PATIENCE = 90  # [s] for the tests of one fault
SETTINGS = """\
[run]
branch = true
parallel = true
data_file = {folder}/data
context = ${{PYTEST_CURRENT_TEST-}}
include =
    {root}/**/*.py
    **/project/**/*.py
omit =
    **/.venv/**
    **/site-packages/**
    **/tests/**
    **/bench/**
sigterm = true
patch = _exit
disable_warnings = no-data-collected,module-not-measured,module-not-imported,couldnt-parse,already-imported

[paths]
product =
    {root}
    **/project
"""
PLUGIN = """\
import json, os, coverage, pathlib, pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        if measuring:
            measuring.switch_context("")

def pytest_collection_finish(session):
    path = pathlib.Path(__file__).with_name("fixtures.json")
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {item.nodeid: item.fixturenames for item in session.items}))
"""
SHARED = {"server", "machines", "replicas", "crew"}  # fixtures that start what several tests reach the product through


def product() -> list[Path]:
    """List the files of the product."""
    folders = [path for name in ("data", "model", "pages", "web") for path in (ROOT / name).rglob("*.py")]
    return sorted([ROOT / "streamlit_app.py", ROOT / "server.py", *folders])


def _faults_in(path: Path) -> Iterator[dict]:
    """Every fault of one line that can be planted in a file: its kind, the line and what it becomes."""
    text = path.read_text(encoding="utf-8")
    lines, tree = text.splitlines(), ast.parse(text)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}

    def fault(kind: str, node: ast.expr, instead: str) -> Iterator[dict]:
        if node.lineno != node.end_lineno:
            return
        line = lines[node.lineno - 1].encode()
        changed = line[: node.col_offset] + instead.encode() + line[node.end_col_offset :]
        yield {"kind": kind, "line": line.decode().strip(), "instead": changed.decode().strip()}

    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.While, ast.IfExp)):
            yield from fault("negated condition", node.test, f"not ({ast.unparse(node.test)})")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from fault("dropped call", node.value, "None")
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float) and id(node) not in texts:
            yield from fault("shifted constant", node, repr(node.value + 1))


def draw() -> list[dict]:
    """Draw the faults, as many of each kind, from lines whose content stands once in the product."""
    lines = [line.strip() for path in product() for line in path.read_text(encoding="utf-8").splitlines()]
    possible = [fault for path in product() for fault in _faults_in(path) if lines.count(fault["line"]) == 1]
    chance = random.Random(SEED)  # noqa: S311 - repeatable
    kinds = sorted({fault["kind"] for fault in possible})
    by_kind = {kind: [fault for fault in possible if fault["kind"] == kind] for kind in kinds}
    return [chance.choice(by_kind[kinds[number % len(kinds)]]) for number in range(N_FAULTS)]


def _where(line: str) -> tuple[Path, int] | None:
    """Find the file and the number of the one line of this content."""
    matches = [
        (path, number)
        for path in product()
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if text.strip() == line
    ]
    return matches[0] if len(matches) == 1 else None


def cover(folder: Path) -> None:
    """Run all tests and note which reaches which line, and how long each takes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "settings").write_text(SETTINGS.format(folder=folder, root=ROOT))
    (folder / "noting.py").write_text(PLUGIN)
    begins = Path(site.getsitepackages()[0]) / "planted.pth"  # what Python reads at each start
    begins.write_text(
        "import os; os.environ.get('COVERAGE_PROCESS_START') and __import__('coverage').process_startup()"
    )
    noting = {"COVERAGE_PROCESS_START": str(folder / "settings"), "PYTHONPATH": str(folder)}
    try:
        for number, mark in enumerate(("not browser", "browser")):
            command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", mark, "-p", "noting"]
            command += [f"--junitxml={folder}/{number}.xml"]
            subprocess.run(command, cwd=ROOT, env=os.environ | noting, check=False)
    finally:
        begins.unlink()
    for command in ("combine", "report"):
        subprocess.run([sys.executable, "-m", "coverage", command, f"--rcfile={folder}/settings"], cwd=ROOT, check=True)


def _seconds(folder: Path) -> dict[str, float]:
    """How long each test took, by its name in pytest."""
    seconds: dict[str, float] = {}
    for report in folder.glob("*.xml"):
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by our own tests
            name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
            seconds[name] = max(seconds.get(name, 0), float(case.get("time", 0)))
    return seconds


def _tests_of(folder: Path, path: Path, number: int) -> list[str]:
    """Which tests reach a line, the quickest first; those that reach it in a server that several share come last."""
    from coverage import CoverageData

    noted = CoverageData(str(folder / "data"))
    noted.read()
    contexts = noted.contexts_by_lineno(str(path)).get(number, [])
    fixtures, seconds = json.loads((folder / "fixtures.json").read_text()), _seconds(folder)
    direct, beside = set(), set()
    for context in contexts:
        test = re.sub(r" \((setup|call|teardown)\)$", "", context.partition("|")[0] or context.partition("|")[2])
        direct.add(test)
        if shared := SHARED & set(fixtures.get(test, ())):
            beside |= {other for other, names in fixtures.items() if shared & set(names)}
    return [
        test
        for some in (direct, beside - direct)
        for test in sorted(some & set(fixtures), key=lambda t: seconds.get(t, 0))
        if str(ROOT) not in test  # in the copy it has another name
    ]


def _try(fault: dict, folder: Path, copy: Path) -> str:
    """Plant a fault in the copy, run what reaches it, and say what came of it."""
    if (where := _where(fault["line"])) is None:
        return "the line is gone"
    path, number = where
    tests = _tests_of(folder, path, number)
    if not tests:
        return f"{path.relative_to(ROOT)}:{number}: no test reaches it"
    target = copy / path.relative_to(ROOT)
    whole = target.read_text(encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(fault["line"], fault["instead"])
    target.write_text("".join(lines), encoding="utf-8")
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests[:400]]
    process = subprocess.Popen(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(timeout=PATIENCE)
        failing = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
        outcome = "survived" if process.returncode == 0 else f"caught by {failing[1] if failing else output[-300:]}"
    except subprocess.TimeoutExpired:
        process.terminate()  # pytest ends what its tests have started
        process.communicate()
        outcome = f"survived for {PATIENCE} s"
    finally:
        target.write_text(whole, encoding="utf-8")
    seconds = time.monotonic() - start
    return f"{path.relative_to(ROOT)}:{number}: {outcome} ({len(tests)} tests reach it, {seconds:.0f} s)"


def try_all(folder: Path, share: str) -> None:
    """Plant each fault in turn; ``share`` is like 1/2, for the first of two who divide them."""
    first, of = map(int, share.split("/"))
    faults = json.loads(PLANTED.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="petrol-planted-") as made:
        copy = Path(made) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache"))
        (copy / ".venv").symlink_to(ROOT / ".venv")
        for number, fault in enumerate(faults, 1):
            if number % of == first - 1:
                print(
                    f"{number:2} {fault['kind']}: {fault['instead'][:70]}\n   {_try(fault, folder, copy)}", flush=True
                )


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.planted", description=__doc__)
    parser.add_argument("what", choices=("draw", "cover", "try"))
    parser.add_argument("--folder", type=Path, default=ROOT / ".planted", help="for what is noted (%(default)s)")
    parser.add_argument("--share", default="1/1", help="of the faults, like 1/2 for the first of two halves")
    asked = parser.parse_args()
    if asked.what == "draw":
        PLANTED.write_text(json.dumps(draw(), indent=1) + "\n", encoding="utf-8")
    elif asked.what == "cover":
        cover(asked.folder.absolute())
    else:
        try_all(asked.folder.absolute(), asked.share)


if __name__ == "__main__":
    main()
