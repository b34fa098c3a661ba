"""What the tests of the Explore page share: the file as the standard library reads it, and how to read the page."""

import base64
import csv
import json

import numpy as np
from streamlit.testing.v1 import AppTest

from data.schema import COLUMNS, row_name
from tests.conftest import ROOT

VIEWS = ("One at a time", "Columns", "All pairs", "Influential states", "What matters", "About the data")
NAMES = [column.name for column in COLUMNS]
with (ROOT / "data" / "petrol" / "rows.csv").open(encoding="utf-8") as file:
    CSV = list(csv.DictReader(file))
TABLE = np.array([[float(row[name]) for name in NAMES] for row in CSV])
X, Y = TABLE[:, :4], TABLE[:, 4]
CODES = [row["state"] for row in CSV]
SCALES = np.array([column.scale for column in COLUMNS])


def opened(view, *steps):
    """Open the page at a view and take steps on it, each followed by a run."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    app.switch_page("pages/explore.py")
    app.query_params["view"] = view
    app.run()
    for step in steps:
        step(app)
        app.run()
    assert not app.exception
    return app


def limit(name, low, high):
    return lambda app: _named(app.slider, f"range.{name}").set_value((low, high))


def only(*codes):
    return lambda app: _named(app.multiselect, "names").set_value([row_name(code) for code in codes])


def _named(widgets, name):
    """A part of the filter, whose keys end in the number of the filter."""
    (found,) = [widget for widget in widgets if widget.key.startswith(f"app.explore_{name}.")]
    return found


def select(*places):
    def write(app):
        app.session_state["app.explore_selected"] = sorted(places)

    return write


def words(app):
    return "\n".join(element.value for kind in (app.markdown, app.caption, app.info) for element in kind)


def figure(app, key):
    """A picture as the browser gets it, arrays decoded."""
    (spec,) = [
        chart.proto.spec for chart in app.get("plotly_chart") if chart.proto.id.endswith(key) or key in chart.proto.id
    ]
    return decoded(json.loads(spec))


def decoded(value):
    if isinstance(value, dict) and "bdata" in value:
        array = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        return array.reshape([int(n) for n in value["shape"].split(",")]) if "shape" in value else array
    if isinstance(value, dict):
        return {key: decoded(entry) for key, entry in value.items()}
    return [decoded(entry) for entry in value] if isinstance(value, list) else value


def table(app, first_heading):
    """Cells of the Markdown table with this heading, without its emphasis."""
    (text,) = [m.value for m in app.markdown if m.value.startswith("|") and first_heading in m.value.split("\n")[0]]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.split("\n")]
    return [[cell.replace("**", "").replace("−", "-").strip() for cell in row] for row in rows[2:]]
