#!/usr/bin/env python3
"""Looks at every page of the demo with Chromium: what each weighs, how long it takes, whether it works without a script, whether it
can be scrolled sideways, what axe-core finds; and takes pictures.

    cargo build --release -p hub
    bench/pages.py --pictures DIRECTORY                  # starts the demo, of an instant that is always the same
    bench/pages.py --address 127.0.0.1:3001              # of a demo that runs
    bench/pages.py --check --address ... --paths FILE    # as the tests do: no times, no pictures; ends with 1 when something is wrong

Needs python3, chromium, and axe-core as `npm pack` brings it (into target/axe, once; AXE=FILE names another). Nothing else.
"""

import argparse
import gzip
import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from pages_kit.browser import Browser  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOW = "2026-11-26T08:00:00Z"
USER, PASSWORD = "demo", "lantern-demo"
AXE_VERSION = "4.11.1"
WIDTHS = (320, 390, 1280, 1920)
THEMES = ("light", "dark")
LOADS = 50
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Of pages that differ in their id alone, so many are looked at.
OF_A_KIND = 4
# Not pages: files, streams, what ends the session.
LEFT_OUT = re.compile(r"^/(api|static|badge|ping|signout|website/|status/)|\.(csv|json|svg)$|/fragment$")


def axe_source():
    """axe-core, fetched once by npm into target/, which is never committed. Without it there is no answer, so this fails."""
    given = os.environ.get("AXE")
    file = pathlib.Path(given) if given else ROOT / "target" / "axe" / f"axe-{AXE_VERSION}.min.js"
    if not file.exists():
        if given:
            sys.exit(f"AXE names {file}, which is not there.")
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as place:
            packed = subprocess.run(
                ["npm", "pack", "--silent", f"axe-core@{AXE_VERSION}", "--pack-destination", place],
                capture_output=True, text=True, check=False,
            )
            if packed.returncode != 0:
                sys.exit(f"axe-core {AXE_VERSION} cannot be had from the npm registry:\n{packed.stderr}")
            with tarfile.open(pathlib.Path(place) / f"axe-core-{AXE_VERSION}.tgz") as archive:
                source = archive.extractfile("package/axe.min.js").read()
        half = file.with_suffix(f".{os.getpid()}")
        half.write_bytes(source)
        half.rename(file)
    return file.read_text(encoding="utf-8")


class Site:
    """The demo's pages by plain HTTP."""

    def __init__(self, address):
        self.address, self.connection, self.token = address, None, None
        status, _, body = self.ask("POST", "/signin", json.dumps({"username": USER, "password": PASSWORD}))
        if status != 200:
            sys.exit(f"{address} lets {USER} in with status {status}: is it a demo?")
        self.token = json.loads(body)["token"]

    def ask(self, method, path, body=None):
        headers = {"Accept-Encoding": "gzip"}
        if self.token:
            headers["Cookie"] = f"betteruptime_session={self.token}"
        if body:
            headers["Content-Type"] = "application/json"
        for is_last in (False, True):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.address, timeout=30)
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self.connection = None
                if is_last:
                    raise
        if answer.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        return answer.status, answer.headers, data.decode("utf-8", "replace")

    def times_ms(self, path):
        taken = []
        for _ in range(LOADS + 3):
            began = time.perf_counter()
            self.ask("GET", path)
            taken.append((time.perf_counter() - began) * 1000)
        taken = sorted(taken[3:])
        return statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))]

    def crawl(self):
        """Pages that links lead to, a few of each kind."""
        found, seen, kinds = ["/"], {"/"}, {}
        for path in found:
            status, headers, body = self.ask("GET", path)
            if status != 200 or not headers.get("Content-Type", "").startswith("text/html"):
                continue
            for link in re.findall(r'href="(/[^"#]*)', body):
                link = link.replace("&amp;", "&")
                kind = UUID.sub(":id", link.split("?")[0])
                if link in seen or LEFT_OUT.search(kind) or "?" in link:
                    continue
                seen.add(link)
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] <= OF_A_KIND:
                    found.append(link)
        return found


FIRST_PAINT = """new Promise(resolve => {
  const now = () => performance.getEntriesByName('first-contentful-paint')[0];
  if (now()) { resolve(now().startTime); return; }
  new PerformanceObserver((_, observer) => { if (now()) { observer.disconnect(); resolve(now().startTime); } })
    .observe({type: 'paint', buffered: true});
  setTimeout(() => resolve(null), 5000);
})"""
SCROLLS = """(() => { const e = document.scrollingElement; if (e.scrollWidth <= innerWidth) return null;
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5);
  const last = wide.filter(e => ![...e.children].some(c => wide.includes(c)))[0] || wide[0];
  return e.scrollWidth + ' px' + (last ? ', by ' + last.tagName.toLowerCase() + '.' + last.className : ''); })()"""
MAIN = "(() => { const m = document.querySelector('main'); return m ? m.innerText.replace(/\\s+/g, ' ').trim() : ''; })()"
AXE = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(v => v.impact === 'serious' || v.impact === 'critical')
  .map(v => v.impact + ' ' + v.id + ' (' + v.nodes.length + '): ' + v.help + '; ' + v.nodes.slice(0, 2).map(n => n.target.join(' ')).join(', ')))"""


class Looker:
    """A browser that is signed in."""

    def __init__(self, site, axe):
        self.site, self.axe, self.browser = site, axe, Browser()
        self.base = f"http://{site.address}"
        self.sign_in()

    def sign_in(self):
        self.browser.call("Network.setCookie", name="betteruptime_session", value=self.site.token, url=self.base)

    def url(self, path):
        return self.base + path

    def weight(self, path):
        """Bytes over the line and requests, of a browser that has nothing yet."""
        self.browser.size(1280)
        self.browser.scripts(True)
        self.browser.call("Network.clearBrowserCache")
        events = self.browser.open(self.url(path))
        sizes = [e["params"]["encodedDataLength"] for e in events if e["method"] == "Network.loadingFinished"]
        return int(sum(sizes)), len(sizes)

    def first_paint_ms(self, path):
        self.browser.slow(4)
        taken = []
        for _ in range(5):
            self.browser.call("Network.clearBrowserCache")
            self.browser.open(self.url(path))
            taken.append(self.browser.evaluate(FIRST_PAINT))
        self.browser.slow(1)
        taken = [ms for ms in taken if ms is not None]
        return statistics.median(taken) if taken else None

    def wrong(self, path):
        """Where it can be scrolled sideways, what axe-core finds in both themes, whether it says all without a script."""
        self.browser.theme("light")
        self.browser.size(1280)
        self.browser.open(self.url(path))
        whole = self.browser.evaluate(MAIN)
        scrolls = []
        for width in WIDTHS:
            self.browser.size(width)
            found = self.browser.evaluate(SCROLLS)
            if found:
                scrolls.append(f"can be scrolled sideways at {width} px: {found}")
        findings = []
        self.browser.evaluate(self.axe + "\n;0")
        for theme in THEMES:
            for width in (1280, 390):
                self.browser.theme(theme)
                self.browser.size(width)
                findings += [f"{theme}, {width} px: {one}" for one in self.browser.evaluate(AXE)]
        self.browser.scripts(False)
        self.browser.size(1280)
        self.browser.theme("light")
        self.browser.open(self.url(path))
        plain = self.browser.evaluate(MAIN)
        self.browser.scripts(True)
        return scrolls, findings, bool(plain) and len(plain) >= 0.95 * len(whole)

    def pictures(self, path, directory):
        name = UUID.sub(lambda found: found.group()[-6:], path.split("?")[0]).strip("/").replace("/", "-") or "dashboard"
        for theme in THEMES:
            for width in (1280, 390):
                self.browser.theme(theme)
                self.browser.size(width)
                self.browser.open(self.url(path))
                self.browser.picture(directory / f"{name}-{width}-{theme}.png")

    def close(self):
        self.browser.close()


def start_demo(program):
    if not program.exists():
        sys.exit(f"{program} is not there; build it: cargo build --release -p hub")
    command = [str(program), "demo", "--still", "--now", NOW, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        found = re.search(r" is running at http://([0-9.:]+)", line)
        if found:
            return process, found.group(1)
    sys.exit("the demo ended before it told its address")


def table(rows):
    heads = ["page", "bytes", "requests", "p50 ms", "p99 ms", "first paint ms", "without script", "sideways", "axe"]
    lines = [heads, *rows]
    widths = [max(len(str(line[n])) for line in lines) for n in range(len(heads))]
    for line in lines:
        cells = [str(cell).ljust(width) if n == 0 else str(cell).rjust(width) for n, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def look(arguments, site, looker, paths):
    wrong, rows = [], []
    for path in paths:
        if LEFT_OUT.search(path.split("?")[0]):
            continue
        status, headers, body = site.ask("GET", path)
        if status != 200:
            wrong.append(f"{path}: status {status}")
            continue
        if not headers.get("Content-Type", "").startswith("text/html"):
            continue
        if re.search(r"\bundefined\b|\bNaN\b", body):
            wrong.append(f"{path}: says undefined or NaN")
        scrolls, findings, without = looker.wrong(path)
        wrong += [f"{path}: {one}" for one in scrolls + findings]
        if not without:
            wrong.append(f"{path}: its content is not there without a script")
        if arguments.check:
            continue
        size, requests = looker.weight(path)
        p50, p99 = site.times_ms(path)
        paint = looker.first_paint_ms(path)
        shown = UUID.sub(lambda found: "…" + found.group()[-6:], path)
        rows.append([
            shown, f"{size:,}", requests, f"{p50:.1f}", f"{p99:.1f}", "-" if paint is None else f"{paint:.0f}",
            "yes" if without else "NO", "YES" if scrolls else "no", len(findings) or "none",
        ])
        if arguments.pictures:
            looker.pictures(path, arguments.pictures)
    if rows:
        table(rows)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--address", help="of a demo that runs (default: starts one)")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "release" / "betteruptime-hub")
    parser.add_argument("--paths", type=pathlib.Path, help="a file of paths, one a line (default: follows links)")
    parser.add_argument("--pictures", type=pathlib.Path, help="a directory for pictures")
    parser.add_argument("--check", action="store_true", help="only say what is wrong, and end with 1 where something is")
    arguments = parser.parse_args()
    axe = axe_source()
    process, address = (None, arguments.address) if arguments.address else start_demo(arguments.program)
    try:
        site = Site(address)
        paths = arguments.paths.read_text().split() if arguments.paths else site.crawl()
        if arguments.pictures:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
        looker = Looker(site, axe)
        try:
            wrong = look(arguments, site, looker, paths)
        finally:
            looker.close()
    finally:
        if process:
            process.terminate()
            process.wait(30)
    print(f"{len(paths)} pages were looked at." if not wrong else f"\n{len(wrong)} findings on {len(paths)} pages:")
    for one in wrong:
        print(f"  {one}")
    sys.exit(1 if wrong and arguments.check else 0)


if __name__ == "__main__":
    main()
