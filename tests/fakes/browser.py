"""A real browser without a window, driven by its DevTools protocol over aiohttp's web sockets."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import time

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",  # as root there is none, and the pages are our own
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--window-size=1440,1000",
)
SECONDS_TO_START = 60
KEYS = {"Enter": 13, "Backspace": 8, "Escape": 27}


def find_browser():
    """The program of a browser of Chrome's kind; without one the test is skipped."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser is installed: one of {', '.join(NAMES)} is needed")
    return found


class Page:
    """The one page of a browser: opened, looked at, typed into."""

    def __init__(self, runner, socket):
        self._runner = runner
        self._socket = socket
        self._number = 0
        self.complaints = []

    def call(self, method, **parameters):
        """The answer to a command of the protocol; what the page's console says is kept."""
        return self._runner.run(self._call(method, parameters))

    async def _call(self, method, parameters):
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(timeout=30)).data)
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(message["params"])
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def open(self, address):
        self.call("Runtime.enable")
        self.call("Log.enable")
        self.call("Page.navigate", url=address)
        here = f"location.href === {json.dumps(address)}"
        self.wait(f"{here} && document.readyState === 'complete'")

    def evaluate(self, expression):
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression, seconds=20):
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {expression}")

    def press(self, key):
        event = {"key": key, "code": f"Key{key.upper()}"}
        if key in KEYS:
            event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        self.call("Input.dispatchKeyEvent", type="rawKeyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector):
        box = self.evaluate(
            "(() => { const r = document.querySelector("
            + json.dumps(selector)
            + ").getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        place = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **place)

    def picture(self, path, width=1440, height=900):
        """Keeps what the page looks like."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def open_browser(folder):
    """A page of a browser that keeps its own files in `folder`."""
    program = find_browser()
    command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = _port(folder, process)
            with asyncio.Runner() as runner:
                session, socket = runner.run(_connect(port))
                try:
                    yield Page(runner, socket)
                finally:
                    runner.run(_leave(session, socket))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(folder, process):
    told = folder / "DevToolsActivePort"
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        if told.exists() and (lines := told.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    pytest.skip("the browser that is installed does not start here")


async def _connect(port):
    session = aiohttp.ClientSession()
    end = time.monotonic() + SECONDS_TO_START
    while True:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
        if pages:
            break
        assert time.monotonic() < end, "the browser opened no page"
        await asyncio.sleep(0.05)
    socket = await session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
    return session, socket


async def _leave(session, socket):
    await socket.close()
    await session.close()
