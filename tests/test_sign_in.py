"""Signing in with a real OpenID Connect provider: who may change the model, for how long, and what the record says."""

import contextlib
import json
import re
import subprocess
import time

import pytest
from playwright.sync_api import expect
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from bench.visit import Visit
from model.store import history
from model.store.database import Store
from tests import programs
from tests.conftest import free_port, run_aside, running_server
from tests.nginx import answers, running_nginx
from tests.replicas import LISTENS
from tests.stores import add_quick, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.door, pytest.mark.slow]
SECRETS = """
[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "{secret}"
client_id = "petrol"
client_secret = "only for tests"
server_metadata_url = "{provider}/.well-known/openid-configuration"
client_kwargs = {{ scope = "openid email profile", prompt = "login" }}
"""
SECRET = "thirty-two characters and a few more"  # noqa: S105 - of this test alone
PAGE = "/models?version=2"


@contextlib.contextmanager
def running_provider(app):
    """Start a provider that knows the app, and yield its address."""
    node, port = programs.required(programs.node(), "sign-in provider"), free_port()
    command = [node, programs.OIDC / "provider.mjs", str(port), f"{app}/oauth2callback"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{url}/.well-known/openid-configuration"), 30, "the provider")
        yield url
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def running_app(folder, project, rows, configuration, base=""):
    """Start the app behind nginx where those of example.org may change the model; yield its address and its store."""
    ports = [free_port(), free_port()]
    url, store = f"http://127.0.0.1:{ports[0]}{base}", history.open_store(f"sqlite:///{folder}/store.db")
    add_quick(store, rows)
    settings = {"PETROL_STORE_URL": store.url, "PETROL_RETRAIN": "login", "PETROL_ALLOWED": "example.org"}
    settings["STREAMLIT_SERVER_BASE_URL_PATH"] = base.strip("/")
    with running_provider(url) as provider:
        secrets = SECRETS.format(app=url, provider=provider, secret=SECRET)
        (project / ".streamlit" / "secrets.toml").write_text(secrets)
        both = dict.fromkeys(LISTENS.values(), ports[1])  # as if it were two replicas
        with (
            running_server(cwd=project, log=folder / "log", port=ports[1], base=base, **settings),
            running_nginx(folder / "nginx", configuration, both, ports[0]),
        ):
            yield url, store
    assert "Traceback" not in (folder / "log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def app(tmp_path_factory, project_of, rows):
    """Start the app behind the proxy of two replicas; yield its address and its store."""
    folder = tmp_path_factory.mktemp("signing_in")
    with running_app(folder, project_of(folder), rows, "nginx.scale.conf") as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def left_open(app, browser):
    """Sign somebody in for a few seconds before all tests, so that these pass meanwhile; return their page."""
    page = browser.new_page()
    page.goto(app[0] + PAGE)
    sign_in(page, "brief@example.org")
    expires = time.time() + 15
    expect(page.get_by_text(told("Signed in as brief@example.org."))).to_be_visible()
    page.get_by_label("Reason", exact=True).fill("too late")
    page.get_by_text("I have seen that").click()
    yield page, expires
    page.close()


@pytest.fixture
def visit(window, app):
    """Return a function that opens an address as somebody new, who has no cookie of those before."""

    def visit(address=PAGE, host="127.0.0.1"):
        for page in window.pages:
            page.close()
        window.clear_cookies()
        page = window.new_page()
        page.goto(app[0].replace("127.0.0.1", host) + address)
        return page

    yield visit
    for page in window.pages:
        page.close()
    window.clear_cookies()


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def sign_in(page, address):
    """Sign in at the provider, as it asks, and come back."""
    home = page.url
    button(page, "Sign in").click()
    page.get_by_role("textbox", name="login").or_(page.locator("input[name=login]")).fill(address)
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(home)  # the page that was left
    return page


def told(text):
    """Match a text in which what keeps an address from becoming a link may stand after the @."""
    return re.compile(re.escape(text).replace("@", "@\N{WORD JOINER}?"))


def promotions(app):
    return [(one.version_id, one.by, one.reason) for one in history.list_promotions(Store(app[1].url))]


def promote(page, reason):
    page.get_by_label("Reason", exact=True).fill(reason)
    page.get_by_text("I have seen that").click()
    button(page, "Promote version 2").click()


def test_nobody_changes_anything_without_signing_in(visit):
    page = visit()
    expect(page.get_by_text("Sign in to train, promote, roll back or remove.")).to_be_visible()
    expect(page.get_by_role("heading", name="Version 2: ridge")).to_be_visible()  # but may look
    for name in ("Promote version 2", "Remove"):
        expect(button(page, name)).to_have_count(0)
    page = visit("/retrain")
    expect(button(page, "Sign in")).to_be_visible()
    expect(button(page, "Retrain")).to_have_count(0)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("eve@evil.org", "eve@evil.org may not change the model here"),
        ("unverified@example.org", "Your sign-in vouches for no mail address"),
        pytest.param("no address", "Your sign-in vouches for no mail address", marks=pytest.mark.soak),  # test_door.py
    ],
)
def test_who_is_not_allowed_is_told_and_may_not(visit, address, said):
    page = sign_in(visit(), address)
    expect(page.get_by_text(told(said))).to_be_visible()
    expect(button(page, "Promote version 2")).to_have_count(0)
    expect(button(page, "Sign out")).to_be_visible()


def test_a_sign_in_that_expires_while_the_page_is_open_changes_nothing(left_open, app):
    before, (page, expires) = promotions(app), left_open
    wait_until(lambda: time.time() > expires, 20, "the end of what the provider has signed")
    button(page, "Promote version 2").click()
    expect(page.get_by_text("Your sign-in has expired. Sign in again.").first).to_be_visible()
    expect(button(page, "Sign in")).to_be_visible()
    assert promotions(app) == before


def cookie(app, secret, **claims):
    """Sign as Streamlit does that somebody is signed in."""
    said = {"is_logged_in": True, "origin": app[0], "email": "ann@example.org", "exp": time.time() + 60} | claims
    name = "_streamlit_user"
    return name, create_signed_value(secret, name, json.dumps(said)).decode()


def test_a_forged_cookie_signs_nobody_in_and_none_outlives_its_sign_in(app):
    name, real = cookie(app, SECRET)
    middle = len(real) // 4
    changed = real[:middle] + ("A" if real[middle] != "A" else "B") + real[middle + 1 :]
    foreign, former = cookie(app, "another secret of the same length!!")[1], cookie(app, SECRET, exp=time.time() - 1)[1]

    async def seen(value):
        visit = await Visit.open(app[0], *PAGE.removeprefix("/").split("?"), cookie=f"{name}={value}")
        await visit.close()
        return visit

    signed_in = run_aside(seen(real))
    assert "Signed in as ann" in signed_in.text  # so this is how they are signed
    assert signed_in.has("button", "Promote version 2")
    for value in (foreign, changed, real[:-1], "{}", "", former):
        refused = run_aside(seen(value))
        assert "Signed in as" not in refused.text
        assert refused.has("button", "Sign in")
        assert not refused.has("button", "Promote version 2")
        assert ("Your sign-in has expired. Sign in again." in refused.text) is (value == former)


def test_who_is_allowed_promotes_under_their_own_address_and_signs_out(visit, app):
    page = sign_in(visit(), "Ann@example.org")
    expect(page.get_by_label("Your name", exact=True)).to_have_count(0)
    promote(page, "It is simpler")
    expect(
        page.get_by_text("Version 2 (ridge), active").or_(page.get_by_text("Version 2: ridge")).first
    ).to_be_visible()
    wait_until(lambda: promotions(app)[-1] == (2, "ann@example.org", "It is simpler"), 20, "the promotion")
    other = page.context.new_page()  # a second window, which stays open
    other.goto(app[0] + "/models?version=1")
    expect(button(other, "Roll back to version 1")).to_be_visible()
    button(page, "Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(button(page, "Sign in")).to_be_visible()
    other.get_by_label("Reason", exact=True).fill("after signing out elsewhere")
    button(other, "Roll back to version 1").click()
    expect(other.get_by_text("Your sign-in has expired. Sign in again.").first).to_be_visible()
    assert promotions(app)[-1] == (2, "ann@example.org", "It is simpler")


def assert_signs_in_with_many_groups(page, url):
    sign_in(page, "many@example.org")
    expect(page.get_by_text(told("Signed in as many@example.org."))).to_be_visible()
    cookies = page.context.cookies(f"{url}/")
    assert sum(len(cookie["value"]) for cookie in cookies if cookie["name"].startswith("_streamlit_")) < 3000


@pytest.mark.soak
def test_who_is_of_four_hundred_groups_signs_in_below_a_path_too(tmp_path, project, rows, browser):
    with running_app(tmp_path, project, rows, "nginx.conf", "/petrol") as (url, _):
        page = browser.new_page()
        page.goto(url + PAGE)
        assert_signs_in_with_many_groups(page, url)
        page.close()


@pytest.mark.soak
def test_who_is_of_four_hundred_groups_signs_in_and_out_and_none_of_them_is_written_down(visit, app):
    page = visit()
    assert_signs_in_with_many_groups(page, app[0])
    button(page, "Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()  # the provider asks whoever it is told nothing of
    expect(button(page, "Sign in")).to_be_visible()


@pytest.mark.soak
def test_who_turns_back_at_the_provider_is_told_so_where_they_came_from(visit, app):
    page = visit()
    home = page.url
    button(page, "Sign in").click()
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url(home)
    expect(page.get_by_text("Signing in did not work.")).to_be_visible()
    page = visit(host="localhost")
    expect(page.get_by_text(told(f"Signing in leads to this app at {app[0].partition('//')[2]}"))).to_be_visible()
