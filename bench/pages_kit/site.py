"""The demo's pages by plain HTTP, and which there are."""

import gzip
import html
import http.client
import json
import re
import statistics
import sys
import time

USER, PASSWORD = "demo", "lantern-demo"
LOADS = 50
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Not pages: files, streams, what ends the session.
LEFT_OUT = re.compile(r"^/(api|static|badge|ping|signout|website/|status/)|\.(csv|json|svg|atom)$|/fragment$")
# What links with a query lead to, one of each.
ASKED = ("/?tv=1", "/?choose=1", "/?sort=tag", "/incidents?state=open", "/channels/new?kind=email", "/channels/new?kind=webhook")
# Of who is not signed in.
STRANGERS = ("/", "/signin", "/docs", "/s/lantern", "/acknowledge/none", "/join/none", "/nowhere")
SIGNED_OUT = " (signed out)"


def shown(path):
    return UUID.sub(lambda found: "…" + found.group()[-6:], path)


class Site:
    """Signed in, unless the account is left out."""

    def __init__(self, address, username=USER, password=PASSWORD):
        self.address, self.connection, self.token = address, None, None
        if username is None:
            return
        status, _, body = self.ask("POST", "/signin", json.dumps({"username": username, "password": password}))
        if status != 200:
            sys.exit(f"{address} lets {username} in with status {status}: is it a demo?")
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

    def crawl(self, of_a_kind):
        """Pages that links lead to, so many of those that differ in their id alone."""
        found, seen, kinds, pages = ["/"], {"/"}, {}, []
        for path in found:
            status, headers, body = self.ask("GET", path)
            if status != 200 or not headers.get("Content-Type", "").startswith("text/html"):
                continue
            pages.append(path)
            for link in re.findall(r'href="(/[^"#]*)', body):
                link = html.unescape(link)
                kind = UUID.sub(":id", link)
                if link in seen or LEFT_OUT.search(kind) or "?" in link:
                    continue
                seen.add(link)
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] <= of_a_kind:
                    found.append(link)
        return pages + list(ASKED)
