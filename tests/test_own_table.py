"""Another table, from a file to every page: what is drafted from it is what the server trains and serves."""

import os
import re
import subprocess
import sys
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from data.__main__ import main
from data.definition import read_definition
from tests.conftest import ROOT, running_server
from tests.test_api import ask

PAGES = ("", "explore", "retrain", "models", "score", "method")
OURS = re.compile(r"petrol(?!_)|gallon|\bstates?\b|highway", re.IGNORECASE)


@pytest.fixture(scope="module")
def yields(tmp_path_factory):
    """Return the folder of a drafted table: sixty plots, a target between 0 and 1, five inputs."""
    folder = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(5)
    rows = pd.DataFrame({
        "plot": [f"P{number:02}" for number in range(60)],
        "rain (mm)": random.integers(200, 900, 60),
        "soil": random.random(60).round(3) * 7,
        "slope": random.integers(0, 9, 60),
        "nitrogen": random.random(60) * 1e-3,
        "height": random.normal(0, 40, 60).round(1),
    })  # fmt: skip
    share = 0.2 + rows["rain (mm)"] / 2000 + 100 * rows["nitrogen"] - 0.01 * rows["slope"]
    rows["good share"] = (share + random.normal(0, 0.02, 60)).clip(0, 1).round(3)
    rows.to_csv(folder / "yields.csv", index=False)
    options = ["--target", "good share", "--names", "plot", "--to", str(folder / "table")]
    assert main(["describe", str(folder / "yields.csv"), *options]) == 0
    return folder / "table"


def command(table, *arguments, **environment):
    """Run a command on a table."""
    environment = os.environ | {"PETROL_TABLE": str(table)} | environment
    whole = [sys.executable, "-m", "model", *arguments]
    return subprocess.run(whole, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.browser
def test_a_drafted_table_is_trained_at_the_start_and_served_on_every_page(yields, window, tmp_path):
    log = tmp_path / "log"
    with running_server(log=log, PETROL_TABLE=str(yields), PETROL_STORE_URL="") as url:
        assert f"{yields} has no model yet. Training one." in log.read_text()
        assert "70/70 fits" in log.read_text() or "120/120 fits" in log.read_text()
        page = window.new_page()
        for name in PAGES:
            page.goto(f"{url}/{name}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.locator("[data-testid=stSkeleton], [data-stale=true]")).to_have_count(0)
            expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
            assert page.get_by_test_id("stException").count() == page.get_by_test_id("stAlert").count() == 0, name
            if name != "method":  # a document about the petrol table
                assert OURS.findall(page.inner_text("body")) == [], name
        page.goto(url)
        scenario = {"rain": 500, "soil": 3, "slope": 2, "nitrogen": 0.0004, "height": 0}
        status, _, answer = ask(f"{url}/api/predict", scenario)
        assert status == 200
        assert 0 < answer["low"] < answer["value"] < answer["high"] < 1
        page.goto(f"{url}/?{urlencode(scenario)}")
        target = read_definition(yields).target
        expect(page.get_by_test_id("live-prediction")).to_have_text(target.estimate(answer["value"]))
        expect(page.get_by_test_id("live-low")).to_have_text(target.estimate(answer["low"]))
        page.close()
    listed = command(yields, "list", PETROL_STORE_URL="")
    assert "*     1  random forest" in listed.stdout
    assert {path.name for path in yields.iterdir()} >= {"model.joblib", "model.json", "model.npz", "store.db"}


@pytest.mark.slow
def test_a_store_refuses_another_table_with_the_cure(yields, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db"
    assert command(ROOT / "data" / "petrol", "list", PETROL_STORE_URL=url).returncode == 0
    refused = command(yields, "list", PETROL_STORE_URL=url)
    assert refused.returncode == 2
    assert f"The store {tmp_path}/store.db has state, petrol_tax, average_income" in refused.stderr
    assert "name another store in PETROL_STORE_URL" in refused.stderr
