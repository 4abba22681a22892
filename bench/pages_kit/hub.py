"""A hub of one's own."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

STARTS_WITHIN_S = 60
DEMO_WITHIN_S = 600


@contextlib.contextmanager
def started(program, arguments, tells, within_s):
    """Yields its address, which it tells on a line of its own."""
    if not program.exists():
        sys.exit(f"{program} is not there; build it: cargo build --release -p hub")
    with tempfile.TemporaryDirectory(prefix="pages-") as directory:
        log = pathlib.Path(directory) / "log"
        environment = {
            "PATH": os.environ["PATH"], "TMPDIR": directory, "LISTEN": "127.0.0.1:0", "RUST_LOG": "info", "CANARIES": "off",
            "STATE_DIRECTORY": f"{directory}/data",
        }
        with open(log, "wb") as out:
            hub = subprocess.Popen(
                [str(program.resolve()), *arguments], env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            until = time.monotonic() + within_s
            while not (found := re.search(tells, log.read_text(errors="replace"))):
                if hub.poll() is not None or time.monotonic() > until:
                    sys.exit(f"{program} does not start:\n{log.read_text(errors='replace')}")
                time.sleep(0.05)
            yield found.group(1)
        finally:
            hub.terminate()
            hub.wait(30)


def new(program):
    """One that nobody owns yet."""
    return started(program, [], r"http://(127\.0\.0\.1:\d+)", STARTS_WITHIN_S)


def demo(program, now):
    """One that shows what a hub shows, and stays as it is."""
    return started(program, ["demo", "--still", "--now", now], r" is running at http://([0-9.:]+)", DEMO_WITHIN_S)
