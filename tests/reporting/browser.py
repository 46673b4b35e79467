"""A headless Chromium driven over its debugging pipe, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Seconds without a word from the browser before a test gives up.
PATIENCE = 30
#: By the protocol commands come in on file descriptor 3 and answers go out on 4: puts the pipes there.
_START = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> Optional[str]:
    """The path of a Chromium, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path is not None), None)


class Browser:
    """One page of a browser; use it as a context manager.

    ``requests`` are the addresses of everything the page asked for, ``problems`` all messages of its
    console, exceptions and refusals by its security policy.
    """

    def __init__(self, width: int, height: int, phone: bool = False, dark: bool = False) -> None:
        path = find_browser()
        assert path is not None
        profile = self._folder = tempfile.mkdtemp()
        command_out, self._command_in = os.pipe()
        self._answer_out, answer_in = os.pipe()
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
        ]
        options += [f"--user-data-dir={profile}", "--force-device-scale-factor=1", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(command_out), str(answer_in), path, *options],
            pass_fds=(command_out, answer_in),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_out)
        os.close(answer_in)
        self._number = 0
        self._session: Optional[str] = None
        self._rest = b""
        self._events: list[dict[str, Any]] = []
        self._start(width, height, phone, dark)

    def _start(self, width: int, height: int, phone: bool, dark: bool) -> None:
        targets = self.call("Target.getTargets")["targetInfos"]
        (target,) = [t["targetId"] for t in targets if t["type"] == "page"][:1]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._command_in)
        os.close(self._answer_out)
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- the protocol ---

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answer_out], [], [], PATIENCE)
            assert ready, f"the browser said nothing for {PATIENCE} seconds"
            piece = os.read(self._answer_out, 1 << 20)
            if not piece:
                raise AssertionError("the browser ended")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._command_in, data) :]
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._events.append(answer)

    # --- the page ---

    def open(self, page: Path, fragment: str = "") -> None:
        """Loads a file and waits until it is there."""
        # From the same file, another fragment would not load anything.
        for address in ("about:blank", page.resolve().as_uri() + fragment):
            self._events.clear()
            self.call("Page.navigate", url=address)
            while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
                self._events.append(self._next())

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def key(self, key: str) -> None:
        """Presses a key."""
        text = {"text": key} if len(key) == 1 else {}
        code = {"Enter": 13, "Escape": 27, "Tab": 9}.get(key, 0)
        if key == "Enter":
            text = {"text": "\r"}
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def type(self, text: str) -> None:
        """Types a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def picture(self, path: Path, selector: Optional[str] = None, highest: int = 4000) -> None:
        """Writes a picture of an element, or of what the window shows."""
        options: dict[str, Any] = {"format": "png", "captureBeyondViewport": selector is not None}
        if selector is not None:
            x, y, width, height = self.run(
                f"(r => [r.x + scrollX, r.y + scrollY, r.width, r.height])"
                f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
            )
            options["clip"] = {"x": x, "y": y, "width": width, "height": min(height, highest), "scale": 1}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    @property
    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened."""
        self.run("0")  # whatever was under way is reported before the answer
        found = [e for e in self._events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in found]

    @property
    def problems(self) -> list[str]:
        """What the console, the page's scripts and its policy had to say."""
        self.run("0")
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Audits.issueAdded")
        return [json.dumps(event["params"])[:2000] for event in self._events if event.get("method") in kinds]
