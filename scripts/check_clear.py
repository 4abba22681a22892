"""Part of check-clear.sh, inside a network of its own: what passes between the parts, searched for what nobody may read."""
import base64
import http.client
import json
import re
import secrets
import signal
import socket
import struct
import subprocess
import urllib.parse
import uuid

from check_probes import REGION, Redis
from live import LOOPBACK, Failed, Hub, binary, free_port, main, tool

WORKER = "pi-1"


# --- what passed ----------------------------------------------------------------------------------------------------

def streams(capture):
    """Bytes of each direction of each connection, in order, and how many packets there were; by port of either side."""
    data = capture.read_bytes()
    magic, link = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, 20)[0]
    if magic not in (0xA1B2C3D4, 0xA1B23C4D) or link != 1:
        raise Failed(f"{capture.name} has another form than expected: {magic:x}, link {link}")
    found, packets, at = {}, 0, 24
    while at < len(data):
        _, _, kept, whole = struct.unpack_from("<IIII", data, at)
        if kept != whole:
            raise Failed("a packet was cut")
        frame, at, packets = data[at + 16:at + 16 + kept], at + 16 + kept, packets + 1
        kind = struct.unpack_from(">H", frame, 12)[0]
        if kind == 0x0800:
            head = (frame[14] & 15) * 4
            protocol, whole_ip = frame[23], struct.unpack_from(">H", frame, 16)[0]
            body = frame[14 + head:14 + (whole_ip or len(frame))]
        elif kind == 0x86DD:
            protocol, body = frame[20], frame[54:]
        else:
            continue
        if protocol == 6:
            source, target, sequence = struct.unpack_from(">HHI", body)
            payload = body[(body[12] >> 4) * 4:]
            flags = body[13]
        elif protocol == 17:
            source, target, sequence, flags = *struct.unpack_from(">HH", body), 0, 0
            payload = body[8:]
        else:
            continue
        parts = found.setdefault((protocol, source, target), {"next": None, "bytes": bytearray()})
        if flags & 2:
            parts["next"] = sequence + 1 & 0xFFFFFFFF
        if not payload:
            continue
        # On loopback nothing is lost or sent twice, but for what asks whether somebody is there still.
        if protocol == 6 and parts["next"] is not None:
            behind = parts["next"] - sequence & 0xFFFFFFFF
            if 0 < behind < 1 << 31:
                payload = payload[behind:]
            elif behind:
                raise Failed(f"of {source} to {target} something was not captured")
            parts["next"] = parts["next"] + len(payload) & 0xFFFFFFFF
        parts["bytes"] += payload
    return {way: bytes(parts["bytes"]) for way, parts in found.items() if parts["bytes"]}, packets


def forms(value):
    """A secret as it may look on the way: as it is, in an address, as base64 at each place, in hex; an id also as its 16 bytes."""
    plain = value.encode()
    yield plain
    yield urllib.parse.quote_plus(value).encode()
    yield plain.hex().encode()
    for shift in range(3):
        # Without the letters that hang on what is beside it.
        coded = base64.b64encode(b"\0" * shift + plain)
        yield coded[-(-shift * 8 // 6):len(coded) - (4 if (len(plain) + shift) % 3 else 0)]
    try:
        one = uuid.UUID(value)
    except ValueError:
        return
    yield one.bytes
    yield one.hex.encode()


def begins_with_tls(way, ways):
    """Both directions, from their first byte on; Postgres asks first whether there is TLS."""
    mine, other = ways[way], ways.get((way[0], way[2], way[1]), b"")
    for one in (mine, other):
        one = one.removeprefix(bytes.fromhex("0000000804d2162f"))
        if one[:2] == b"S\x16":
            one = one[1:]
        # A record of TLS: kind, major version; nothing at all, where only whether somebody listens was asked.
        if one and not (one[0] in (0x15, 0x16) and one[1] == 3):
            return False
    return True


# --- what is done meanwhile -------------------------------------------------------------------------------------------

class Capture:
    def __init__(self, live):
        self.live, self.file = live, live.directory / "capture"
        self.process = live.start("tcpdump", [tool("tcpdump", "tcpdump"), "-i", "lo", "-n", "-s", "0", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", self.file])
        live.wait("the capture to begin", lambda: "listening on lo" in live.log("tcpdump"))

    def end(self):
        self.live.processes = [one for one in self.live.processes if one[1] is not self.process]
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        said = self.live.log("tcpdump")
        if not re.search(r"^0 packets dropped by kernel", said, re.M):
            raise Failed(f"not everything was captured:\n{said}")
        return streams(self.file)


def form(hub, path, fields, cookie=None):
    """As a browser sends it; status, cookies."""
    connection = http.client.HTTPSConnection("localhost", hub.port, timeout=10, context=hub.context)
    head = {"content-type": "application/x-www-form-urlencoded", "origin": f"https://localhost:{hub.port}"} | ({"cookie": cookie} if cookie else {})
    try:
        connection.request("POST", path, urllib.parse.urlencode(fields), head)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
        if answer.status != 303:
            raise Failed(f"POST {path}: {answer.status} {said[:2000]}")
        return [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    finally:
        connection.close()


def wanted(hub, method, path, body=None):
    status, said = hub.ask(method, path, body)
    if status not in (200, 201, 202):
        raise Failed(f"{method} {path}: {status} {said}")
    return json.loads(said)


def enrol(live, environment, admin, redis):
    """By the command, which reads the administrator's address from a file."""
    address = live.directory / "redis-admin-url"
    address.write_text(admin)
    settings = live.directory / f"{WORKER}.env"
    command = [binary("betteruptime-hub"), "probe", "enrol", REGION, WORKER, "--redis-url", f"rediss://localhost:{redis.port}", "--out", settings]
    done = subprocess.run(command, env={"PATH": "/usr/bin", "REDIS_ADMIN_URL_FILE": str(address)} | environment, capture_output=True, text=True, check=False, timeout=60,
                          cwd=live.directory)
    if done.returncode != 0:
        raise Failed(f"probe enrol: {done.stdout}{done.stderr}")
    return settings


def check(live):
    live.run(tool("ip", "iproute2"), "link", "set", "lo", "up")
    # No name may be asked for outside, and none is.
    hosts = live.directory / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    live.run("mount", "--bind", hosts, "/etc/hosts")
    capture = Capture(live)

    # Nothing of it may be part of what is allowed to be seen, so all of it is random.
    known = {"the owner's name": "owner" + secrets.token_hex(6), "the owner's password": secrets.token_hex(16), "Postgres' password": secrets.token_hex(16),
             "a website's path": "telling-" + secrets.token_hex(8), "a website's header": secrets.token_hex(16), "a website's password": secrets.token_hex(16),
             "a website's tag": "tag-" + secrets.token_hex(6)}
    authority, certificate, key = live.authority()
    database = live.postgres("betteruptime", known["Postgres' password"], certificate=(certificate, key))
    redis = Redis(live, [], authority, certificate, key, admin="-@all +ping +hello +client|setname +client|kill +acl")
    port, website = free_port(), live.website((certificate, key))
    known |= {"Redis' password of the hub": redis.passwords["hub"], "Redis' password of the administrator": redis.passwords["admin"],
              "the key of sessions": secrets.token_hex(32)}
    environment = {
        "DATABASE_URL": f"{database}?sslmode=verify-full&sslrootcert={authority}", "REDIS_URL": f"rediss://bu-hub:{redis.passwords['hub']}@localhost:{redis.port}",
        "JWT_SECRET_KEY": known["the key of sessions"], "LISTEN": f"{LOOPBACK}:{port}", "STATE_DIRECTORY": str(live.directory / "hub"), "CA_FILE": str(authority),
        "TLS_CERT_FILE": str(certificate), "TLS_KEY_FILE": str(key), "PUBLIC_URL": f"https://localhost:{port}",
    }
    live.start("hub", [binary("betteruptime-hub"), "serve"], environment)
    hub = Hub(port, authority)
    live.wait("the hub to be ready", hub.is_ready, 40)
    settings = enrol(live, environment, f"rediss://admin:{redis.passwords['admin']}@localhost:{redis.port}", redis)
    known["Redis' password of the probe"] = re.search(r"REDIS_URL=rediss://[^:]+:([^@]+)@", settings.read_text())[1]
    live.start("probe", [binary("betteruptime-probe"), "run", "--config", settings], {"CA_FILE": str(authority), "CANARIES": "off", "ALLOW_PRIVATE": "127.0.0.0/8"})
    live.say("hub, Postgres, Redis and a website, all with TLS, and a probe that was enrolled")

    who = {"username": known["the owner's name"], "password": known["the owner's password"]}
    wanted(hub, "POST", "/signup", who)
    cookie = next(one for one in form(hub, "/signin", who) if "session" in one)
    known["the cookie of a session"] = cookie.partition("=")[2]
    hub.token = known["a session's token"] = wanted(hub, "POST", "/signin", who)["token"]
    hub.token = known["an API key"] = wanted(hub, "POST", "/api/v1/keys", {"name": "check", "scopes": ["read", "write"], "expires_in_days": 1})["key"]
    path, header = known["a website's path"], known["a website's header"]
    address = f"https://localhost:{website}/{path}"
    form(hub, "/websites/new", [("url", address), ("interval_s", "10"), ("timeout_s", "5"), ("tags", known["a website's tag"]),
                                ("headers", f"X-Api-Key: {header}"), ("sign_in", "basic"), ("username", "someone"),
                                ("password", known["a website's password"])], cookie)
    [found] = wanted(hub, "GET", "/api/v1/websites")["websites"]
    known["a website's id"] = found["id"]
    ticks = live.wait("a tick to be ingested", lambda: wanted(hub, "GET", f"/api/v1/websites/{found['id']}/ticks")["ticks"], 40)
    if ticks[0]["outcome"] != "up" or found["url"] != address or known["a website's tag"] not in found["tags"]:
        raise Failed(f"the website is not what it should be: {found} {ticks[0]}")
    for page in ("/", f"/websites/{found['id']}"):
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=hub.context)
        connection.request("GET", page, headers={"cookie": cookie})
        shown = connection.getresponse().read().decode()
        connection.close()
        if path not in shown:
            raise Failed(f"{page} does not show the website")
    live.say(f"an owner, a key, a website with secrets, {len(ticks)} ticks ({REGION}), pages")

    # What is sent in clear on purpose, in each form that is searched for.
    controls, plain = ["control-" + secrets.token_hex(8), str(uuid.uuid4())], live.website()
    with socket.create_connection((LOOPBACK, plain), timeout=10) as open_way:
        open_way.sendall(b"GET / HTTP/1.0\r\n\r\n" + b" ".join(form_ for control in controls for form_ in forms(control)))
        while open_way.recv(4096):
            pass
    ways, packets = capture.end()
    live.say(f"{packets} packets, {sum(map(len, ways.values())):,} bytes in {len(ways)} directions")
    judge(live, ways, known, controls, plain, {"the hub": port, "Redis": redis.port, "the website": website, "Postgres": urllib.parse.urlsplit(database).port})


def judge(live, ways, known, controls, plain, ports):
    by_purpose = {way: data for way, data in ways.items() if plain in way[1:]}
    others = {way: data for way, data in ways.items() if way not in by_purpose}
    for form_ in (form_ for control in controls for form_ in forms(control)):
        if not any(form_ in data for data in by_purpose.values()):
            raise Failed(f"the search does not find {form_!r}, which was sent in clear: it would find nothing else either")
    for name, value in known.items():
        for form_ in forms(value):
            for way, data in ways.items():
                if form_ in data:
                    raise Failed(f"{name} is readable between ports {way[1]} and {way[2]}: {data[max(0, data.find(form_) - 40):][:120]!r}")
    for way in others:
        if way[0] != 6 or not begins_with_tls(way, others):
            raise Failed(f"{'TCP' if way[0] == 6 else 'UDP'} from port {way[1]} to {way[2]} is not TLS: {others[way][:80]!r}")
    counts = {name: sum(port == way[2] for way in others) for name, port in ports.items()}
    if not all(counts.values()):
        raise Failed(f"nobody spoke to {', '.join(name for name, count in counts.items() if not count)}: the capture did not see it")
    live.say(f"{len(known)} secrets in {sum(len(list(forms(value))) for value in known.values())} forms: none is readable; what was sent in clear on purpose was found")
    live.say("all else is TLS from its first byte: " + ", ".join(f"{count} connections to {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main(check, 110)
