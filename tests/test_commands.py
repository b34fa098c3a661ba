"""The commands on the store: the same work as the page, and clear words for what cannot be."""

import json

import numpy as np
import pytest

from data.load import SHIPPED, load_rows
from model.answering.prediction import predict, predict_rows
from model.fitting import artifact
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.store import history, versions
from model.store.database import Store
from tests.test_cli import MAINE, called, flags, run

pytestmark = pytest.mark.slow


def test_train_promote_predict_export_and_card_by_command(store_url, rows, tmp_path):
    done = run("train", "--store", "--algorithm", "ridge", "--alpha", "2.5", "--seed", "4")
    assert done.returncode == 0, done.stderr
    assert "Kept as version 2 of the store, not promoted" in done.stdout
    store = Store(store_url)
    kept = versions.load_version(store, 2)
    here = train(rows, make_recipe("ridge", {"alpha": 2.5}, 4))
    assert kept.metadata.scores == here.metadata.scores
    np.testing.assert_array_equal(kept.predictions, here.predictions)
    assert versions.read_version(store, 2).data_set.id == 1
    ridge = here.metadata.scores["model"].mae.value
    assert f"ridge{ridge:37.1f}" in done.stdout

    before = json.loads(called("predict", "--json", *flags(MAINE)).stdout)["value"]
    done = called("promote", 2, "--reason", "to try it", "--by", "Ann")
    assert (done.returncode, done.stdout) == (0, "Version 2 (ridge) is now active.\n")
    after = json.loads(called("predict", "--json", *flags(MAINE)).stdout)["value"]
    assert after == predict(kept, MAINE).value != before
    assert [(one.by, one.reason) for one in history.list_promotions(store)][1:] == [("Ann", "to try it")]

    listed = called("list").stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:3]] == [["1", "random", "forest"], ["*", "2", "ridge"]]
    assert listed[-1] == "* active. MAE in gallons per person per year, +- one standard error."
    assert "# Version 2: ridge" in called("card", 2).stdout
    done = called("export", 2, "--to", tmp_path / "taken")
    assert len(done.stdout.splitlines()) == 5
    taken = artifact.load(load_rows(tmp_path / "taken" / "rows.csv"), tmp_path / "taken")
    assert (predict_rows(taken, here.X) == predict_rows(here, here.X)).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--n_estimators", "0"], "n_estimators: 0 is not possible. Give a whole number from 1 to 1000."),
        (["train", "--n_estimators", "many"], "n_estimators: 'many' is not a number. Give a whole number from 1 to"),
        (["train", "--alpha", "2"], "forest: unknown parameter alpha. It takes n_estimators,"),
        (["train", "--algorithm", "oracle"], "algorithm: 'oracle' is unknown. Choose one of forest,"),
        (["train", "--seed", "-1"], "seed: '-1' is not possible. Give a whole number from 0 to 4294967295."),
        (
            ["train", "--data", "no.csv", "--store"],
            "no.csv: cannot be read (No such file or directory). Check the path.",
        ),
        (["train", "--data", str(SHIPPED.parents[1] / "README.md")], "are missing; the header has"),
        (["promote", "9", "--reason", "why"], "There is no version 9 in the store"),
        (["promote", "1", "--reason", " "], "Version 1 was not promoted: the record needs a reason."),
        (["card", "9"], "There is no version 9 in the store"),
        (["export", "1", "--to", "/proc/no"], "/proc/no/petrol.joblib: cannot be written"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_with_exit_code_2(arguments, said):
    done = called(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda rows: rows.head(9), "9 states are too few for 5 folds. Give at least 10."),
        (lambda rows: rows.assign(petrol_consumption=500.0), "petrol_consumption: all 48 states have the value 500,"),
        (lambda rows: rows.assign(petrol_tax=7.0), "petrol_tax: all 48 states have the value 7.0,"),
    ],
    ids=["few", "constant target", "constant input"],
)
def test_rows_that_nothing_can_be_learned_of_are_refused_and_not_stored(rows, edit, said, tmp_path, store_url):
    edit(rows).to_csv(tmp_path / "rows.csv", index=False)
    done = called("train", "--store", "--data", tmp_path / "rows.csv")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(versions.list_data_sets(history.open_store())) == 1


def test_other_data_cannot_become_the_shipped_model(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(SHIPPED.read_bytes())
    done = called("train", "--data", path)
    assert done.returncode == 2
    assert "the shipped model is of the shipped rows. Add --store." in done.stderr
