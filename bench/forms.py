#!/usr/bin/env python3
"""Every form of the pages, filled in and sent by Chromium that runs no script, on a hub that nobody owns yet.

    cargo build -p hub
    bench/forms.py                    # starts a hub of its own, in a directory that is removed
    bench/forms.py --sent FILE        # writes down where forms were sent to, one path a line, ids as :id

Ends with 1 when a field is missing or not to be seen, when the browser would not send a form, or what comes is not what it is for.
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import pathlib
import struct
import sys
import tempfile
import time
import zlib
from urllib.parse import urlsplit

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from pages_kit import hub  # noqa: E402
from pages_kit.browser import Browser  # noqa: E402
from pages_kit.filler import Filler, Trouble  # noqa: E402
from pages_kit.site import Site  # noqa: E402
from pages_kit.target import Target  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
ANN = {"username": "ann", "password": "correct horse"}
BOB = {"username": "bob", "password": "battery staple"}
LATER = "another correct horse"


def code(secret, later=0):
    """What an app shows for a secret (RFC 6238), now or so many half minutes later."""
    mark = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30 + later), hashlib.sha1).digest()
    at = mark[-1] & 15
    return f"{(struct.unpack('>I', mark[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def png():
    """A picture of one pixel."""
    part = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))  # noqa: E731
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"\0\x1a\x7f\x5a")) + part(b"IEND", b"")


def websites(one, target):
    one.go("/")
    one.send(fields=ANN, sees=".empty a[href='/websites/new']")
    one.go("/websites/new")
    one.send(fields={"url": target.url, "tags": "eu", "accept": "200-299", "interval_s": "60"}, sees=".verdict")
    one.reload_until(".verdict.up")
    page = one.path
    one.send("form[action$='/check']", sees="#asked")
    one.send("form[action$='/pause']", sees="#resume")
    one.send("form[action$='/resume']", sees="#check")
    one.follow(".actions a[href$='/edit']")
    one.send(fields={"tags": "eu, shop", "uptime_goal": "99.9"}, sees=".tags a[href*='tag=shop']")
    one.go("/?choose=1")
    one.send("#bulk", {"id": page.rsplit("/", 1)[1]}, "button[value=pause]", sees=".toast")
    one.go(page)
    one.send("form[action$='/resume']", sees="#check")
    return page


def jobs(one):
    one.go("/jobs/new")
    fields = {"name": "Backup", "schedule": "cron", "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "grace": "15"}
    one.send(fields=fields, says="/ping/")
    before = one.text()
    one.send("form[action$='/ping-url']", says="/ping/")
    if one.text() == before:
        raise Trouble("a job's address is the same as before")
    one.follow(".actions a[href$='/edit']")
    one.send(fields={"name": "Nightly backup"}, says="Nightly backup")
    one.follow(".actions a[href$='/delete']")
    one.send(sees=".board, .hero, h1")


def channels(one, target):
    one.go("/channels/new?kind=webhook")
    one.send(fields={"name": "Tickets", "url": f"{target.base}/hook"}, sees="#secret")
    one.follow("main a.button")
    page = one.path
    one.send("form[action$='/test']")
    one.reload_until(".tested.up")
    one.send("form[action$='/off']", says="Switch on")
    one.send("form[action$='/on']", says="Switch off")
    one.follow("a[href$='/edit']")
    one.send(fields={"name": "Ticket system"}, says="Ticket system")
    one.go("/channels/new?kind=email")
    one.send(fields={"name": "Mail", "to": "ops@example.com", "from": "hub@example.com", "server": "127.0.0.1"}, says="Mail")
    return page


def reports(one):
    one.go("/reports")
    one.send("form[action='/reports/schedules']", {"rhythm": "weekly", "channel": "*"}, says="Remove")
    one.send("form[action$='/delete']", sees="form[action='/reports/schedules']")
    one.send("form[method=get].ask", {"from": "2026-10-05", "to": "2026-10-11"}, says="2026-10-05")


def maintenance(one):
    one.go("/maintenance/new")
    starts = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")
    fields = {"name": "Database", "scope": "website", "website_id": "*", "time_zone": "UTC", "starts": starts, "hours": "1", "minutes": "0", "repeats": "daily"}
    one.send(fields=fields, button="button[name=preview]", says="UTC")
    one.send(button="button.main", says="Running")
    one.follow("main a[href$='/edit']")
    one.send(fields={"name": "Database update"}, button="button.main", says="Database update")
    one.send("form[action$='/end']", says="Upcoming")
    one.follow("main a[href$='/delete']")
    one.send(sees="a[href='/maintenance/new']")


def status_pages(one, target, logo):
    one.go("/status-pages/new")
    fields = {"name": "Acme status", "slug": "acme", "access": "password", "password": "lantern light", "row_name": "Shop", "row_website": target.url, "mail_channel_id": "*"}
    one.send(fields=fields, button="button.main", sees="#publish")
    page = one.path
    root = one.browser.call("DOM.getDocument")["root"]["nodeId"]
    field = one.browser.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    one.browser.call("DOM.setFileInputFiles", nodeId=field, files=[str(logo)])
    one.send("form[action$='/logo']", says="There is one")
    one.send("form[action$='/posts']", {"kind": "incident", "title": "The shop is slow", "said": "We look into it.", "components": one.browser.evaluate("document.querySelector('[name=components]').value")}, says="The shop is slow")
    one.send("form[action$='/updates']", {"state": "resolved", "said": "All is well."}, says="All is well.")
    one.go("/s/acme")
    one.send("form[action$='/unlock']", {"password": "lantern light"}, says="The shop is slow")
    one.go(page)
    one.follow("a[href^='/status-posts/']")
    one.follow("a[href$='/delete']")
    one.send(sees="#publish")
    one.follow("a[href$='/edit']")
    one.send(fields={"access": "link"}, button="button.main", sees="form[action$='/link']")
    one.send("form[action$='/link']", sees="#secret")
    one.go(page)
    one.follow("a[href$='/delete']")
    one.send(sees="a[href='/status-pages/new']")


def settings(one, address):
    one.go("/settings")
    one.send("form[action='/settings/keys']", {"name": "Screen", "scopes": one.browser.evaluate("document.querySelector('[name=scopes]').value")}, sees="#secret")
    one.go("/settings")
    one.send("form[action$='/revoke']", sees="#sessions")
    for _ in range(2):
        Site(address, **ANN)
    one.go("/settings")
    one.send("form[action^='/settings/sessions/'][action$='/end']:not([action='/settings/sessions/end'])", sees="#sessions")
    one.send("form[action='/settings/sessions/end']", sees="#sessions")
    one.send("form[action='/settings/password']", {"present_password": ANN["password"], "new_password": LATER, "new_password_again": LATER}, sees="h1")
    ANN["password"] = LATER
    one.go("/settings/factor")
    one.send("form[action$='/begin']", {"present_password": LATER}, sees="form[action$='/confirm']")
    secret = one.browser.evaluate("document.querySelector('ol code').innerText").replace(" ", "")
    one.send("form[action$='/confirm']", {"code": code(secret)}, says="Recovery codes")
    one.go("/settings/factor")
    # Each code counts once; an app whose clock is a little ahead is believed.
    one.send("form[action$='/codes']", {"code": code(secret, 1)}, says="Recovery codes")
    codes = one.browser.evaluate("document.querySelector('main pre').innerText").split()
    sign_out(one)
    one.go("/signin")
    one.send(fields=ANN, sees="#code")
    one.send(fields={"recovery_code": codes[0]}, sees="nav[aria-label=Main]")
    one.go("/settings/factor")
    one.send("form[action$='/off']", {"code": codes[1], "present_password": LATER}, sees="form[action$='/begin']")


def sign_out(one):
    one.send("form.who", sees="body")


def sign_in(one, who):
    one.go("/signin")
    one.send(fields=who, sees="nav[aria-label=Main]")


def to_team(one, name):
    """Each has a team of his own, and this one."""
    one.go("/team")
    if name not in one.browser.evaluate("document.querySelector('h1').innerText"):
        one.send("form[action='/team/switch']", sees="nav[aria-label=Main]")
        one.go("/team")
    one.expect(says=name)


def of_bob(one, what):
    row = "[...document.querySelectorAll('tbody tr')].find(row => row.innerText.trim().startsWith('bob'))"
    return f"form[action='{urlsplit(one.browser.evaluate(f'{row}.querySelector(`form[action$={what}]`).action')).path}']"


def teams(one):
    one.go("/team")
    one.send("form[action='/team/new']", {"name": "Night"}, says="Night")
    to_team(one, "Night")
    one.send("form[action='/team/name']", {"name": "Night shift"}, says="Night shift")
    one.send("form[action='/team/invitations']", {"role": "viewer"}, says="/join/")
    one.go("/team")
    one.send("form[action$='/revoke']", sees="#members")
    links = []
    for _ in range(2):
        one.send("form[action='/team/invitations']", {"role": "viewer"}, says="/join/")
        links.append(one.browser.evaluate("document.querySelector('main .card code').innerText"))
        one.go("/team")
    sign_out(one)
    one.go(links[0])
    one.send(fields=BOB, sees="nav[aria-label=Main]")
    sign_out(one)
    sign_in(one, ANN)
    to_team(one, "Night shift")
    one.send(of_bob(one, "role"), {"role": "editor"}, sees="#members")
    sign_out(one)
    sign_in(one, BOB)
    to_team(one, "Night shift")
    one.send("form[action='/team/leave']", sees="h1")
    one.go(links[1])
    one.send(sees="h1")
    sign_out(one)
    sign_in(one, ANN)
    to_team(one, "Night shift")
    one.send(of_bob(one, "remove"), sees="#members")
    one.go("/team/delete")
    one.send(fields={"password": ANN["password"]}, sees="h1")
    one.go("/team")


def ends(one, page, channel):
    one.go(channel)
    one.follow("a[href$='/delete']")
    one.send(sees="h1")
    one.go(page)
    one.follow("a[href$='/delete']")
    one.send(sees="h1")
    # The owner of an installation cannot go as long as nobody else is one.
    sign_out(one)
    sign_in(one, BOB)
    one.go("/settings/delete")
    one.send(fields={"password": BOB["password"]}, sees="h1")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "debug" / "betteruptime-hub")
    parser.add_argument("--sent", type=pathlib.Path, help="a file for where forms were sent to")
    arguments = parser.parse_args()
    began, browser, target = time.monotonic(), Browser(), Target()
    one, wrong = None, None
    try:
        with hub.new(arguments.program) as address, tempfile.NamedTemporaryFile(suffix=".png") as logo:
            pathlib.Path(logo.name).write_bytes(png())
            one = Filler(browser, address)
            page = websites(one, target)
            jobs(one)
            channel = channels(one, target)
            reports(one)
            maintenance(one)
            status_pages(one, target, logo.name)
            settings(one, address)
            teams(one)
            ends(one, page, channel)
    except Trouble as trouble:
        wrong = str(trouble)
    finally:
        browser.close()
        target.close()
    sent = sorted(set(one.sent)) if one else []
    if arguments.sent:
        arguments.sent.write_text("\n".join(sent) + "\n")
    print(f"{len(sent)} forms were sent without script, in {time.monotonic() - began:.0f} s.")
    if wrong:
        sys.exit(wrong)


if __name__ == "__main__":
    main()
