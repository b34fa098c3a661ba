"""The way of a proposal, in real Chromium: train, watch, compare, promote, see it in another window, go back."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from model.fitting.algorithms import OFFERED
from model.queue import jobs
from model.store import history, versions
from model.store.database import Store
from model.store.tables import MODEL_VERSION
from tests.conftest import free_port, running_server
from tests.retrain_page import LONG, Visitor, answer, candidate_of, model_of, promote_a_line
from tests.stores import is_over, wait_until, worker_of
from tests.test_load import BAD, SAME, TEXT
from tests.what_if_page import DEFAULTS, position

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def raised(n_steps):
    """Return the petrol tax as it is after so many steps of its slider from the typical one."""
    return {"petrol_tax": position("petrol_tax", DEFAULTS["petrol_tax"], n_steps)}


@pytest.mark.postgresql
def test_a_proposal_from_training_to_roll_back_as_two_visitors_see_it(visitor, store_url):
    ann, bob = visitor("/retrain"), visitor("/")
    shipped = model_of(store_url, 1)
    expect(bob.number).to_have_text(answer(shipped))
    ann.sees("No candidate yet")
    ann.types("Trees", "100")
    ann.presses("Retrain")
    assert candidate_of(ann.page) == 2
    cid = visitor("/retrain")
    cid.has_chosen("Candidate", "Version 2 (random forest): shipped, 48 states")
    cid.goes_to("/retrain?candidate=2&evidence_of_several=Curves")  # as the first release wrote it
    expect(cid.page.locator(".st-key-app-evidence_curves .main-svg").first).to_be_visible()
    ann.sees("cannot be told apart on 48 states")
    candidate = model_of(store_url, 2)
    assert candidate.metadata.recipe.parameters["n_estimators"] == 100
    n = next(n for n in range(1, 20) if answer(candidate, **raised(n)) != answer(shipped, **raised(n)))
    expect(bob.number).to_have_text(answer(shipped))

    ann.presses("Promote version 2")
    ann.sees("Give a reason and your name.")
    ann.promotes(2, "Fewer trees, to see the noise")
    ann.sees("Version 2: random forest is now active.")
    for _ in range(n):
        bob.page.get_by_role("slider", name="Petrol tax").press("ArrowRight")
    bob.sees("Version 2: random forest is now active.")
    expect(bob.number).to_have_text(answer(candidate, **raised(n)))

    ann.goes_to("/models?version=1")
    ann.page.get_by_role("button", name="Show as table").click()
    table = ann.page.get_by_test_id("stPopoverBody")
    expect(table.get_by_text("Fewer trees, to see the noise")).to_be_visible()
    ann.page.keyboard.press("Escape")
    ann.promotes(1, "Enough seen", verb="Roll back to")
    ann.sees("Version 1: random forest is now active.")
    for _ in range(n):
        bob.page.get_by_role("slider", name="Petrol tax").press("ArrowLeft")
    bob.sees("Version 1: random forest is now active.")
    expect(bob.number).to_have_text(answer(shipped))
    recorded = [(one.version_id, one.by, one.reason) for one in history.list_promotions(Store(store_url))]
    assert recorded[1:] == [(2, "Ann", "Fewer trees, to see the noise"), (1, "Ann", "Enough seen")]


def test_candidates_are_compared_and_the_tie_is_drawn(visitor, store_url):
    """Two that are quick, beside the active one; `make soak` compares all in full."""
    store = Store(store_url)
    number = jobs.submit(store, "another visitor", 1, ["least_squares", "ridge"])
    ann = visitor("/retrain")  # whose server begins it
    ann.sees(f"Job {number}")
    wait_until(lambda: jobs.find_job(store, number).state == "done", what="the comparison")
    ann.goes_to("/retrain?candidate=2")
    errors = [one.metadata.scores["model"].mae.value for one in versions.list_versions(store)]
    ann.sees("No clear winner: on 48 states")
    drawn = ann.page.locator(".st-key-app-evidence_ranking .js-plotly-plot").evaluate("(plot) => plot.data[0].x")
    assert drawn == pytest.approx(sorted(errors))
    for tab, key in (
        ("Scores", "Intervals"), ("Predictions", "app-evidence_residuals"), ("Curves", "app-evidence_curves"),
        ("What would move", "app-evidence_moves"),
    ):  # fmt: skip
        ann.page.get_by_role("tab", name=tab).click()
        found = ann.page.get_by_text(key) if key == "Intervals" else ann.page.locator(f".st-key-{key} .main-svg").first
        expect(found).to_be_visible()
    with ann.page.expect_download() as download:
        ann.presses("Download report")
    report = download.value.path().read_text(encoding="utf-8")
    assert download.value.suggested_filename == "version-2.html"
    assert "No clear winner: on 48 states" in report
    assert f"{ann.page.url.partition('?')[0]}?candidate=2" in report
    ann.presses("Compare all")
    ann.sees(f"Job {number + 1}: {len(OFFERED)} algorithms")
    assert jobs.find_job(store, number + 1).request.algorithms == OFFERED
    waiting = jobs.submit(store, "another visitor", 1, ["mean"])
    ann.sees("waits, 1 before it")
    jobs.cancel(store, waiting)
    expect(ann.page.get_by_text("waits, 1 before it")).to_have_count(0)
    ann.presses("Cancel")
    ann.sees(f"Job {number + 1} ({len(OFFERED)} algorithms, started by you) was cancelled, and nothing of it was kept.")


def test_cancel_ends_the_process_and_keeps_nothing_and_is_known_as_ones_own(visitor, open_page, store_url):
    ann, store = visitor("/retrain"), Store(store_url)
    ann.chooses("Algorithm", "Gradient boosting")
    ann.types("Stages", "1000")
    ann.presses("Retrain")
    ann.sees("Job 1: gradient boosting, started by you")
    ann.sees("Gradient boosting: fit", timeout=LONG)
    cid = visitor("/retrain")
    cid.sees("Job 1: gradient boosting")  # a second visitor sees the same
    ann.page.reload()
    ann.sees("Gradient boosting: fit", timeout=LONG)
    process = worker_of(store, 1)
    assert not is_over(process)
    ann.presses("Cancel")
    ann.sees("Job 1 (gradient boosting, started by you) was cancelled, and nothing of it was kept.")
    ann.page.reload()  # another session, the same browser
    ann.sees("Job 1 (gradient boosting, started by you) was cancelled")
    bob = open_page(ann.page.url, ready="stHeading", locale="en")
    expect(bob.get_by_text("Job 1 (gradient boosting, started by another visitor) was cancelled")).to_be_visible()
    bob.close()
    wait_until(lambda: is_over(process), 20, "the end of the worker")
    assert versions.list_versions(store, MODEL_VERSION.c.shipped.is_(None)) == []


def test_bad_files_are_reported_in_full_and_a_good_one_is_trained_on_and_asks_for_a_tick(visitor, store_url, rows):
    ann, store = visitor("/retrain"), Store(store_url)
    ann.chooses("Rows", "A CSV, Excel or Parquet file")
    for name, (content, reported) in list(BAD.items())[::4]:  # all of them are read in test_load.py
        ann.uploads(content, f"{name.replace(' ', '_')}.csv")
        ann.sees(f"{name.replace(' ', '_')}.csv was rejected.")
        told = ann.page.get_by_test_id("stCode").first
        for part in reported:
            expect(told).to_contain_text(part)
        button = ann.page.get_by_role("button", name="Retrain", exact=True)
        expect(button).to_have_count(1)  # while a page is drawn anew, the former one's can still be there
        expect(button).to_be_disabled()
    assert len(versions.list_data_sets(store)) == len(versions.list_versions(store)) == 1
    assert jobs.list_open_jobs(store) == []
    assert history.find_active(store) == (1, 1)

    promote_a_line(store_url, rows)
    *most, last = SAME["semicolons, decimal commas, grouped"].decode().split("\n")
    ann.uploads("\n".join([*most, last.rpartition(";")[0] + ";"]).encode(), "without_<b>one</b>.csv")
    ann.page.get_by_text("Leave out row 49, which cannot be used: 47 states stay").click()
    ann.sees("47 states, every cell checked.")
    ann.chooses("Algorithm", "Ridge")
    ann.presses("Retrain")
    assert candidate_of(ann.page) == 3
    candidate, line = model_of(store_url, 3), model_of(store_url, 2)
    assert len(candidate.rows) == 47
    assert versions.read_version(store, 3).data_set.origin == "without_<b>one</b>.csv, without row 49"
    ann.promotes(3, "Fewer states")
    ann.sees("Tick that you have seen what speaks against it.")
    assert history.find_active(store) == (2, 2)
    bob = visitor("/")
    expect(bob.number).to_have_text(answer(line))
    ann.promotes(3, "Fewer states", agrees=True)
    ann.sees("Version 3: ridge is now active.")
    bob.page.get_by_role("slider", name="Petrol tax").press("ArrowRight")
    expect(bob.number).to_have_text(answer(candidate, **raised(1)))


def test_rows_edited_and_left_out_in_the_page_are_what_is_trained_on(visitor, store_url, rows):
    promote_a_line(store_url, rows)
    ann = visitor("/retrain")
    ann.page.get_by_text("Edit or leave out states").click()
    ann.sees("Nothing changed yet.")
    table = ann.page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    ann.page.mouse.click(box["x"] + 80, box["y"] + 53)  # the tick of the first state
    ann.sees("1 of 48 states left out")
    ann.page.get_by_role("link", name="Method").click()
    ann.sees("The fault that this app descends from")
    ann.page.get_by_role("link", name="Retrain").click()
    ann.sees("1 of 48 states left out")  # kept over a change of pages
    ann.chooses("Algorithm", "Least squares")
    ann.presses("Retrain")
    assert candidate_of(ann.page) == 3
    found = versions.read_version(Store(store_url), 3)
    assert found.excluded == (0,)
    assert model_of(store_url, 3).rows["state"].tolist() == [line.split(",")[0] for line in TEXT.split()[2:]]


def test_where_nothing_can_be_written_the_shipped_model_answers_and_retraining_says_why(
    open_page, tmp_path, monkeypatch, usual_port
):
    monkeypatch.setenv("PETROL_STORE_URL", "sqlite:////proc/no/store.db")
    with running_server(log=tmp_path / "log", port=usual_port) as url:
        ann = Visitor(open_page, url).goes_to("/")
        assert ann.page.get_by_role("alert").count() == 0
        ann.page.get_by_role("link", name="Retrain").click()
        ann.sees("Retraining is off. The store /proc/no/store.db cannot be written")
        ann.page.get_by_role("link", name="Models").click()
        ann.sees("There is no history to show.")
        ann.page.close()


def test_a_broken_store_is_named_with_the_cure_and_the_shipped_model_answers(
    open_page, model, tmp_path, monkeypatch, usual_port
):
    (tmp_path / "store.db").write_bytes(b"this is no database at all, " * 100)
    monkeypatch.setenv("PETROL_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    with running_server(log=tmp_path / "log", port=usual_port) as url:
        ann = Visitor(open_page, url).goes_to("/")
        expect(ann.number).to_have_text(answer(model))
        ann.sees(f"The store {tmp_path}/store.db cannot be read")
        ann.sees("Put a backup in its place, or move it away")
        ann.page.close()


@pytest.fixture
def no_scheduler(monkeypatch):
    """Name a Dask scheduler that is not there."""
    address = f"tcp://127.0.0.1:{free_port()}"
    monkeypatch.setenv("PETROL_DASK_SCHEDULER", address)
    return address


@pytest.mark.soak
def test_where_the_cluster_cannot_be_reached_the_same_is_trained_here(no_scheduler, visitor, store_url):
    ann = visitor("/retrain")
    ann.chooses("Algorithm", "Ridge")
    ann.presses("Retrain")
    ann.sees("Job 1 (ridge, started by you) failed at", timeout=LONG)
    ann.sees(f"The Dask scheduler {no_scheduler} (PETROL_DASK_SCHEDULER) cannot be reached")
    ann.presses("Train here instead")
    assert candidate_of(ann.page) == 2
    first, second = jobs.list_jobs(Store(store_url))
    assert (first.state, second.state) == ("failed", "done")
    assert second.request == replace(first.request, here=True)
    assert (first.done, versions.read_version(Store(store_url), 2).job_id) == (0, 2)
    ann.sees_no("Train here instead")
