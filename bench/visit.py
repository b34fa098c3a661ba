"""A visitor without a browser who can do everything: Streamlit's own websocket protocol, for any page."""

import asyncio
import contextlib
import http.client
import json
import re
import secrets
from urllib.parse import urlsplit

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.shared.session import INPUT_KEYS, WHAT_IF

_PATIENCE = 60  # [s] for any answer
_ENDED = {"FINISHED_SUCCESSFULLY", "FINISHED_FRAGMENT_RUN_SUCCESSFULLY"}


def _token(url):
    """Return what a page of the app proves with that it is one."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/_stcore/health", headers={"Origin": url})
        cookies = connection.getresponse().headers.get_all("set-cookie", ())
    (token,) = re.findall("^_streamlit_xsrf=([^;]*)", "\n".join(cookies), re.MULTILINE)
    return token.strip('"')


class Visit:
    """One visitor with one page open.

    Attributes
    ----------
    elements : list of streamlit.proto.Element_pb2.Element
        What the page holds at the moment.
    query : str
        What stands behind the question mark of its address.
    """

    def __init__(self, url, socket):
        self._url, self._socket = url, socket
        self._shown, self._states, self._script, self._session = {}, {}, "", ""
        self._page, self.query, self._is_part = "", "", False

    @classmethod
    async def open(cls, url, page="", query="", cookie=""):
        """Arrive at a page, with what its address says.

        Parameters
        ----------
        url : str
            Of the app.
        page : str
            As in its address: empty for the first.
        query : str
            What stands behind the question mark.
        cookie : str
            What the browser has of earlier visits, as ``name=value``.

        Returns
        -------
        Visit
        """
        where = f"ws://{urlsplit(url).netloc}/_stcore/stream"
        options = {"subprotocols": ["streamlit"], "origin": url, "max_size": None}
        if cookie:  # which counts with a proof that it is this site's own page that sends it
            token = await asyncio.to_thread(_token, url)
            options["subprotocols"] += [token]
            options["additional_headers"] = {"Cookie": f"{cookie}; _streamlit_xsrf={token}"}
        visit = cls(url, await websockets.connect(where, **options))
        await visit.go(page, query)
        return visit

    async def close(self):
        """Leave."""
        await self._socket.close()

    async def go(self, page, query=""):
        """Follow a link of the menu to another page."""
        self._page, self.query, self._script = page, query, ""
        await self.run()

    @property
    def elements(self):
        """What the page holds at the moment."""
        return [element for element, _ in self._shown.values()]

    @property
    def text(self):
        """What is written on the page, but for its pictures and tables."""
        parts = {"markdown": "body", "alert": "body", "heading": "body", "code": "code_text", "toast": "body"}
        found = [(element, element.WhichOneof("type")) for element in self.elements]
        return "\n".join(getattr(getattr(element, kind), parts[kind]) for element, kind in found if kind in parts)

    def exceptions(self):
        """Return the messages of the exception boxes on the page: there should never be one."""
        return [element.exception.message for element in self.elements if element.WhichOneof("type") == "exception"]

    def _widget(self, kind, name):
        """Find a widget by its label, or a component, which has none, by its key."""
        for element, fragment in self._shown.values():
            if element.WhichOneof("type") == kind:
                widget = getattr(element, kind)
                if name is None or getattr(widget, "label", "") == name or widget.id.endswith(f"-{name}"):
                    return widget, fragment
        raise LookupError(f"no {kind} {name!r} on this page:\n{self.text[:2000]}")

    def has(self, kind, label):
        """Whether there is such a widget."""
        try:
            return not getattr(self._widget(kind, label)[0], "disabled", False)
        except LookupError:
            return False

    async def press(self, label):
        """Press a button."""
        widget, fragment = self._widget("button", label)
        await self.run(fragment, **{widget.id: ("trigger_value", True)})

    def write(self, label, text):
        """Write into a field of a form, for the button that sends it."""
        self._states[self._widget("text_input", label)[0].id] = ("string_value", text)

    def tick(self, beginning):
        """Tick the box whose label begins so, if it is there."""
        for element in self.elements:
            if element.WhichOneof("type") == "checkbox" and element.checkbox.label.startswith(beginning):
                self._states[element.checkbox.id] = ("bool_value", True)

    async def choose(self, label, option):
        """Take an entry of a list."""
        widget, fragment = self._widget("selectbox", label)
        await self.run(fragment, **{widget.id: ("string_value", option)})

    async def count(self, label, number):
        """Write into a field for numbers."""
        widget, fragment = self._widget("text_input", label)
        await self.run(fragment, **{widget.id: ("string_value", f"{number:.10g}")})

    @property
    def what_if(self):
        """What the component of the What-if page was told last: the inputs, and the answer to them."""
        return json.loads(json.loads(self._widget("bidi_component", WHAT_IF)[0].json))  # a text of JSON, sent as JSON

    async def move(self, values):
        """Move sliders of the What-if page; return the answer, as its component is told it.

        Parameters
        ----------
        values : dict or list
            Names -> numbers, of the shipped table; or the number of each input.
        """
        component, fragment = self._widget("bidi_component", WHAT_IF)
        told = self.what_if
        if isinstance(values, dict):
            values = list((dict(zip(INPUT_KEYS, told["values"], strict=True)) | values).values())
        sent = {"epoch": told["epoch"], "seq": told["seq"] + 1, "values": values}
        scenario = sent | {"start": told["start"]["code"], "level": told["level"], "has": told["id"]}
        await self.run(fragment, **{component.id: ("json_value", json.dumps({"scenario": scenario}))})
        told = self.what_if
        if sent != {name: told[name] for name in sent}:
            raise RuntimeError(f"{sent} was not answered:\n{self.text[:2000]}")
        return told["answer"]

    async def upload(self, name, content):
        """Put a file into the page's first field for files."""
        widget, fragment = self._widget("file_uploader", None)
        asking = BackMsg()
        asking.file_urls_request.request_id = secrets.token_hex(4)
        asking.file_urls_request.file_names.append(name)
        asking.file_urls_request.session_id = self._session
        await self._socket.send(asking.SerializeToString())
        while (message := await self._receive()).WhichOneof("type") != "file_urls_response":
            self._take(message)
        urls = message.file_urls_response.file_urls[0]
        await asyncio.to_thread(self._put, urls.upload_url, name, content)
        await self.run(fragment, **{widget.id: ("file_uploader_state_value", (name, len(content), urls))})

    def _put(self, path, name, content):
        """Send the content as a browser's form does."""
        token, border = _token(self._url), secrets.token_hex(8)
        connection = http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=_PATIENCE)
        try:
            head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
            body = head.encode() + content + f"\r\n--{border}--\r\n".encode()
            headers = {"Content-Type": f"multipart/form-data; boundary={border}", "Origin": self._url}
            headers |= {"Cookie": f"_streamlit_xsrf={token}", "X-Xsrftoken": token}
            connection.request("PUT", path, body, headers)
            reply = connection.getresponse()
            reply.read()
            if reply.status not in (200, 204):
                raise RuntimeError(f"the upload was answered with {reply.status}")
        finally:
            connection.close()

    async def run(self, fragment="", **states):
        """Have the page, or a part of it, run with these values of widgets, and wait for the whole answer."""
        self._states |= {name: state for name, state in states.items() if state[0] != "trigger_value"}
        message = BackMsg()
        script = message.rerun_script
        for name, (kind, value) in (self._states | states).items():
            widget = script.widget_states.widgets.add(id=name)
            if kind == "file_uploader_state_value":
                info = widget.file_uploader_state_value.uploaded_file_info.add(name=value[0], size=value[1])
                info.file_id = value[2].file_id
                info.file_urls.CopyFrom(value[2])
            else:
                setattr(widget, kind, value)
        script.query_string, script.page_script_hash, script.fragment_id = self.query, self._script, fragment
        script.page_name = "" if self._script else self._page
        self._is_part = bool(fragment)
        await self._socket.send(message.SerializeToString())
        while True:
            answer = await self._receive()
            self._take(answer)
            if answer.WhichOneof("type") == "script_finished":
                status = ForwardMsg.ScriptFinishedStatus.Name(answer.script_finished)
                if status in _ENDED:
                    return
                if status != "FINISHED_EARLY_FOR_RERUN":
                    raise RuntimeError(f"the page ended with {status}")

    async def _receive(self):
        message = ForwardMsg()
        async with asyncio.timeout(_PATIENCE):
            message.ParseFromString(await self._socket.recv())
        return message

    def _take(self, message):
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._session = message.new_session.initialize.session_id or self._session
            self._script = message.new_session.page_script_hash
            if not self._is_part:
                self._shown = {}
            self._is_part = False  # whatever follows is of the whole page
        elif kind == "navigation":
            self._script = message.navigation.page_script_hash or self._script
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            place = tuple(message.metadata.delta_path)
            self._shown[place] = message.delta.new_element, message.delta.fragment_id
