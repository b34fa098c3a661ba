"""Writes ``0.1.0.db`` and ``0.1.0.sql``; run once, with the code of release 0.1.0: ``python write_0_1_0.py FOLDER``."""

import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_mock_engine

from data.load import load_rows
from model import history, jobs, tables, versions
from tests.stores import add_quick, change, copy_file, run, sql


def main(folder):
    """Fill a store as people do, some of it with a clock that was set back, and then keep it as one small file."""
    path, rows = folder / "writing.db", load_rows()
    store = history.open_store(f"sqlite:///{path}")
    other = rows.assign(petrol_tax=rows.petrol_tax + 0.25)
    run(store, 1, ["ridge"], by="Ann")  # version 2, held against the shipped forest
    history.promote(store, 2, "Ann", "as good, and simpler")
    with store.writing() as connection:
        data_set = versions.add_data_set(connection, other, "other.csv")
    run(store, data_set, ["least_squares"], excluded=(2, 30), by="Bob")  # version 3, held against that ridge
    run(store, data_set, ["mean"], excluded=(2, 30), by="Bob")  # version 4: the ridge's evaluation once more
    run(store, 1, ["ridge"], by="Bob")  # version 5: its recipe and rows are those of version 2
    jobs.cancel(store, jobs.submit(store, "v1", 1, ["ridge"]))
    run(store, 1, ["gaussian_process", "mean"], excluded=range(20), seed=1, by="Zoë")  # versions 6 and 7
    run(store, data_set, ["ridge"], excluded=range(40))  # fails: too few rows
    branded = add_quick(store, rows, "mean", seed=2, rival_id=2)  # one round of folds
    damaged = add_quick(store, rows.iloc[5:].reset_index(drop=True), "mean", seed=3)
    for number in (3, damaged, branded):
        history.promote(store, number, "Ann", "to see")
    change(store, tables.MODEL_VERSION, branded, broken="The rows of data set 1 are not the ones that were stored.")
    broken = bytearray(sql(store, "SELECT arrays FROM model_version WHERE id = :id", id=damaged)[0][0])
    broken[len(broken) // 6] ^= 1
    change(store, tables.MODEL_VERSION, damaged, arrays=bytes(broken), broken="The record is not the one.")
    change(store, tables.JOB, 2, ended_at=jobs.job(store, 2).ended_at + timedelta(days=300))
    copy_file(path, folder / "0.1.0.db")
    with (folder / "0.1.0.sql").open("w") as file:
        engine = create_mock_engine("postgresql+psycopg://", lambda statement, *_: file.write(written(statement)))
        tables.METADATA.create_all(engine, checkfirst=False)


def written(statement):
    """A statement as PostgreSQL gets it."""
    from sqlalchemy.dialects import postgresql

    return f"{str(statement.compile(dialect=postgresql.dialect())).strip()};\n\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
