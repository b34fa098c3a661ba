"""What tests need besides Python is fetched without rights, or named."""

import os
import subprocess

import playwright
import pytest

from tests import chromium, engines, packages, programs
from tests.conftest import ROOT


def test_without_a_program_its_tests_are_skipped_but_fail_in_continuous_integration(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no nginx: run"):
        programs.required(None, "nginx")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no nginx"):
        programs.required(None, "nginx")
    assert programs.required("/usr/sbin/nginx", "nginx") == "/usr/sbin/nginx"


@pytest.mark.parametrize("ci", ["", "true"])
def test_the_command_says_how_far_it_is_and_names_what_cannot_be_had(ci, monkeypatch, capsys):
    asked = []
    table = {"here": (lambda: "/bin/here", None), "nowhere": (lambda: None, lambda: asked.append("nowhere"))}
    monkeypatch.setattr(programs, "PROGRAMS", table)
    monkeypatch.setenv("CI", ci)
    if ci:
        with pytest.raises(SystemExit, match="Missing: nowhere"):
            programs.main()
    else:
        programs.main()
    printed = capsys.readouterr().out
    assert "[1/2] here: /bin/here\n[2/2] nowhere: not on this machine. Fetching it" in printed
    assert "[2/2] nowhere: cannot be had here" in printed
    assert asked == ["nowhere"]
    assert ("Missing: nowhere. Tests that need it are skipped" in printed) is (not ci)


def test_nothing_is_fetched_with_the_rights_of_root():
    assert not [path.name for path in (ROOT / "tests").glob("*.py") if "su" + "do" in path.read_text(encoding="utf-8")]


def test_an_unpacked_program_gets_the_libraries_beside_it_and_its_arguments(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "DEBIAN", tmp_path)
    program = tmp_path / "usr" / "bin" / "show"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH|$1"\n')
    program.chmod(0o755)
    folders = [f"{tmp_path}/{lib}/{os.uname().machine}-linux-gnu" for lib in ("usr/lib", "lib")]
    shown = subprocess.run([packages.launcher(program), "a b"], capture_output=True, text=True, check=True).stdout
    assert shown == f"{':'.join(folders)}|a b\n"


def test_an_unpacked_program_looks_for_its_parts_below_the_folder_it_is_started_in(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "DEBIAN", tmp_path)
    library = tmp_path / "usr" / "lib" / "x86_64" / "lib.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"\xff/usr/lib/x86_64/kit\0/usr/lib/x86_64/kit/a\0/usr/lib/other\0/usr/bin\0/usr/bin/other\0")
    for _ in range(2):
        packages.relocate("usr/lib/*/lib.so", r"/usr/lib/\w+/kit", r"/usr/bin(?=\0)")
        asked = b"\xffusr//lib/x86_64/kit\0usr//lib/x86_64/kit/a\0/usr/lib/other\0usr//bin\0/usr/bin/other\0"
        assert library.read_bytes() == asked


@pytest.mark.parametrize(
    ("needs", "is_found"), [("true", True), ('test -n "$LD_LIBRARY_PATH"', True), ("false", False)]
)
def test_a_chromium_counts_where_playwright_starts_with_what_was_unpacked(needs, is_found, tmp_path, monkeypatch):
    node = tmp_path / "driver" / "node"
    node.parent.mkdir()
    node.write_text(f"#!/bin/sh\n{needs}\n")
    node.chmod(0o755)
    monkeypatch.setattr(playwright, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(packages, "DEBIAN", tmp_path)
    monkeypatch.setenv("CHROMIUM", "/a/chromium")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "")  # brought back afterwards
    monkeypatch.delenv("PLAYWRIGHT_NODEJS_PATH")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert chromium.find() == ("/a/chromium" if is_found else None)
    assert chromium.find() == ("/a/chromium" if is_found else None)  # also when asked again


def test_a_firefox_counts_where_it_starts_and_the_unpacked_one_first(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    program = tmp_path / "firefox"
    for content, found in (("exit 1", None), ("exit 0", str(program))):  # the first is a note about a snap
        program.write_text(f"#!/bin/sh\n{content}\n")
        program.chmod(0o755)
        assert engines.firefox() == found
    unpacked = packages.DEBIAN / engines.FIREFOX
    unpacked.parent.mkdir(parents=True)
    unpacked.touch()
    assert engines.firefox() == str(packages.DEBIAN / "firefox-esr")


def test_a_webkit_counts_when_all_its_parts_are_below_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "DEBIAN", tmp_path)
    for part in engines.PARTS:
        assert engines.webkit() != tmp_path
        path = tmp_path / part.replace("*", "x")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert engines.webkit() == tmp_path
