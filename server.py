"""Production entry: the app, warm before it answers.

``uvicorn server:app --host 127.0.0.1 --port 8501``. Health at ``/_stcore/health`` means ready: the server
accepts no connection before the model is loaded and has made a prediction.
"""

import logging
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.routing import Mount

from pages.shared import api


@asynccontextmanager
async def _warm(app):
    # Imported here and not above: cached functions want the runtime, which starts with the app.
    from pages.shared import choice, goal, links, resources, tray  # noqa: F401 (what pages import, early)

    resources.warm_up()
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # else each file of each visit is a line
    yield


app = st.App(Path(__file__).with_name("streamlit_app.py"), lifespan=_warm, routes=[Mount("/api", api.app)])
