"""What the store keeps comes back as it went in, or is fitted anew, or is said to be broken: it never just differs."""

import io
import re
from dataclasses import replace
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from sqlalchemy import select

from data.errors import DataError
from data.load import fingerprint, load_rows
from model.answering.prediction import predict_rows
from model.fitting.errors import DamagedError, ModelError
from model.fitting.recipe import Recipe
from model.store import history, versions
from model.store.database import StoreError
from model.store.tables import DATA_SET, EVALUATION, MODEL_VERSION
from tests.stores import add_quick, change, sql


def active(store):
    return history.load_active_model(store, partial(versions.load_version, store))[:2]


def flip_a_bit(store, table, column, number):
    with store.reading() as connection:
        content = connection.execute(select(table.c[column]).where(table.c.id == number)).scalar_one()
    broken = bytearray(content)
    broken[len(broken) // 6] ^= 1
    change(store, table, number, **{column: bytes(broken)})


NAMES = ["ME", "Zürich", "名前", "", " two  words ", 'a "quoted", one', "line\nbreak", "007", "nan", "NA"]


def test_rows_come_back_as_they_went_in(store, rows):
    odd = rows.iloc[:10].assign(state=pd.Series(NAMES, dtype=object), petrol_tax=[0.1 + 0.2, 1e-17, *range(1, 9)])
    odd.attrs["warnings"] = ["a remark"]
    with store.writing() as connection:
        number = versions.add_data_set(connection, odd, "a file")
    again = versions.read_rows(store, number)
    pd.testing.assert_frame_equal(again, odd, check_exact=True)
    assert fingerprint(again) == fingerprint(odd) == versions.list_data_sets(store)[-1].sha256
    assert list(again.dtypes) == list(odd.dtypes)
    assert odd.attrs == rows.attrs | {"warnings": ["a remark"]}


def test_rows_of_a_file_come_back_as_they_went_in(store, rows):
    pd.testing.assert_frame_equal(versions.read_rows(store, 1), rows, check_exact=True)
    assert (predict_rows(versions.load_version(store, 1), np.array([[7, 4000, 5000, 0.5]])) > 0).all()


def test_equal_figures_are_kept_once_whatever_their_file(store, rows):
    text = rows.to_csv(index=False, sep=";", decimal=",").encode("utf-16")
    with store.writing() as connection:
        assert versions.add_data_set(connection, load_rows(io.BytesIO(text)), "the same.csv") == 1
        other = versions.add_data_set(connection, rows.assign(petrol_tax=rows.petrol_tax + 1e-9), "other.csv" * 99)
    first, second = versions.list_data_sets(store)
    assert (first.origin, second.id, second.n_rows, len(second.origin)) == ("shipped", other, 48, 200)


def test_excluded_rows_are_left_out_and_the_others_keep_their_order(store, rows):
    kept = versions.read_rows(store, 1, excluded=(0, 47, 3))
    pd.testing.assert_frame_equal(kept, rows.drop(index=[0, 3, 47]).reset_index(drop=True), check_exact=True)
    with pytest.raises((ModelError, StoreError), match="48"):
        versions.read_rows(store, 1, excluded=(48,))


def test_what_is_not_there_is_said_not_to_be(store):
    with pytest.raises(StoreError, match=f"Data set 9 is not in the store {re.escape(store.location)}"):
        versions.read_rows(store, 9)
    for ask in (versions.read_version, versions.load_version):
        with pytest.raises(StoreError, match=f"There is no version 9 in the store {re.escape(store.location)}"):
            ask(store, 9)


def test_a_version_comes_back_as_it_was_trained(store, rows, model):
    number = add_quick(store, rows, "forest", {"n_estimators": 5, "max_samples": 0.5}, seed=7, notice="Said before.")
    found, loaded = versions.read_version(store, number), versions.load_version(store, number)
    full = {"n_estimators": 5, "max_features": 3, "min_samples_leaf": 2, "max_samples": 0.5}
    assert found.recipe == Recipe("forest", full, 7)
    assert found.label == f"Version {number} (random forest)"
    assert loaded.version == number
    assert loaded.notice == "Said before."
    assert loaded.metadata.folds.n_repeats == 1
    first = versions.load_version(store, 1)
    assert replace(first.metadata, model_sha256=model.metadata.model_sha256) == model.metadata
    assert (first.predictions == model.predictions).all()
    for kind, by_input in model.importance.items():
        for name, values in by_input.items():
            assert (np.array(first.importance[kind][name]) == values).all()
    assert found.n_bytes == len(sql(store, "SELECT model FROM model_version WHERE id = :id", id=number)[0][0])


def test_a_flipped_bit_of_a_model_is_noticed_and_its_recipe_fitted_anew(store, rows, model):
    flip_a_bit(store, MODEL_VERSION, "model", 1)
    again, notice = active(store)
    assert notice == ""
    assert again.notice.startswith("The model of version 1 is not the one that its record describes (SHA-256 differs)")
    assert (predict_rows(again, model.X) == predict_rows(model, model.X)).all()
    assert history.find_active(store) == (1, 1)
    assert versions.read_version(store, 1).broken is None


@pytest.mark.parametrize(
    ("table", "column", "reason"),
    [
        (DATA_SET, "parquet", "The rows of data set 2 are not the ones that were stored."),
        (MODEL_VERSION, "arrays", "version 2"),
        (EVALUATION, "predictions", "is not the one that was stored."),
    ],
)
def test_a_version_broken_beyond_its_recipe_gives_way_to_the_one_before(store, rows, table, column, reason):
    number = add_quick(store, rows.iloc[3:].reset_index(drop=True))
    history.promote(store, number, "Ann", "better")
    flip_a_bit(store, MODEL_VERSION, "model", number)
    flip_a_bit(store, table, column, number)
    answering, notice = active(store)
    assert answering.version == 1
    assert reason in notice
    assert notice.startswith("Version 2 cannot be used: ")
    assert notice.endswith(" So version 1, promoted before it, answers.")
    assert history.find_active(store) == (1, 2)
    assert reason in versions.read_version(store, 2).broken
    assert active(store)[1] == notice
    with pytest.raises(StoreError, match="Version 2 cannot be used: "):
        history.promote(store, number, "Ann", "again")
    history.promote(store, 1, "Ann", "back")
    assert active(store)[1] == ""


def test_where_every_promoted_version_is_broken_the_shipped_model_answers(store, model):
    flip_a_bit(store, MODEL_VERSION, "arrays", 1)
    answering, notice = active(store)
    assert answering.version == 0
    assert notice.endswith(" So the shipped model answers.")
    assert (predict_rows(answering, model.X) == predict_rows(model, model.X)).all()
    assert history.find_active(store) == (0, 1)


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("record", lambda kept: kept | {"folds": kept["folds"] | {"n_splits": 4}}),
        ("record", lambda kept: {}),
        ("parameters", lambda kept: kept | {"n_estimators": 301}),
        ("excluded", lambda kept: [1]),
        ("seed", lambda kept: 1),
        ("algorithm", lambda kept: "ridge"),
        ("arrays", lambda kept: b"\0"),
    ],
)
def test_a_record_that_was_changed_is_noticed(store, column, changed):
    with store.reading() as connection:
        kept = connection.execute(select(MODEL_VERSION.c[column])).scalar_one()
    change(store, MODEL_VERSION, 1, **{column: changed(kept)})
    answering, notice = active(store)
    assert answering.version == 0
    assert notice.startswith("Version 1 cannot be used: ")


SHORT = MemoryError(), OSError(24, "Too many open files"), ModuleNotFoundError("No module named 'pyarrow'")


@pytest.mark.parametrize(
    ("library", "function", "trouble"),
    [(library, name, short) for library, name in ((parquet, "ParquetFile"), (np, "load")) for short in SHORT]
    + [(joblib, "load", short) for short in SHORT[:2]],
)
def test_trouble_of_who_reads_is_no_damage_and_may_be_over_the_next_time(
    store, monkeypatch, library, function, trouble
):
    def failing(*_, **__):
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(library, function, failing)
        with pytest.raises(ModelError, match=r"^The .* cannot be read at the moment \(.*\)\. Try again\.$") as told:
            versions.load_version(store, 1)
        assert not isinstance(told.value, DamagedError)
        assert type(trouble).__name__ in str(told.value)
    answering, notice = active(store)
    assert (answering.version, answering.notice, notice) == (1, "", "")
    assert versions.read_version(store, 1).broken is None


def test_a_version_that_cannot_be_read_for_lack_of_memory_is_not_called_broken(store, monkeypatch):
    def short(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(parquet, "ParquetFile", short)
        answering, notice = active(store)
        assert answering.version == 0
        assert notice.startswith("Version 1 cannot be loaded at the moment (not enough memory). It is tried again")
    assert active(store)[0].version == 1
    assert versions.read_version(store, 1).broken is None


def test_data_errors_inside_a_transaction_are_not_blamed_on_the_store(store):
    for error in (DataError(["bad cell"]), ModelError("bad recipe")):
        with pytest.raises(type(error), match=r"^bad"), store.writing():
            raise error
