"""Files that visitors send, to a real server in real Chromium: how much room there is, and what a page says of one."""

import pytest
from playwright.sync_api import expect

from tests.conftest import running_server
from tests.retrain_page import Visitor
from tests.stores import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HEADER = "petrol_tax,average_income,paved_highways,driver_licence_share,petrol_consumption,state\n"
LINE = "7.5,4300,4700,0.565,600,S{}\n"
NO_ROOM = "There is no room for it now"


def table(size):
    """A file of scenarios of about that many bytes."""
    return (HEADER + LINE.format(1) + " " * (size - 150)).encode()


@pytest.fixture(scope="module")
def small(project_of, tmp_path_factory):
    """Return the address of a server with room for a megabyte, which forgets a closed tab after a second."""
    folder = tmp_path_factory.mktemp("small")
    project = project_of(folder)
    for path, old, new in (
        ("pages/shared/panels/uploads.py", "ROOM = 8 * MAX_BYTES", "ROOM = 2**20"),
        ("pages/shared/panels/uploads.py", "ROOM_OF_ONE = 3 * MAX_BYTES", "ROOM_OF_ONE = 800_000"),
        ("pages/shared/panels/uploads.py", "_LOOK = 15", "_LOOK = 1"),
        (".streamlit/config.toml", "[server]", "[server]\ndisconnectedSessionTTL = 1"),
    ):
        text = (project / path).read_text(encoding="utf-8")
        assert old in text
        (project / path).write_text(text.replace(old, new), encoding="utf-8")
    with running_server(cwd=project, log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        yield url
    assert "Traceback" not in (folder / "log").read_text(encoding="utf-8")


def test_a_file_without_room_is_told_with_the_cure_and_has_room_when_a_tab_was_closed(small, open_page):
    ann, bob = (Visitor(open_page, small).goes_to("/score") for _ in range(2))
    ann.uploads(table(700_000), "large.csv")
    ann.sees("rows scored of large.csv")
    bob.uploads(table(600_000), "second.csv")
    bob.sees("second.csv was not scored.")
    bob.sees(NO_ROOM)
    bob.uploads(table(1000), "small.csv")  # has room beside it
    bob.sees("1 of 1 rows scored")
    bob.uploads(table(900_000), "third.csv")
    bob.sees(NO_ROOM)  # one tab never gets so much
    ann.page.close()

    def has_room():
        bob.uploads(table(600_000), "again.csv")
        bob.sees("again.csv")
        expect(bob.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        return bob.page.get_by_text("rows scored of again.csv").count()

    wait_until(has_room, 60, "room that a closed tab has left")


def test_a_page_names_the_file_that_it_had_before_it_was_loaded_anew(server, open_page):
    ann = Visitor(open_page, server).goes_to("/score")
    told = "was here before this page was loaded anew."
    ann.uploads(table(1000), "*mine*.csv")
    ann.sees("1 of 1 rows scored")
    ann.sees_no(told)
    ann.page.reload()
    ann.sees(f"*mine*.csv {told} Choose it again.")
    ann.uploads(table(1000), "other.csv")
    ann.sees("1 of 1 rows scored")
    ann.sees_no(told)
    ann.page.get_by_test_id("stFileUploader").get_by_role("button", name="Remove").first.click()
    ann.sees_no("1 of 1 rows scored")
    ann.page.reload()
    ann.sees("It needs the columns")
    expect(ann.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    ann.sees_no(told)  # it was taken away
    ann.page.get_by_role("link", name="Retrain").click()
    ann.chooses("Rows", "A CSV, Excel or Parquet file")
    ann.uploads(HEADER.encode() + b"".join(LINE.format(i).encode() for i in range(3)), "rows.csv")
    ann.sees("rows.csv: 3 states, every cell checked.")
    ann.page.reload()
    ann.sees(f"rows.csv {told} Set Rows to “A CSV, Excel or Parquet file”. Choose it again.")
