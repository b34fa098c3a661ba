"""Many visitors without a browser: Streamlit's own websocket protocol, as its frontend speaks it."""

import asyncio
import contextlib
from urllib.parse import urlsplit

import numpy as np
import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from data.schema import FEATURES

_PERIOD = 0.5  # [s] between the moves of a visitor
_PATIENCE = 30  # [s] for any answer


class Session:
    """One visitor: opens the page, then moves sliders one at a time.

    Parameters
    ----------
    socket : websockets.ClientConnection
    """

    def __init__(self, socket):
        self._socket = socket
        self.values = {column.name: column.default for column in FEATURES}
        self.words = []  # what the last answer said

    @classmethod
    async def open(cls, url):
        """Connect and run the page once, as a new visitor's browser does."""
        # No token and no earlier session: the frontend then offers the protocol alone.
        socket = await websockets.connect(
            f"ws://{urlsplit(url).netloc}/_stcore/stream", subprotocols=["streamlit"], origin=url
        )
        session = cls(socket)
        first = BackMsg()
        first.rerun_script.query_string = ""
        messages, script = await session._run(first)
        deltas = [message.delta for message in messages if message.WhichOneof("type") == "delta"]
        sliders = [delta for delta in deltas if delta.new_element.WhichOneof("type") == "slider"]
        ids = [delta.new_element.slider.id for delta in sliders]
        session._ids = {name: next(i for i in ids if i.endswith(f"-{name}")) for name in session.values}
        session._fragment = sliders[0].fragment_id
        session._script = script
        if not session._fragment:
            raise RuntimeError("the sliders are not in a fragment")
        return session

    async def close(self):
        """Leave the page."""
        await self._socket.close()

    async def move(self, name, value):
        """Move a slider and wait for the whole answer of the fragment."""
        self.values[name] = value
        message = BackMsg()
        state = message.rerun_script
        for column in FEATURES:
            widget = state.widget_states.widgets.add(id=self._ids[column.name])
            widget.double_array_value.data.append(self.values[column.name])
        state.query_string = "&".join(
            f"{column.name}={self.values[column.name]:g}"
            for column in FEATURES
            if self.values[column.name] != column.default
        )
        state.page_script_hash, state.fragment_id = self._script, self._fragment
        answer, _ = await self._run(message)
        elements = [m.delta.new_element for m in answer if m.delta.WhichOneof("type") == "new_element"]
        self.words = [element.markdown.body for element in elements if element.WhichOneof("type") == "markdown"]
        if not self.words or not any(element.WhichOneof("type") == "bidi_component" for element in elements):
            raise RuntimeError(f"a move of {name} was answered without words or without the readout")

    async def _run(self, back):
        """Send a message and collect what comes until the script has finished."""
        await self._socket.send(back.SerializeToString())
        messages, script = [], ""
        while True:
            message = ForwardMsg()
            message.ParseFromString(await asyncio.wait_for(self._socket.recv(), _PATIENCE))
            messages.append(message)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                script = message.new_session.page_script_hash
            elif kind == "script_finished":
                wanted = "FRAGMENT_RUN_SUCCESSFULLY" if back.rerun_script.fragment_id else "SUCCESSFULLY"
                if message.script_finished != ForwardMsg.ScriptFinishedStatus.Value(f"FINISHED_{wanted}"):
                    raise RuntimeError(f"the script ended with {message.script_finished}, not {wanted}")
                return messages, script


async def open_sessions(url, n_sessions):
    """Open sessions one after the other, as visitors come.

    Parameters
    ----------
    url : str
    n_sessions : int

    Returns
    -------
    list of Session
    """
    return [await Session.open(url) for _ in range(n_sessions)]


async def load(sessions, seconds):
    """Let each session move a slider twice a second, whatever the others do.

    Parameters
    ----------
    sessions : list of Session
    seconds : float

    Returns
    -------
    waits : list of float
        From the moment a move was due to its whole answer [s]: a visitor's wait for the answer before counts too.
    seconds : float
        Until the last answer.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    waits = await asyncio.gather(
        *(_visit(session, start, seconds, np.random.default_rng(i)) for i, session in enumerate(sessions))
    )
    return [wait for of_one in waits for wait in of_one], clock() - start


async def _visit(session, start, seconds, rng):
    clock, waits = asyncio.get_running_loop().time, []
    due = start + rng.random() * _PERIOD
    while due < start + seconds:
        await asyncio.sleep(due - clock())
        column = FEATURES[rng.integers(len(FEATURES))]
        await session.move(column.name, column.grid[rng.integers(column.n_steps)])
        waits.append(clock() - due)
        # Nobody makes up for moves that a slow server left no time for.
        due += _PERIOD * max(1, (clock() - due) // _PERIOD)
    return waits


def process_of(url):
    """Find the server that ``running_server`` started, by its port."""
    port = str(urlsplit(url).port)
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # one that has ended, and that nobody has waited for yet
            if port in child.cmdline():
                return child
    raise LookupError(f"no server of this process listens at {url}")
