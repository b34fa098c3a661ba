"""Where a page may come from: the settings that name other sites, and whether an address is this app's own."""

import os
import re
import sys
from urllib.parse import urlsplit

ORIGINS = "PETROL_ORIGINS"  # addresses under which people open the app where a proxy calls it by another name
FRAME_ANCESTORS = "PETROL_FRAME_ANCESTORS"  # sites that may show the app in a frame
_PORTS = {"http": ":80", "https": ":443"}  # that a browser leaves out
_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?/?")


def read_sites(variable: str) -> list[str]:
    """Return the sites that a setting names, each like https://example.org; end the program if one is malformed."""
    sites = re.findall(r"[^\s,]+", os.environ.get(variable, ""))
    if wrong := [site for site in sites if not _ORIGIN.fullmatch(site.lower())]:
        sys.exit(
            f"{variable}: {wrong[0]!r} is no site. Write it like https://example.org or https://*.example.org, several "
            "with commas."
        )
    return [site.lower().removesuffix("/") for site in sites]


def host_names(sites: list[str]) -> list[str]:
    """Return the names of the hosts of some sites."""
    return [re.sub(r":\d+$", "", site.partition("://")[2]) for site in sites]


def own_host(address: str, host: str, others: list[str]) -> str | None:
    """Return host and port of an address, or None if it is not this app's.

    Parameters
    ----------
    address
        Of a page, as a browser sends it.
    host
        In the request, with its port if it has one.
    others
        Other addresses of this app.
    """
    try:
        scheme, netloc, *_ = urlsplit(address.lower())
    except ValueError:
        return None
    is_named = any(
        re.fullmatch(re.escape(site).replace(r"\*", r"[a-z0-9_.-]+"), f"{scheme}://{netloc}") for site in others
    )
    is_same_host = netloc == host.lower().removesuffix(_PORTS.get(scheme, ":"))
    return netloc if netloc and (is_same_host or is_named) else None
