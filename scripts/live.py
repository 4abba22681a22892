"""What the checks beside this file start: programs on free ports of loopback, a certificate authority, a website to watch.
All of it ends with the check, and nothing else does.
"""
import http.client
import http.server
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"


class Failed(Exception):
    """What is not as it should be, in words."""


def tool(name, package):
    """A program, also where only root's PATH has it."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Failed(f"{name} is not here; it comes with Debian's {package}")
    return found


def binary(name):
    """One of ours: from BIN, or as cargo left it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    places = [Path(os.environ["BIN"])] if os.environ.get("BIN") else [target / "debug", target / "release", target / "dist"]
    found = [place / name for place in places if (place / name).exists()]
    if not found:
        raise Failed(f"{name} is in none of {', '.join(map(str, places))}; cargo build --workspace --bins, or set BIN")
    return max(found, key=lambda path: path.stat().st_mtime)


def free_port():
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return listener.getsockname()[1]


class Live:
    """A directory, processes and a deadline for all of it."""

    def __init__(self, seconds):
        self.ends = time.monotonic() + seconds
        self.processes, self.cleanups = [], []
        self.directory = Path(tempfile.mkdtemp(prefix="betteruptime-check."))
        self.directory.chmod(0o711)
        self.began = time.monotonic()

    def __enter__(self):
        # An end from outside must not leave anything running.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, *_):
        for cleanup in reversed(self.cleanups):
            cleanup()
        # One after the other: whoever needs another to end well has it until then.
        for name, process in reversed(self.processes):
            if process.poll() is None:
                # Postgres would wait for its clients at a SIGTERM.
                process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def say(self, text):
        print(f"{time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def start(self, name, command, environment=None, user=None, group=None):
        """Starts a program that sees nothing of this environment but PATH; its words go to a file."""
        log = (self.directory / f"{name}.log").open("wb")
        clean = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.directory), "LANG": "C.UTF-8"}
        process = subprocess.Popen([str(part) for part in command], env=clean | (environment or {}), stdout=log,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd="/", user=user, group=group)
        self.processes.append((name, process))
        return process

    def log(self, name, lines=15):
        try:
            return "\n".join((self.directory / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def wait(self, what, holds, seconds=30):
        """Until it holds; fails when a program ends meanwhile."""
        until = min(time.monotonic() + seconds, self.ends)
        while True:
            found = holds()
            if found:
                return found
            for name, process in self.processes:
                if process.poll() is not None:
                    raise Failed(f"{name} ended ({process.returncode}) while waiting for {what}:\n{self.log(name)}")
            if time.monotonic() > until:
                logs = "\n".join(f"--- {name}\n{self.log(name)}" for name, _ in self.processes)
                raise Failed(f"{what}: not within the time\n{logs}")
            time.sleep(0.1)

    def listens(self, port):
        def connects():
            with socket.socket() as one:
                one.settimeout(0.5)
                return one.connect_ex((LOOPBACK, port)) == 0
        return connects

    # --- what is needed ---------------------------------------------------------------------------------------------

    def run(self, *command, **more):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=60, **more)
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
        return done.stdout

    def postgres(self, user="test", password=None, database="betteruptime", port=None, certificate=None):
        """An address of an empty database of a server of its own; root has it run as postgres. With a certificate and its key
        it takes nobody without TLS."""
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
        if not programs:
            raise Failed("initdb is not here; it comes with Debian's postgresql")
        as_user, data, port = None, self.directory / "postgres", port or free_port()
        if os.getuid() == 0:
            as_user = pwd.getpwnam("postgres").pw_uid
        secret = self.directory / "postgres-password"
        secret.write_text(password or "none")
        data.mkdir()
        if as_user is not None:
            shutil.chown(data, "postgres")
            shutil.chown(secret, "postgres")
        self.run(programs[-1], "-D", data, "-U", user, f"--auth={'scram-sha-256' if password else 'trust'}", f"--pwfile={secret}",
                 "--encoding=UTF8", "--no-sync", user=as_user, cwd="/")
        with_tls = []
        if certificate:
            for source, name in zip(certificate, ("server.pem", "server.key")):
                shutil.copy(source, data / name)
                (data / name).chmod(0o600)
                if as_user is not None:
                    shutil.chown(data / name, "postgres")
            with_tls = ["-c", "ssl=on", "-c", "ssl_cert_file=server.pem", "-c", "ssl_key_file=server.key"]
            (data / "pg_hba.conf").write_text(f"hostssl all all {LOOPBACK}/32 scram-sha-256\n")
        self.start("postgres", [programs[-1].parent / "postgres", "-D", data, "-p", port, "-k", "", "-c", f"listen_addresses={LOOPBACK}", "-c", "fsync=off", *with_tls],
                   user=as_user)
        self.wait("Postgres to listen", self.listens(port))
        sign_in = f"{user}:{password}" if password else user
        admin = f"postgres://{sign_in}@{LOOPBACK}:{port}/postgres"

        def made():
            tried = subprocess.run([programs[-1].parent / "psql", "-qX", "-d", admin, "-c", f"create database {database}"],
                                   capture_output=True, text=True, check=False, cwd="/")
            return tried.returncode == 0 or "already exists" in tried.stderr
        self.wait("Postgres to answer", made)
        return f"postgres://{sign_in}@{LOOPBACK}:{port}/{database}"

    def authority(self):
        """Makes ca.pem and, signed by it, server.pem and server.key for loopback."""
        where, quiet = self.directory, {"cwd": self.directory}
        openssl = tool("openssl", "openssl")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self.run(openssl, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=check", **quiet)
        self.run(openssl, "req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost", **quiet)
        (where / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:false\nextendedKeyUsage=serverAuth\n")
        self.run(openssl, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "60",
                 "-out", "server.pem", "-extfile", "names", **quiet)
        return where / "ca.pem", where / "server.pem", where / "server.key"

    def website(self, certificate=None):
        """A port where a website answers: 200, and 500 for /broken."""
        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 (the name is the library's)
                self.send_response(500 if self.path == "/broken" else 200)
                self.send_header("content-length", "3")
                self.end_headers()
                self.wfile.write(b"ok\n")

            def log_message(self, *_):
                pass
        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # Whoever does not trust it says so by going away.
        server = Server((LOOPBACK, 0), Answers)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.cleanups.append(server.shutdown)
        return server.server_address[1]


class Hub:
    """A hub that listens, spoken to by its API."""

    def __init__(self, port, authority=None):
        self.port, self.token = port, None
        self.context = ssl.create_default_context(cafile=str(authority)) if authority else None

    def ask(self, method, path, body=None):
        """Status and answer."""
        kind = http.client.HTTPSConnection if self.context else http.client.HTTPConnection
        more = {"context": self.context} if self.context else {}
        connection = kind("localhost" if self.context else LOOPBACK, self.port, timeout=10, **more)
        fields = {"content-type": "application/json"} | ({"token": self.token} if self.token else {})
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, fields)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def is_ready(self):
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def make_owner(self):
        who = {"username": "check", "password": "correct horse battery"}
        status, said = self.ask("POST", "/signup", who)
        if status != 201:
            raise Failed(f"POST /signup: {status} {said}")
        status, said = self.ask("POST", "/signin", who)
        if status != 200:
            raise Failed(f"POST /signin: {status} {said}")
        self.token = json.loads(said)["token"]

    def watch(self, url, **more):
        status, said = self.ask("POST", "/api/v1/websites", {"url": url, "interval_s": 10, "timeout_s": 5} | more)
        if status != 201:
            raise Failed(f"POST /api/v1/websites {url}: {status} {said}")
        return json.loads(said)


def main(check, seconds):
    """Runs a check: prints what is wrong and ends with 1, or with 0."""
    try:
        with Live(seconds) as live:
            check(live)
    except Failed as why:
        print(f"FAILED: {why}", file=sys.stderr)
        sys.exit(1)
