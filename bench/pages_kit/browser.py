"""Chromium by its debugging protocol, one page in it."""

import base64
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
import json

from .socket import WebSocket

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
    "--remote-debugging-port=0",
]

FONTS = "/usr/share/fonts/truetype/dejavu"


class Browser:
    """Starts one, and ends it with `close`."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="pages-")
        environment = dict(os.environ, HOME=self.profile, TZ="UTC", LANG="C.UTF-8", FONTCONFIG_FILE=self._fonts())
        command = [shutil.which("chromium") or "chromium", *ARGUMENTS, f"--user-data-dir={self.profile}", "about:blank"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            self.socket = WebSocket(self._page())
        except BaseException:
            self.close()
            raise
        self.number = 0
        self.events = []
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def _fonts(self):
        """The same letters on every machine, whatever else is installed: those that Debian's fontconfig brings."""
        if not os.path.exists(f"{FONTS}/DejaVuSans.ttf"):
            raise RuntimeError(f"{FONTS} is not there; install it (Debian: fonts-dejavu-core)")
        file = os.path.join(self.profile, "fonts.conf")
        mono = "<alias binding=\"same\"><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>"
        rest = "<match target=\"pattern\"><edit name=\"family\" mode=\"append_last\"><string>DejaVu Sans</string></edit></match>"
        with open(file, "w", encoding="ascii") as out:
            out.write(f"<fontconfig><dir>{FONTS}</dir><cachedir>{self.profile}/fonts</cachedir>{mono}{rest}</fontconfig>")
        return file

    def _page(self):
        file, until = os.path.join(self.profile, "DevToolsActivePort"), time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError("chromium does not start; install it (Debian: chromium)")
            try:
                with open(file, encoding="ascii") as lines:
                    port = int(lines.readline())
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                    pages = [page for page in json.load(answer) if page["type"] == "page"]
                if pages:
                    return pages[0]["webSocketDebuggerUrl"]
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        raise RuntimeError("chromium does not open its debugging port within a minute")

    def close(self):
        if hasattr(self, "socket"):
            self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        shutil.rmtree(self.profile, ignore_errors=True)

    def name(self):
        return self.call("Browser.getVersion")["product"]

    def call(self, method, **parameters):
        self.number += 1
        number = self.number
        self.socket.send({"id": number, "method": method, "params": parameters})
        while True:
            message = self.socket.receive()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def wait_for(self, method, timeout_s=30):
        """The next event of this name, of those that came since they were last forgotten."""
        until = time.monotonic() + timeout_s
        while True:
            for place, event in enumerate(self.events):
                if event["method"] == method:
                    del self.events[place]
                    return event["params"]
            self.socket.socket.settimeout(max(0.1, until - time.monotonic()))
            try:
                message = self.socket.receive()
            except TimeoutError as late:
                raise RuntimeError(f"{method} did not come within {timeout_s} s") from late
            finally:
                self.socket.socket.settimeout(60)
            if "method" in message:
                self.events.append(message)

    def open(self, url):
        """Opens a page and waits until it and all it loads are there. Returns the events on the way."""
        self.events.clear()
        found = self.call("Page.navigate", url=url)
        if found.get("errorText"):
            raise RuntimeError(f"{url}: {found['errorText']}")
        seen = []
        while True:
            self.wait_for_any(seen)
            if any(event["method"] == "Page.loadEventFired" for event in seen):
                return seen

    def wait_for_any(self, seen):
        if self.events:
            seen.extend(self.events)
            self.events.clear()
            return
        message = self.socket.receive()
        if "method" in message:
            seen.append(message)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def size(self, width, height=900):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def theme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def scripts(self, are_on):
        self.call("Emulation.setScriptExecutionDisabled", value=not are_on)

    def slow(self, rate):
        self.call("Emulation.setCPUThrottlingRate", rate=rate)

    def png(self, most_high):
        """A picture of the whole page, in base 64."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most_high), "scale": 1}
        return self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]

    def picture(self, file, most_high=8000):
        file.write_bytes(base64.b64decode(self.png(most_high)))
