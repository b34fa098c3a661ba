"""Refits: kept compactly they answer as what was fitted, on rows that were drawn anew."""

import io

import numpy as np
import pytest

from data.schema import FEATURE_NAMES, TARGET
from model.fitting import artifact, evaluate, refits
from model.fitting.algorithms import ALGORITHMS, OTHERS, PARTS_OF
from model.fitting.compact import join_parts, of_line, take_apart
from model.fitting.errors import ModelError
from model.fitting.recipe import make_recipe
from model.fitting.refits import KINDS, N_DRAWN, N_REFITS, Refits, make_refits
from model.fitting.train import fit


def drawn(seed=0, n=60):
    """Return scenarios around the states, and beyond them."""
    X = refits_rows()[0]
    generator = np.random.default_rng(seed)
    return X[generator.integers(len(X), size=n)] * (1 + 0.2 * generator.standard_normal((n, X.shape[1])))


def refits_rows():
    from data.load import load_rows
    from model.fitting.train import features

    rows = load_rows()
    return features(rows), rows[TARGET.name].to_numpy(float)


@pytest.mark.parametrize("algorithm", OTHERS)
def test_a_fit_kept_compactly_predicts_as_scikit_learn_does(rows, algorithm):
    smaller = {"n_estimators": 20} if "n_estimators" in ALGORITHMS[algorithm].defaults else None
    with evaluate.fitting_on_one_thread():
        fitted, X = fit(make_recipe(algorithm, smaller, 0), rows), drawn()
    expected = fitted.predict(X)
    few = join_parts([take_apart(fit(make_recipe("ridge"), rows), of_line), take_apart(fitted, PARTS_OF[algorithm])])
    assert few.predict(X)[:, 1] == pytest.approx(expected, abs=1e-5 * np.ptp(expected))


def test_what_is_written_is_what_is_read_and_nothing_in_it_is_executed(model):
    content = model.refits.to_bytes()
    again, X = Refits.from_bytes(content), drawn()
    assert (again.pool.predict(X) == model.refits.pool.predict(X)).all()
    assert again.to_bytes() == content
    with pytest.raises(ModelError, match="cannot be read"):
        Refits.from_bytes(content[:-200])
    evil = io.BytesIO()
    np.savez(evil, n_rows=np.array([print], dtype=object))
    with pytest.raises(ModelError, match="cannot be read"):
        Refits.from_bytes(evil.getvalue())


@pytest.mark.slow
def test_refits_are_fits_on_resampled_rows(model):
    """Made a second way: the first refit of a line and of a forest by hand."""
    generator = np.random.default_rng(0)
    place = np.sort(generator.choice(np.arange(48), 48))
    Z = np.column_stack([np.ones(48), model.X])
    slopes, *_ = np.linalg.lstsq(Z[place], model.y[place], rcond=None)
    X = drawn()
    expected = np.column_stack([np.ones(len(X)), X]) @ slopes
    assert model.refits.pool.predict(X)[:, 0] == pytest.approx(expected, abs=1e-6)
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(20, max_features=3, min_samples_leaf=2, random_state=0)
    expected = forest.fit(model.X[place], model.y[place]).predict(X)
    assert model.refits.pool.predict(X)[:, 3 * N_REFITS] == pytest.approx(expected, abs=1e-3)


def test_copies_of_rows_make_no_refit_surer(model):
    """All states twice are drawn together, and so the same refits come out."""
    twice = np.tile(model.X, (2, 1)), np.tile(model.y, 2)
    kinds = {"least_squares": {}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refits, "KINDS", kinds)
        patch.setattr(refits, "OTHERS", ("ridge",))
        once, again = make_refits(model.X, model.y), make_refits(*twice)
    assert (once.pool.predict(drawn()) == again.pool.predict(drawn())).all()
    assert again.n_rows == 48


@pytest.mark.slow
def test_of_many_rows_deviations_shrink_at_the_rate_at_which_smooth_truths_are_learned():
    """Of a line, whose deviation with so many rows theory knows."""
    generator = np.random.default_rng(3)
    n = 4 * N_DRAWN
    X = generator.standard_normal((n, len(FEATURE_NAMES)))
    y = X @ [50, -20, 10, 5] + 60 * generator.standard_normal(n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refits, "KINDS", {"least_squares": {}})
        patch.setattr(refits, "OTHERS", ("ridge",))
        made = make_refits(X, y)
        moved = np.eye(4)[:1]
        spread = made.changes(np.zeros((1, 4)), moved).std()
    assert spread == pytest.approx(60 / np.sqrt(N_DRAWN) * (N_DRAWN / n) ** (2 / 8), rel=0.35)


@pytest.mark.slow
def test_damaged_refits_are_made_anew_and_the_shipped_ones_are_those_of_the_shipped_rows(tmp_path, rows, model, caplog):
    for name in ("petrol.joblib", "petrol.json"):
        (tmp_path / name).write_bytes((artifact.FOLDER / name).read_bytes())
    content = bytearray((artifact.FOLDER / "petrol.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "petrol.npz").write_bytes(content)
    loaded = artifact.load(rows, tmp_path)
    assert "not the ones that the model's record describes" in caplog.text
    assert loaded.notice == ""
    made, X = loaded.refits, drawn()
    assert made is not model.refits
    assert made.pool.predict(X) == pytest.approx(model.refits.pool.predict(X), abs=1e-3)
    assert len(model.refits.to_bytes()) < 5 * 2**20
    assert len(made.pool.intercepts) == N_REFITS * len(KINDS) >= 120


@pytest.mark.slow
def test_one_process_or_two_make_the_same_refits(model):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refits, "KINDS", {"least_squares": {}, "forest": {"n_estimators": 2}})
        patch.setattr(refits, "OTHERS", ("ridge",))
        assert make_refits(model.X, model.y).to_bytes() == make_refits(model.X, model.y, n_jobs=2).to_bytes()


def test_refits_from_before_an_algorithm_was_added_are_refused_and_not_mislabelled(model, monkeypatch):
    content = model.refits.to_bytes()
    assert len(Refits.from_bytes(content).others.intercepts) == len(OTHERS) == len(refits.SETTINGS["others"])
    monkeypatch.setattr(refits, "OTHERS", (*OTHERS, "one_more"))
    with pytest.raises(ModelError, match="other algorithms"):
        Refits.from_bytes(content)
