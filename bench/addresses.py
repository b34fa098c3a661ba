"""Hostile addresses of every page: defaults or a message, and no exception."""

import asyncio
from urllib.parse import quote

from bench.visit import Visit
from data.schema import FEATURES

PAGES = {
    "": (*(column.name for column in FEATURES), "coverage", "version", "from", "to", "view"),
    "explore": ("view", "selected", "between", "only", *(column.name for column in FEATURES)),
    "retrain": ("candidate", "job", "evidence", "evidence_of_several"),
    "models": ("version",),
    "score": ("score_coverage",),
    "method": ("view",),
}
VALUES = (
    *("", "0", "-1", "1e999", "NaN", "999999999999999999999999", "x" * 20_000, "1,2", "[1]", "{}", "null", "\0", "٩"),
    *("<script>window.pwned=1</script>", "\"><img src=x onerror='window.pwned=1'>", "javascript:window.pwned=1"),
    *("![x](http://127.0.0.1:9/x.png)", "[click](javascript:window.pwned=1)", "$\\href{javascript:window.pwned=1}{x}$"),
    *("'; DROP TABLE job; --", "../../etc/passwd", "%00", "\ud7ff\U0010ffff", ":material/delete:", "{{7*7}}"),
)


def queries(page):
    """Yield what may stand behind the question mark of a page: each value in each parameter, repeated, and others."""
    for name in PAGES[page]:
        for value in VALUES:
            yield f"{name}={quote(value)}"
        yield f"{name}=1&{name}=2&{name}={quote('<b>')}"
    yield "&".join(f"no{i}=1" for i in range(500))
    yield quote("<script>window.pwned=1</script>") + "&=&&%%%"


async def _all(url, step):
    n, complaints = 0, []
    for page in PAGES:
        visit = await Visit.open(url, page)
        for query in list(queries(page))[::step]:
            await visit.go(page, query)
            n += 1
            complaints += [f"/{page}?{query[:80]}: {message}" for message in visit.exceptions()]
            if not visit.text:
                complaints.append(f"/{page}?{query[:80]}: an empty page")
        await visit.close()
    return n, complaints


def run(url, step=1):
    """Open every page with every hostile address, or every so many.

    Returns
    -------
    n : int
        Addresses.
    complaints : list of str
    """
    return asyncio.run(_all(url, step))
