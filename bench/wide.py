#!/usr/bin/env python3
"""What pages cost at the server when an account has 1,000 websites, watched from five regions while it is asked.

    cargo build --release -p hub -p probe && bench/wide.py [--websites 1000] [--loads 300] [--json FILE]

Starts Postgres, Redis, a hub and five probes of its own, has each region look at each website every minute (every 50th fails, every
20th is in a tag of its own), waits until each region has reported of each, and asks for pages in turn, as one who is signed in and
takes gzip. Prints p50 and p99 of the whole way over loopback, bytes as they are sent and as they are read. BIN names a folder with the
programs. What history adds is another question: `cargo bench -p hub --bench history_reads`.
"""
import argparse
import gzip
import http.client
import json
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import live  # noqa: E402

REGIONS = ("EU", "INDIA", "USA", "BRAZIL", "JAPAN")
GOAL_MS, GOAL_BYTES = 50, 60_000


class Websites(threading.Thread):
    """Answers at once: 200, and 500 where the path ends in 7 of every 50."""

    def __init__(self):
        super().__init__(daemon=True)
        import asyncio
        self.asyncio, self.port, self.ready = asyncio, None, threading.Event()

    def run(self):
        async def answer(reader, writer):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                status = b"500 Trouble" if int(head.split(b" ", 2)[1].rsplit(b"/", 1)[1]) % 50 == 7 else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                await writer.drain()
            except (OSError, ValueError, self.asyncio.IncompleteReadError):
                pass
            writer.close()

        async def serve():
            server = await self.asyncio.start_server(answer, live.LOOPBACK, 0, backlog=1024)
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await server.serve_forever()
        self.asyncio.run(serve())


def asked(port, token, path, loads):
    """Sorted times in ms, bytes as sent and as read."""
    fields = {"cookie": f"betteruptime_session={token}", "accept-encoding": "gzip"}
    connection, taken = http.client.HTTPConnection(live.LOOPBACK, port, timeout=30), []
    for _ in range(loads + 5):
        for is_last in (False, True):
            began = time.perf_counter()
            try:
                connection.request("GET", path, headers=fields)
                answer = connection.getresponse()
                sent = answer.read()
                break
            except (http.client.HTTPException, OSError):
                connection.close()  # after a minute the hub closes it
                if is_last:
                    raise
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise live.Failed(f"GET {path}: {answer.status} {sent[:200]}")
    connection.close()
    whole = gzip.decompress(sent) if answer.getheader("content-encoding") == "gzip" else sent
    return sorted(taken[5:]), len(sent), len(whole)


def measure(started, arguments):
    database, redis = started.postgres(), live.free_port()
    started.start("redis", [live.tool("redis-server", "redis-server"), "--port", redis, "--bind", live.LOOPBACK, "--save", "", "--appendonly", "no"])
    started.wait("Redis to listen", started.listens(redis))
    port, websites = live.free_port(), Websites()
    websites.start()
    websites.ready.wait(10)
    shared = {"REDIS_URL": f"redis://{live.LOOPBACK}:{redis}", "CANARIES": "off"}
    started.start("hub", [live.binary("betteruptime-hub")], shared | {
        "DATABASE_URL": database, "LISTEN": f"{live.LOOPBACK}:{port}", "STATE_DIRECTORY": str(started.directory / "data"),
        "HOST_CHECKS_PER_S": "1000", "API_REQUESTS_PER_S": "100000", "JWT_SECRET_KEY": "d2lkZSB3aWRlIHdpZGUgd2lkZSB3aWRlIHdpZGUgd2lkZSE="})
    hub = live.Hub(port)
    started.wait("the hub", hub.is_ready, 60)
    for region in REGIONS:
        started.start(f"probe-{region}", [live.binary("betteruptime-probe")], shared | {
            "CONSUMER_GROUP_REGION_ID": region, "WORKER_ID": "a", "ALLOW_PRIVATE": "127.0.0.0/8", "CONCURRENCY": "20"})
    hub.make_owner()

    def of(n):
        tags = ["shop"] if n % 20 == 0 else []
        return {"url": f"http://{live.LOOPBACK}:{websites.port}/{n}", "interval_s": 60, "timeout_s": 5, "tags": tags}
    for first in range(0, arguments.websites, 500):
        some = [of(n) for n in range(first, min(first + 500, arguments.websites))]
        status, said = hub.ask("POST", "/api/v1/websites/bulk", {"action": "create", "websites": some, "all_or_nothing": True})
        if status != 200:
            raise live.Failed(f"POST /api/v1/websites/bulk: {status} {said[:300]}")
    started.say(f"{arguments.websites:,} websites; waiting for {len(REGIONS)} regions to look at each three times")

    psql = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
    count = "select count(*) from (select website_id, region_id from tick group by 1, 2 having count(*) >= 3) as seen"
    wanted = arguments.websites * len(REGIONS)
    started.wait("all regions", lambda: int(started.run(psql, "-qXtA", "-d", database, "-c", count) or 0) >= wanted, 400)
    _, listed = hub.ask("GET", "/api/v1/websites?limit=1")
    first = json.loads(listed)["websites"][0]["id"]
    pages = {
        "dashboard, 200 of them": "/", "dashboard, by name": "/?sort=name", "dashboard, searched": "/?q=77", "dashboard, of a tag": "/?tag=shop",
        "dashboard, renewed": "/websites/fragment", "wall": "/?tv=1", "a website": f"/websites/{first}", "incidents": "/incidents",
        "list of the API, 100": "/api/v1/websites?limit=100", "list of the ancestor, all": "/website", "probes": "/probes",
    }
    rows = []
    for name, path in pages.items():
        try:
            taken, sent, whole = asked(port, hub.token, path, arguments.loads)
        except live.Failed as why:
            print(f"{name}: {why}", file=sys.stderr)
            continue
        at = lambda share: round(taken[min(len(taken) - 1, int(len(taken) * share))], 1)  # noqa: E731
        rows.append({"page": name, "path": path.replace(first, ":id"), "p50_ms": at(0.5), "p99_ms": at(0.99), "sent_bytes": sent, "read_bytes": whole})
    print(f"{'page':<28}{'p50 ms':>9}{'p99 ms':>9}{'sent':>10}{'read':>11}")
    for row in rows:
        print(f"{row['page']:<28}{row['p50_ms']:>9}{row['p99_ms']:>9}{row['sent_bytes']:>10,}{row['read_bytes']:>11,}")
    over = [row["page"] for row in rows if row["path"].split("?")[0] in ("/", "/api/v1/websites") and (row["p99_ms"] > GOAL_MS or row["sent_bytes"] > GOAL_BYTES)]
    print(f"Above {GOAL_MS} ms or {GOAL_BYTES:,} bytes: {', '.join(over) or 'none'} (goal for dashboard and list).")
    if arguments.hold:
        started.say(f"http://{live.LOOPBACK}:{port}, user check, password correct horse battery; {database}; cookie betteruptime_session={hub.token}")
        while time.monotonic() < started.ends:
            time.sleep(1)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--websites", type=int, default=1_000)
    parser.add_argument("--loads", type=int, default=300)
    parser.add_argument("--json", type=Path, help="a file for the table, for programs")
    parser.add_argument("--hold", action="store_true", help="leave all of it running for a quarter of an hour, to be looked at")
    arguments = parser.parse_args()
    live.main(lambda started: measure(started, arguments), 900)


if __name__ == "__main__":
    main()
