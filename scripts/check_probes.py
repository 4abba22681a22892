"""Part of check-probes.sh: each static probe is looked at and run, on a website over TLS and a Redis with TLS and ACL."""
import hashlib
import json
import os
import platform
import re
import secrets
import subprocess
import sys
import time
import uuid
from pathlib import Path

from live import LOOPBACK, ROOT, Failed, free_port, main, tool

# Name, target, emulator with the oldest processor it is for, and what readelf says of such a program.
TARGETS = {
    "x86_64": ("x86_64-unknown-linux-musl", ["qemu-x86_64-static"], ["Advanced Micro Devices X86-64"]),
    "aarch64": ("aarch64-unknown-linux-musl", ["qemu-aarch64-static", "-cpu", "cortex-a53"], ["AArch64"]),
    "armv7": ("armv7-unknown-linux-musleabihf", ["qemu-arm-static", "-cpu", "cortex-a7"], ["ARM", "Tag_CPU_arch: v7", "Tag_ABI_VFP_args: VFP registers"]),
}
REGION, CHECKS = "INDIA", 20
CROSS = Path(os.environ.get("CROSS", ROOT / ".cross"))


def place_of(name):
    return CROSS / "target" / TARGETS[name][0] / "dist/betteruptime-probe"


def asked():
    """Which are to be looked at, and whether as JSON."""
    names = [word for word in sys.argv[1:] if word != "--json"]
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise Failed(f"{unknown[0]!r} is none of {', '.join(TARGETS)}")
    found = names or [name for name in TARGETS if place_of(name).exists()]
    missing = [name for name in found if not place_of(name).exists()]
    if missing or not found:
        raise Failed(f"{place_of(missing[0]) if missing else CROSS} has no probe; scripts/build-probes.sh {' '.join(missing)} makes it")
    return found, "--json" in sys.argv[1:]


def look(live, name):
    """What can be said of the file; its size in bytes."""
    program, kind = place_of(name), TARGETS[name][2]
    readelf = tool("readelf", "binutils")
    said = live.run(readelf, "-hlSdAW", program, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    if "INTERP" in said or "(NEEDED)" in said:
        raise Failed(f"{program} is not static")
    if ".symtab" in said or ".debug_info" in said:
        raise Failed(f"{program} is not stripped")
    for part in kind:
        if part not in said:
            raise Failed(f"{program}: readelf says nothing of {part!r}")
    return program.stat().st_size


def command_of(name):
    """How it is run here: natively where that works."""
    program, (emulator, *more) = place_of(name), TARGETS[name][1]
    return [program] if platform.machine() == name else [tool(emulator, "qemu-user-static"), *more, program]


def check_once(live, name, website, authority):
    """`check`, with the authority and without; milliseconds of the first."""
    base = [*command_of(name), "check", "--json", "--timeout-ms", "30000", f"https://localhost:{website}/"]

    def run(*more):
        done = subprocess.run([*map(str, base), *more], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False, timeout=60, cwd="/")
        if not done.stdout:
            raise Failed(f"{name}: check ended with {done.returncode}: {done.stderr[-500:]}")
        return done.returncode, json.loads(done.stdout)
    began = time.monotonic()
    code, tick = run("--ca", str(authority))
    took = round((time.monotonic() - began) * 1000)
    if (code, tick["outcome"], tick["status"], tick["certificate"]["tls_version"]) != (0, "up", 200, "TLSv1.3"):
        raise Failed(f"{name}: a website with a good certificate: {code} {tick}")
    code, tick = run()
    if (code, tick["outcome"], tick["failure"]["class"]) != (1, "down", "tls_untrusted"):
        raise Failed(f"{name}: a website whose authority is not known: {code} {tick}")
    return took


class Redis:
    """With TLS alone, and users as docs/OPERATIONS.md has them; one worker for each of `names`."""

    def __init__(self, live, names, authority, certificate, key, admin="-@all +acl"):
        self.authority, self.port = authority, free_port()
        self.passwords = {who: secrets.token_hex(32) for who in ["hub", "admin", *names]}
        lines = (ROOT / "docs/OPERATIONS.md").read_text()

        def line(begins, name, worker="none"):
            [found] = re.findall(rf"^{begins} .*", lines, re.M)
            found = found.replace("<sha256>", hashlib.sha256(self.passwords[name].encode()).hexdigest()) if name else found
            return found.replace("REGION", REGION).replace("WORKER", worker)
        users = [line("user default", None), line("user bu-hub", "hub"), *(line("user bu-probe-REGION-WORKER", name, name) for name in names),
                 f"user admin on >{self.passwords['admin']} {admin}"]
        (live.directory / "users.acl").write_text("\n".join(users) + "\n")
        live.start("redis", [tool("redis-server", "redis-server"), "--port", 0, "--tls-port", self.port, "--bind", LOOPBACK, "--save", "", "--appendonly", "no",
                             "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no", "--maxmemory-policy", "noeviction",
                             "--aclfile", live.directory / "users.acl", "--dir", live.directory])
        live.wait("Redis to listen", live.listens(self.port))

    def ask(self, *words, user="hub"):
        command = [tool("redis-cli", "redis-tools"), "--tls", "-h", "localhost", "-p", self.port, "--cacert", self.authority, "--json", "-3",
                   "--user", {"hub": "bu-hub"}.get(user, user), *words]
        done = subprocess.run([str(word) for word in command], env={"PATH": os.environ["PATH"], "REDISCLI_AUTH": self.passwords[user]}, capture_output=True,
                              text=True, check=False, timeout=20)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Failed(f"Redis, asked for {words[0]}: {done.stdout}{done.stderr}") from None

    def address(self, name):
        return f"rediss://bu-probe-{REGION}-{name}:{self.passwords[name]}@localhost:{self.port}"


def send(redis, website):
    """A check, as the hub writes it."""
    now, identity = int(time.time() * 1000), str(uuid.uuid4())
    body = {"website_id": identity, "slot_at": now, "attempt": 0, "kind": "scheduled", "deadline_at": now + 60_000, "published_at": now,
            "target": {"url": f"https://localhost:{website}/", "timeout_ms": 30_000}}
    redis.ask("XADD", f"betteruptime:website:{REGION}", "*", "v", 1, "kind", "check", "body", json.dumps(body), "sent", now)
    return identity


def run_worker(live, redis, name, website, authority):
    """A worker from start to end; milliseconds from a check's way into Redis to its tick there, at the median, and KiB at most."""
    worker = live.start(name, [*command_of(name), "run"], {
        "REDIS_URL": redis.address(name), "CONSUMER_GROUP_REGION_ID": REGION, "WORKER_ID": name, "CANARIES": "off", "CA_FILE": str(authority),
        "ALLOW_PRIVATE": "127.0.0.0/8",
    })
    key = f"betteruptime:tick:{REGION}:{name}"

    def ticks():
        found = {}
        for identity, fields in redis.ask("XRANGE", key, "-", "+"):
            fields = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2]) if isinstance(fields[0], str) else fields)
            if fields["kind"] == "tick":
                tick = json.loads(fields["body"])
                found[tick["website_id"]] = tick | {"at": int(identity.partition("-")[0])}
            elif fields["kind"] != "heartbeat":
                raise Failed(f"{name}: hands in {fields}")
        return found
    # A sign of life says that it is in; what it is sent afterwards is timed.
    live.wait(f"{name} to be in", lambda: redis.ask("XRANGE", key, "-", "+"), 60)
    ids = [send(redis, website) for _ in range(CHECKS)]

    def all_in():
        seen = ticks()
        return seen if seen.keys() >= set(ids) else None
    found = live.wait(f"{CHECKS} ticks of {name}", all_in, 60)
    for one in ids:
        tick = found[one]
        sum_us = sum(us for us in tick["phases"].values())
        if (tick["outcome"], tick["status"], tick["certificate"]["tls_version"]) != ("up", 200, "TLSv1.3") or sum_us != tick["total_us"]:
            raise Failed(f"{name}: {tick}")
    waits = sorted(found[one]["at"] - found[one]["slot_at"] for one in ids)

    def acknowledged():
        return redis.ask("XPENDING", f"betteruptime:website:{REGION}", REGION)[0] == 0
    live.wait("every check to be acknowledged", acknowledged)
    kib = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{worker.pid}/status").read_text())[1])
    live.processes = [one for one in live.processes if one[1] is not worker]
    began = time.monotonic()
    worker.terminate()
    try:
        code = worker.wait(timeout=20)
    except subprocess.TimeoutExpired:
        worker.kill()
        raise Failed(f"{name} does not end at SIGTERM:\n{live.log(name)}") from None
    if code != 0 or "Stopping" not in live.log(name):
        raise Failed(f"{name} ended with {code} at SIGTERM:\n{live.log(name)}")
    return waits[len(waits) // 2], kib, round((time.monotonic() - began) * 1000)


def check(live):
    names, as_json = asked()
    sizes = {name: look(live, name) for name in names}
    authority, certificate, key = live.authority()
    website = live.website((certificate, key))
    redis = Redis(live, names, authority, certificate, key)
    redis.ask("XGROUP", "CREATE", f"betteruptime:website:{REGION}", REGION, "0", "MKSTREAM")
    rows = []
    for name in names:
        emulated = command_of(name)[0] != place_of(name)
        check_ms = check_once(live, name, website, authority)
        tick_ms, kib, end_ms = run_worker(live, redis, name, website, authority)
        rows.append({"target": TARGETS[name][0], "bytes": sizes[name], "sha256": hashlib.sha256(place_of(name).read_bytes()).hexdigest(), "is_static": True,
                     "is_stripped": True, "runs_by": "qemu" if emulated else "itself", "processor": " ".join(TARGETS[name][1][2:]) if emulated else "this one",
                     "check_ms": check_ms, "ticks": CHECKS, "tick_p50_ms": tick_ms, "end_ms": end_ms, "peak_kib": kib, "peak_is_of": "qemu" if emulated else "probe"})
    refused = redis.ask("ACL", "LOG", user="admin")
    if refused:
        raise Failed(f"Redis refused what a worker asked for: {refused}")
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    line = "{:<32} {:>10} {:>17} {:>19} {:>9} {:>22} {:>8} {:>16}"
    print(line.format("target", "bytes", "file", "run by", "check", "worker, Redis with TLS", "SIGTERM", "RSS at most"))
    for row in rows:
        print(line.format(row["target"], f"{row['bytes']:,}", "static, stripped", "itself" if row["runs_by"] == "itself" else f"qemu {row['processor']}",
                          f"{row['check_ms']} ms", f"{row['ticks']} ticks, p50 {row['tick_p50_ms']} ms", f"{row['end_ms']} ms",
                          f"{row['peak_kib'] / 1024:.1f} MB" + (" (qemu's)" if row["peak_is_of"] == "qemu" else "")))
    print("Each: up with the website's authority, down (tls_untrusted) without; every check acknowledged, nothing refused by Redis.")


if __name__ == "__main__":
    main(check, 270)
