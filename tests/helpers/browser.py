"""A headless Chromium, driven by its DevTools protocol through a pipe: no package is needed."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from importlib import resources
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""Its program; None where there is none."""

_SECONDS = 30


class Browser:
    """One page of a browser; use it as a context.

    `see` waits until an expression of JavaScript is true.
    """

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += ["--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"]
        options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        options += [f"--user-data-dir={self._folder.name}"]
        # Chromium reads from descriptor 3 and writes to 4.
        shell = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, CHROMIUM, *options, "about:blank"],
            pass_fds=[to_read, to_write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        self._count, self._rest, self._session = 0, b"", None
        self.problems = []  # what pages report to the console
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._folder.cleanup()

    def _send(self, method, **parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return self._count

    def _call(self, method, **parameters):
        number = self._send(method, **parameters)
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("method") == "Page.javascriptDialogOpening":  # leave the page?
                self._send("Page.handleJavaScriptDialog", accept=True)
            if answer.get("method") == "Runtime.exceptionThrown":
                self.problems.append(str(answer["params"]["exceptionDetails"]))
            entry = answer.get("params", {}).get("entry", {})
            if answer.get("method") == "Log.entryAdded" and entry["level"] == "error":
                self.problems.append(f"{entry['text']} {entry.get('url', '')}")

    def _next(self):
        while b"\0" not in self._rest:
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def look(self, width=1400, height=900, dark=False):
        """Sets the size of the window, and light or dark."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address):
        self._call("Page.navigate", url=address)
        self.see("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """The value of an expression; promises are awaited."""
        found = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script[:200]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def see(self, script, seconds=_SECONDS):
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            if time.monotonic() > end:
                text = self.run("document.body.innerText")
                raise AssertionError(f"not seen: {script}\n{text}\n{self.problems}")
            time.sleep(0.05)

    def text(self, selector="main"):
        return self.run(f"document.querySelector({selector!r}).innerText")

    def click(self, selector):
        self.see(f"document.querySelector({selector!r})")
        self.run(f"document.querySelector({selector!r}).click()")

    def type(self, text):
        self._call("Input.insertText", text=text)

    def press(self, key):
        """Presses a key, such as `n` or `Enter`."""
        about = {"key": key, "text": "\r" if key == "Enter" else key if len(key) == 1 else ""}
        code = {"Enter": 13, "Escape": 27}.get(key, ord(key[0].upper()))
        self._call("Input.dispatchKeyEvent", type="keyDown", windowsVirtualKeyCode=code, **about)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def choose_files(self, selector, *files):
        """Gives files to an `<input type=file>`."""
        root = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def violations(self):
        """What axe finds wrong with the page: impacts, rules, and elements."""
        axe = resources.files("axe_playwright_python") / "axe.min.js"
        self.run(f"{axe.read_text(encoding='utf-8')}; 0")
        found = "({violations}) => violations.map(({impact, id, nodes}) => "
        found += "`${impact}: ${id}: ${nodes.map((one) => one.html).join(' ')}`)"
        return self.run(f"axe.run({{resultTypes: ['violations']}}).then({found})")

    def screenshot(self, path, whole=False):
        data = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(data["data"]))
