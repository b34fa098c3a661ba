"""The What-if page's modules in the Node that Playwright brings."""

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import playwright

from data.schema import FEATURES
from pages.shared import what_if
from tests.conftest import ROOT

NODE = next((Path(playwright.__file__).parent / "driver").glob("node*"))
MODULES = {name: ROOT / "pages" / "shared" / "what_if" / f"{name}.js" for name in what_if._MODULES}
ENGINE = """
import { createInterface } from "node:readline";
const names = Object.assign({}, ...(await Promise.all(process.argv.slice(2).map((name) => import(`./${name}.js`)))));
delete names.default;
for await (const line of createInterface({ input: process.stdin })) {
  const { code, given } = JSON.parse(line);
  const scope = { ...names, ...given };
  let told;
  try { told = { value: new Function(...Object.keys(scope), `return ${code}`)(...Object.values(scope)) } }
  catch (error) { told = { error: error.stack } }
  console.log(JSON.stringify(told));
}
"""
RANDOM = np.random.default_rng(7)


@contextlib.contextmanager
def asking_modules(folder):
    """Yield a function that says what an expression is, written with the modules' names and what it is given."""
    for path in MODULES.values():
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "engine.js").write_text(ENGINE, encoding="utf-8")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with subprocess.Popen([NODE, folder / "engine.js", *MODULES], **pipes) as engine:

        def ask(code, **given):
            engine.stdin.write(json.dumps({"code": code.strip(), "given": given}) + "\n")
            engine.stdin.flush()
            told = json.loads(engine.stdout.readline() or '{"error": "the engine has ended"}')
            assert "error" not in told, told["error"]
            return told.get("value")

        yield ask


def somewhere(column, decimals):
    """Choose a value of a slider with so many decimals in its shown unit."""
    value = round(round(RANDOM.uniform(column.low, column.high) * column.scale, decimals) / column.scale, 12)
    return min(max(value, column.low), column.high)  # rounded, it may lie beyond an end


def scenarios(n):
    """Choose scenarios anywhere within the sliders."""
    return [[somewhere(column, int(RANDOM.integers(0, 7))) for column in FEATURES] for _ in range(n)]
