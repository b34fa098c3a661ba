"""The kept model: whatever happens to its files, what is served was checked or fitted anew."""

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from functools import partial

import joblib
import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyRegressor

from data.schema import FEATURES
from model.answering.prediction import predict, predict_rows
from model.fitting import artifact
from model.fitting.errors import ModelError
from model.fitting.evaluate import N_REPEATS
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

DEFAULTS = {column.name: column.default for column in FEATURES}


@pytest.fixture
def folder(tmp_path):
    for name in ("petrol.joblib", "petrol.npz", "petrol.json"):
        shutil.copy(artifact.FOLDER / name, tmp_path)
    return tmp_path


@pytest.fixture
def refits_at_hand(model, monkeypatch):
    """Have refits at hand where they would be made anew, which costs a second and has tests of its own."""
    monkeypatch.setattr(artifact, "make_refits", lambda X, y: model.refits)


def edit_record(folder, **changes):
    path = folder / "petrol.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def keep_instead(folder, thing):
    """Put another pickle in the place of the model, with a record that vouches for it."""
    joblib.dump(thing, folder / "petrol.joblib", compress=3)
    edit_record(folder, model_sha256=hashlib.sha256((folder / "petrol.joblib").read_bytes()).hexdigest())


def assert_refitted(loaded, model, reason):
    """The answer is the shipped model's to the last bit, and the notice says why it was refitted."""
    assert reason in loaded.notice
    X = np.vstack([model.X, model.X + 0.01])
    assert (predict_rows(loaded, X) == predict_rows(model, X)).all()
    assert predict(loaded, DEFAULTS).low == predict(model, DEFAULTS).low


def test_it_answers_without_what_scikit_learn_hardly_uses_which_is_there_as_soon_as_somebody_uses_it():
    lines = [
        "import sys",
        "from concurrent.futures import ThreadPoolExecutor",
        "from data.load import load_rows",
        "from data.schema import FEATURES",
        "from model.answering.prediction import predict",
        "from model.fitting import artifact, deferred",
        "threads = ThreadPoolExecutor(4)",
        "print(list(threads.map(lambda _: deferred.import_estimators(), range(4))))",
        "predict(artifact.load(load_rows()), {column.name: column.default for column in FEATURES})",
        "print([name for name in deferred._NAMES if name in sys.modules])",
        "from sklearn.ensemble import HistGradientBoostingRegressor, _forest",
        "from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import _SCORERS",
        "from sklearn.preprocessing._data import stats",
        "print('r2' in _SCORERS, 'no score' in _SCORERS, _forest.r2_score([0, 2, 4], [0, 2, 2]), stats.chi2.cdf(1, 2))",
        "boosted = HistGradientBoostingRegressor(early_stopping=True, scoring='r2', max_iter=5, min_samples_leaf=1)",
        "print(boosted.fit([[i] for i in range(50)], range(50)).n_iter_)",
        "import numpy, scipy.stats, sklearn.metrics, sklearn.neighbors",
        "print(sklearn.metrics.r2_score is not _forest.r2_score, scipy.stats.chi2.isf(0.05, 2))",
        "print(sklearn.neighbors.KNeighborsRegressor(1).fit([[0], [2]], [3, 4]).predict([[1.5]]))",
        "print(numpy.testing.assert_equal(1, 1), numpy.f2py.__name__)",
    ]
    code = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[None, None, None, None]",
        "[]",
        f"True False 0.5 {stats.chi2.cdf(1, 2)}",
        "5",
        f"True {stats.chi2.isf(0.05, 2)}",
        "[4.]",
        "None numpy.f2py",
    ]


def test_the_shipped_model_loads_without_a_notice(folder, rows):
    assert artifact.load(rows, folder).notice == ""


def test_what_is_saved_is_what_is_loaded(folder, model, rows):
    artifact.save(model, folder)
    loaded = artifact.load(rows, folder)
    assert loaded.notice == ""
    assert (predict_rows(loaded, model.X) == predict_rows(model, model.X)).all()
    assert list(folder.glob("*.part")) == []


@pytest.mark.parametrize("place", [0, 1, 100, 5000, 50_000, -1])
def test_a_flipped_bit_is_noticed_before_anything_is_loaded(folder, model, rows, place):
    content = bytearray((folder / "petrol.joblib").read_bytes())
    content[place] ^= 1
    (folder / "petrol.joblib").write_bytes(content)
    assert_refitted(artifact.load(rows, folder), model, "SHA-256 differs")


def test_a_truncated_an_empty_and_a_missing_file_are_refitted(folder, model, rows):
    path = folder / "petrol.joblib"
    path.write_bytes(path.read_bytes()[:-100])
    assert_refitted(artifact.load(rows, folder), model, "SHA-256 differs")
    path.write_bytes(b"")
    assert_refitted(artifact.load(rows, folder), model, "SHA-256 differs")
    path.unlink()
    assert_refitted(artifact.load(rows, folder), model, "cannot be read (No such file or directory)")
    path.mkdir()
    assert_refitted(artifact.load(rows, folder), model, "cannot be read")


class Bomb:
    """Unpickles by writing a file: what a hostile model would do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_file_that_nobody_vouched_for_is_never_unpickled(folder, model, rows, tmp_path):
    mark = tmp_path / "it ran"
    (folder / "petrol.joblib").write_bytes(pickle.dumps(Bomb(mark)))
    assert_refitted(artifact.load(rows, folder), model, "SHA-256 differs")
    assert not mark.exists()


def test_another_version_of_the_library_is_refitted(folder, model, rows):
    old = pickle.dumps(model.pipeline).replace(b"1.9.1", b"1.8.0")
    (folder / "petrol.joblib").write_bytes(old)
    edit_record(folder, model_sha256=hashlib.sha256(old).hexdigest())
    assert_refitted(artifact.load(rows, folder), model, "written with scikit-learn 1.8.0; this is 1.9.1")


def test_another_patch_of_python_alone_is_no_reason_to_refit(folder, rows):
    edit_record(folder, libraries={"python": "3.12.99", "scikit-learn": "1.9.1", "numpy": "2.9.9"})
    assert artifact.load(rows, folder).notice == ""


def test_a_model_that_answers_the_probes_otherwise_is_refitted(folder, model, rows):
    keep_instead(folder, DummyRegressor().fit(model.X, rows["petrol_consumption"]))
    assert_refitted(artifact.load(rows, folder), model, "no longer predicts what its record says")


@pytest.mark.parametrize("thing", [42, {"predict": 1}, "text"], ids=str)
def test_a_pickle_of_something_else_is_refitted(folder, model, rows, thing):
    keep_instead(folder, thing)
    assert_refitted(artifact.load(rows, folder), model, "cannot be loaded (AttributeError)")


@pytest.mark.usefixtures("refits_at_hand")
def test_without_any_record_the_default_is_trained_and_scored_anew(folder, model, rows):
    (folder / "petrol.json").unlink()
    loaded = artifact.load(rows, folder)
    assert "petrol.json is missing" in loaded.notice
    assert (predict_rows(loaded, model.X) == predict_rows(model, model.X)).all()
    assert loaded.metadata.folds.n_repeats == 1
    assert predict(loaded, DEFAULTS).high > predict(loaded, DEFAULTS).value


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_text("{"), "cannot be read (JSONDecodeError)"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "cannot be read (UnicodeDecodeError)"),
        (lambda path: path.write_text("[]"), "cannot be read (TypeError)"),
        (lambda path: edit_record(path.parent, predictions={"model": [[1.0]] * 10}), "petrol.json is incomplete"),
        (lambda path: edit_record(path.parent, predictions={"model": [[float("nan")] * 48] * 10}), "is incomplete"),
        (
            lambda path: edit_record(path.parent, predictions={"model": [["x"] * 48] * 10}),
            "cannot be read (ValueError)",
        ),
        (lambda path: edit_record(path.parent, scores={"model": 1}), "cannot be read (TypeError)"),
        (lambda path: edit_record(path.parent, folds=7), "cannot be read (TypeError)"),
        (lambda path: edit_record(path.parent, algorithm="oracle"), "cannot be read (ModelError)"),
        (lambda path: edit_record(path.parent, parameters={"n_estimators": -5}), "cannot be read (ModelError)"),
        (lambda path: edit_record(path.parent, features=[{"name": "speed"}]), "is of other columns"),
    ],
    ids=[
        "cut",
        "binary",
        "other JSON",
        "too few predictions",
        "predictions that are no numbers",
        "predictions of text",
        "scores cut",
        "folds of another kind",
        "unknown algorithm",
        "impossible parameter",
        "other columns",
    ],
)
@pytest.mark.usefixtures("refits_at_hand")
def test_an_unusable_record_counts_for_nothing(folder, rows, monkeypatch, damage, reason):
    monkeypatch.setattr(artifact, "train", partial(train, recipe=make_recipe("ridge")))  # costs a hundredth
    damage(folder / "petrol.json")
    loaded = artifact.load(rows, folder)
    assert reason in loaded.notice
    assert loaded.metadata.recipe.algorithm == "ridge"


@pytest.mark.usefixtures("refits_at_hand")
def test_other_rows_than_the_models_own_train_its_recipe_on_them(folder, rows):
    edit_record(folder, parameters={"n_estimators": 10})
    fewer = rows.iloc[:-3].reset_index(drop=True)
    loaded = artifact.load(fewer, folder)
    assert "The data are not the ones" in loaded.notice
    assert loaded.metadata.data.n_rows == len(loaded.residuals) == 45
    assert loaded.metadata.recipe.parameters["n_estimators"] == len(loaded.pipeline[-1].estimators_) == 10


def test_the_record_says_all_that_is_needed_to_train_it_again(model, rows):
    metadata = model.metadata
    again = train(rows, metadata.recipe, n_repeats=1)
    X = np.vstack([model.X, model.X * 1.01])
    assert (predict_rows(again, X) == predict_rows(model, X)).all()
    assert metadata.folds.n_repeats == N_REPEATS
    assert [feature.name for feature in metadata.features] == [column.name for column in FEATURES]
    assert set(metadata.scores) == {"model", "least_squares", "mean"}


def test_the_shipped_scores_beat_the_average_and_not_the_line(model):
    """Reference: MAE about 51 and RMSE about 73 for this forest, 55 and 71 for the line, 82 and 113 for the mean."""
    scores = {name: (s.mae.value, s.rmse.value) for name, s in model.metadata.scores.items()}
    assert scores["model"] == pytest.approx((51, 73), abs=2)
    assert scores["least_squares"] == pytest.approx((55, 71), abs=1)
    assert scores["mean"] == pytest.approx((81.6, 113), abs=1)
    line, mean = (model.metadata.mae_difference[name] for name in ("least_squares", "mean"))
    assert line.low < 0 < line.high
    assert mean.high < 0


def test_too_few_rows_are_refused_with_the_number_that_is_needed(rows):
    with pytest.raises(ModelError, match=r"9 states are too few for 5 folds\. Give at least 10"):
        train(rows.iloc[:9])


def test_rows_that_say_nothing_are_refused_with_the_column_and_the_value(rows):
    with pytest.raises(ModelError, match=r"^petrol_consumption: all 48 states have the value 500, .* it varies"):
        train(rows.assign(petrol_consumption=500.0))
    with pytest.raises(ModelError, match=r"^driver_licence_share: all 48 states have the value 57\.2,"):
        train(rows.assign(driver_licence_share=0.572))
