"""Which pages are this app's own: those of the host that was asked, and of sites that a setting names."""

import pytest

from web import origins


@pytest.mark.parametrize(
    ("address", "host", "own"),
    [
        ("http://example.org", "example.org", "example.org"),
        ("https://example.org/models?version=2", "example.org", "example.org"),
        ("https://example.org", "Example.org:443", "example.org"),
        ("http://example.org", "example.org:80", "example.org"),
        ("http://example.org:8501", "example.org:8501", "example.org:8501"),
        ("http://[::1]:8501", "[::1]:8501", "[::1]:8501"),
        ("http://example.org", "example.org:443", None),  # a page that is not encrypted, of a host that is
        ("https://example.org", "example.org:80", None),
        ("https://example.org:8443", "example.org", None),
        ("https://example.org.evil.org", "example.org", None),
        ("https://example.org@evil.org", "example.org", None),
        ("https://evil.org", "example.org", None),
        ("null", "", None),
        ("", "", None),
        ("http://", ":80", None),
        ("http://[", "example.org", None),
        ("https://a.example.net", "example.org", "a.example.net"),
        ("https://b.a.example.net", "example.org", "b.a.example.net"),
        ("http://a.example.net", "example.org", None),
        ("https://example.net", "example.org", None),
        ("https://evil.org#.example.net", "example.org", None),
        ("https://evil.org:443@a.example.net", "example.org", None),
        ("https://tunnel.example:8443", "localhost:8501", "tunnel.example:8443"),
        ("https://tunnel.example", "localhost:8501", None),
    ],
)
def test_a_page_is_this_apps_own_under_the_host_that_was_asked_and_under_sites_that_are_named(address, host, own):
    assert origins.own_host(address, host, ["https://*.example.net", "https://tunnel.example:8443"]) == own


def test_a_setting_names_sites_and_says_what_is_none(monkeypatch):
    monkeypatch.delenv(origins.ORIGINS, raising=False)
    assert origins.read_sites(origins.ORIGINS) == []
    monkeypatch.setenv(origins.ORIGINS, "https://a-8501.app.github.dev/, http://LOCALHOST:80,https://*.example.org")
    sites = origins.read_sites(origins.ORIGINS)
    assert sites == ["https://a-8501.app.github.dev", "http://localhost:80", "https://*.example.org"]
    assert origins.host_names(sites) == ["a-8501.app.github.dev", "localhost", "*.example.org"]
    for wrong in ("example.org", "*", "https://", "https://*", "https://a.org/path", "https://a.org;", "ftp://a.org"):
        monkeypatch.setenv(origins.FRAME_ANCESTORS, f"https://b.org {wrong}")
        with pytest.raises(SystemExit) as ended:
            origins.read_sites(origins.FRAME_ANCESTORS)
        assert str(ended.value).startswith(f"PETROL_FRAME_ANCESTORS: {wrong!r} is no site. Write it like https://")
