#!/usr/bin/env python3
"""Looks at every page of the demo with Chromium: what each weighs, how long it takes, whether all of it is there without a script,
whether it can be scrolled sideways, what axe-core finds, whose clocks its times are by; takes pictures, and compares them.

    cargo build --release -p hub
    bench/pages.py                                       # the table; starts the demo, of an instant that is always the same
    bench/pages.py --json FILE --pictures DIRECTORY      # the table for programs, too; and pictures of all pages
    bench/pages.py --compare                             # with the pictures in bench/pictures.txt; what differs is written down
    bench/pages.py --store                               # these are the pictures from now on
    bench/pages.py --check --address ... --paths FILE    # as the tests do: no times, no pictures; ends with 1 when something is wrong

Needs python3, chromium, DejaVu's letters (Debian: fonts-dejavu-core), and, but for pictures, axe-core as `npm pack` brings it (into
target/axe, once; AXE=FILE names another). Nothing else.
"""

import argparse
import base64
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from pages_kit import hub, pictures, zones  # noqa: E402
from pages_kit.look import Looker  # noqa: E402
from pages_kit.site import LEFT_OUT, SIGNED_OUT, STRANGERS, UUID, Site, shown  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOW = "2026-11-26T08:00:00Z"
AXE_VERSION = "4.11.1"
STORED = ROOT / "bench" / "pictures.txt"
MOST_STORED_BYTES = 400_000
# Of pages that differ in their id alone, so many are looked at, and so many are kept as pictures.
OF_A_KIND, PICTURED_OF_A_KIND = 4, 1
# Of so many kinds a check of them all asks for times in both zones.
BOTH_ZONES = 5
# What the comparison must see, or it sees nothing: a colour that is a little another, and a column that has moved.
SPOILT = {"/incidents": ":root { --down: #8a4b16 !important; }", "/maintenance": "td, th { padding-left: 24px !important; }"}


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


class Page:
    """A page, and as whom it is looked at."""

    def __init__(self, site, path, note=""):
        self.site, self.path, self.note = site, path, note

    @property
    def name(self):
        return self.path + self.note

    @property
    def file_name(self):
        plain = re.sub(r"[^A-Za-z0-9-]+", "-", UUID.sub(lambda found: found.group()[-6:], self.path)).strip("-") or "dashboard"
        return plain + ("-signed-out" if self.note else "")


def all_pages(site, paths, fresh, of_a_kind):
    """Those of somebody who is signed in, of somebody who is not, and of a hub that nobody owns yet."""
    stranger = Site(site.address, None)
    pages = [Page(site, path) for path in (paths or site.crawl(of_a_kind)) if not LEFT_OUT.search(path.split("?")[0])]
    pages = [page for page in pages if page.path != "/signin"]
    pages += [Page(stranger, path, SIGNED_OUT) for path in STRANGERS]
    if fresh:
        pages.append(Page(Site(fresh, None), "/signup", SIGNED_OUT))
    return pages


HEADS = {
    "page": "page", "bytes": "bytes", "requests": "requests", "p50_ms": "p50 ms", "p99_ms": "p99 ms",
    "first_paint_ms": "first paint ms, 4x slower", "without_script": "without script", "sideways": "sideways", "axe": "axe, both themes",
}


def table(rows):
    says = {True: "yes", False: "no", None: "-"}
    cell = lambda value: says[value] if value is None or isinstance(value, bool) else f"{value:,}" if isinstance(value, (int, float)) else value  # noqa: E731
    lines = [list(HEADS.values())] + [[cell(row[key]) for key in HEADS] for row in rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADS))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0])] + [text.rjust(width) for text, width in zip(line[1:], widths[1:])]))


def look(arguments, looker, pages):
    """Returns what is wrong, and the table."""
    wrong, rows, kinds = [], [], set()
    for page in pages:
        if looker.site is not page.site:
            looker.visit(page.site)
        path = page.path
        status, headers, body = page.site.ask("GET", path)
        if status != (404 if path in ("/nowhere", "/join/none", "/acknowledge/none") else 200):
            wrong.append(f"{page.name}: status {status}")
            continue
        if not headers.get("Content-Type", "").startswith("text/html"):
            continue
        if re.search(r"\bundefined\b|\bNaN\b", body):
            wrong.append(f"{page.name}: says undefined or NaN")
        is_first = (kind := UUID.sub(":id", page.name)) not in kinds
        scrolls, findings, lost = looker.wrong(path, is_thorough=is_first or not arguments.check)
        wrong += [f"{page.name}: {one}" for one in scrolls + findings + lost]
        # Times are told by the same script on all pages; one for strangers has none, and says UTC.
        if is_first and "<script" in body:
            names = zones.ZONES if len(kinds) < BOTH_ZONES or not arguments.check else zones.ZONES[1:]
            wrong += [f"{page.name}: {one}" for name in names for one in zones.wrong(looker, path, name)]
        kinds.add(kind)
        if arguments.check:
            continue
        size, requests = looker.weight(path)
        p50, p99 = page.site.times_ms(path)
        paint = looker.first_paint_ms(path)
        rows.append({
            "page": shown(page.name), "bytes": size, "requests": requests, "p50_ms": round(p50, 1), "p99_ms": round(p99, 1),
            "first_paint_ms": None if paint is None else round(paint), "without_script": not lost, "sideways": bool(scrolls), "axe": len(findings),
        })
        if arguments.pictures:
            looker.pictures(page.file_name, path, arguments.pictures)
    return wrong, rows


def picture_all(looker, pages):
    for page in pages:
        looker.visit(page.site)
        for key, picture, png in pictures.take(looker, page.path):
            yield page, (page.name, *key), picture, png


def compare(arguments, looker, pages):
    """What is not as it was. The pictures of today are written beside, where they are."""
    browser_name, stored = pictures.read(STORED)
    wrong, seen = [], set()
    for page, key, picture, png in picture_all(looker, pages):
        seen.add(key)
        if key not in stored:
            told = [f"{key[0]}, {key[1]} px, {key[2]}: is new"]
        else:
            told = pictures.compared(looker, key, picture, stored[key])
        if told:
            wrong += told
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            (arguments.pictures / f"{page.file_name}-{key[1]}-{key[2]}.png").write_bytes(base64.b64decode(png))
    wrong += [f"{page}, {width} px, {theme}: is not there any more" for page, width, theme in stored if (page, width, theme) not in seen]
    for page in pages:
        if page.note or page.path not in SPOILT or not all((page.name, *key) in stored for key in ((1280, "light"), (390, "dark"))):
            continue
        looker.visit(page.site)
        for key, picture, _ in pictures.take(looker, page.path, SPOILT[page.path]):
            if not picture.differs(stored[(page.name, *key)])[0]:
                wrong.append(f"{page.name}, {key[0]} px, {key[1]}: the comparison does not see {SPOILT[page.path]}")
    if wrong:
        wrong.append(f"Stored: {browser_name}; this is {looker.browser.name()}. Today's are in {arguments.pictures}; `bench/pages.py --store` keeps them.")
    return wrong, len(seen)


def store(looker, pages):
    kept = {key: picture for _, key, picture, _ in picture_all(looker, pages)}
    size = pictures.write(STORED, looker.browser.name(), kept)
    print(f"{len(kept)} pictures are kept in {STORED.name}: {size:,} bytes.")
    if size > MOST_STORED_BYTES:
        sys.exit(f"That is more than {MOST_STORED_BYTES:,}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--address", help="of a demo that runs (default: starts one)")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "release" / "betteruptime-hub")
    parser.add_argument("--paths", type=pathlib.Path, help="a file of paths, one a line (default: follows links)")
    parser.add_argument("--pictures", type=pathlib.Path, help="a directory for pictures; with --compare for those that differ (target/pages)")
    parser.add_argument("--json", type=pathlib.Path, help="a file for the table and what is wrong, for programs")
    parser.add_argument("--check", action="store_true", help="only say what is wrong, and end with 1 where something is")
    parser.add_argument("--compare", action="store_true", help="compare pictures with those stored, and end with 1 where one differs")
    parser.add_argument("--store", action="store_true", help="keep the pictures of today as those to compare with")
    arguments = parser.parse_args()
    began, is_for_pictures = time.monotonic(), arguments.compare or arguments.store
    axe = None if is_for_pictures else axe_source()
    if arguments.compare and not arguments.pictures:
        arguments.pictures = ROOT / "target" / "pages"
    with contextlib.ExitStack() as running:
        address = arguments.address or running.enter_context(hub.demo(arguments.program, NOW))
        fresh = None if arguments.address else running.enter_context(hub.new(arguments.program))
        site = Site(address)
        paths = arguments.paths.read_text().split() if arguments.paths else None
        pages = all_pages(site, paths, fresh, PICTURED_OF_A_KIND if is_for_pictures else OF_A_KIND)
        if arguments.pictures and not is_for_pictures:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
        looker = running.enter_context(contextlib.closing(Looker(site, axe)))
        rows, count = [], len(pages)
        if arguments.store:
            return store(looker, pages)
        if arguments.compare:
            wrong, count = compare(arguments, looker, pages)
        else:
            wrong, rows = look(arguments, looker, pages)
    if rows:
        table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"pages": rows, "wrong": wrong}, indent=1) + "\n")
    what = "pictures were compared" if arguments.compare else "pages were looked at"
    print(f"{count} {what}, in {time.monotonic() - began:.0f} s." if not wrong else f"\n{len(wrong)} findings on {count} {what.split()[0]}:")
    for one in wrong:
        print(f"  {one}")
    sys.exit(1 if wrong and (arguments.check or arguments.compare) else 0)


if __name__ == "__main__":
    main()
