"""Part of check-compose.sh, inside a network and a mount namespace of its own: docker-compose.yml piece by piece.

No Docker engine takes part. What Compose would start is started here by the same commands with the same environment and the
same secrets, under the same names and ports: "postgres", "redis" and "hub" are this machine, /run/secrets is what was made.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml
from live import LOOPBACK, ROOT, Failed, Hub, binary, main, tool

SECRETS = Path(sys.argv[1])
NOBODY = 65532
IS_ROOT = Path("/proc/self/uid_map").read_text().split()[2] != "1"


def check_file(compose):
    """What holds for every service."""
    services = compose["services"]
    for name, service in services.items():
        def wrong(what):
            return Failed(f"docker-compose.yml: {name} {what}")
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"] or \
                "no-new-privileges:true" not in service.get("security_opt", []):
            raise wrong("may write its root, or may gain rights")
        for limit in ("cpus", "mem_limit", "pids_limit"):
            if not service.get(limit):
                raise wrong(f"has no {limit}")
        if not service.get("healthcheck"):
            raise wrong("has no healthcheck")
        if not re.search(r":(v?\d+\.\d+|local$)", service["image"]):
            raise wrong(f"has the image {service['image']}, whose version is not said")
        if str(service.get("user", "")).split(":")[0] in ("0", "root") or not (service.get("user") or service["image"].endswith(":local")):
            raise wrong("runs as root, or as whoever its image says")
        for published in service.get("ports", []):
            if not published.startswith(("127.0.0.1:", "${")) and name != "proxy":
                raise wrong(f"publishes {published} to everybody")
        for secret in service.get("secrets", []):
            if secret not in compose["secrets"]:
                raise wrong(f"has the secret {secret}, which there is not")
        for value in (service.get("environment") or {}).values():
            if re.search(r"(?i)password[=:]|://[^/]*:[^/]*@", str(value)):
                raise wrong(f"has a secret in its environment: {value}")
    for target in re.findall(r"^FROM .* AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M):
        if target in ("hub", "probe", "proxy"):
            part = (ROOT / "Dockerfile").read_text().split(f" AS {target}\n")[1].split("\nFROM ")[0]
            if "USER 65532:65532" not in part:
                raise Failed(f"Dockerfile: {target} runs as root")
    made = {path.name for path in SECRETS.iterdir()} - {"ca.key"}
    named = {Path(secret["file"]).name for secret in compose["secrets"].values()}
    if made != named:
        raise Failed(f"scripts/make-secrets.sh makes {sorted(made)}, docker-compose.yml has {sorted(named)}")


def environment_of(service, directory, **more):
    """As Compose hands it over: variables of the shell by their defaults, volumes below a directory."""
    def value(text):
        text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: found[2], str(text)).replace("$$", "$")
        return text.replace("/var/lib/", f"{directory}/") if text.startswith("/var/lib/") else text
    return {name: value(text) for name, text in service.get("environment", {}).items()} | more


def prepare(live):
    """Names and secrets, where programs look for them; only in this namespace."""
    live.run(tool("ip", "iproute2"), "link", "set", "lo", "up")
    hosts = live.directory / "hosts"
    hosts.write_text("127.0.0.1 localhost postgres redis hub\n")
    live.run("mount", "--bind", hosts, "/etc/hosts")
    live.run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/secrets").mkdir()
    for path in SECRETS.iterdir():
        if path.name != "ca.key":
            shutil.copy(path, "/run/secrets/")
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("80")


def place(live, name, user):
    """A directory that belongs to whoever runs there."""
    path = live.directory / name
    path.mkdir(mode=0o700, exist_ok=True)
    if IS_ROOT:
        shutil.chown(path, user, user)
    return path


def healthy(live, service, path):
    """Runs what Compose asks a service by."""
    kind, *command = service["healthcheck"]["test"]
    command = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
    environment = {"PATH": f"{path}:{os.environ.get('PATH', '')}:/usr/sbin"}
    return lambda: subprocess.run(command, env=environment, capture_output=True, check=False, timeout=20).returncode == 0


def redis_cli(live, *arguments, user=None, password=None, authority="/run/secrets/redis-ca.pem"):
    command = [tool("redis-cli", "redis-tools"), "--tls", "-h", "redis", "-p", "6380"]
    command += ["--cacert", authority] if authority else []
    command += ["--user", user, "--pass", password, "--no-auth-warning"] if user else []
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=20)
    return (done.stdout + done.stderr).strip()


def password_of(name):
    return re.search(r"://[^:]+:([^@]+)@", (SECRETS / name).read_text())[1]


def check_redis(live):
    denied = redis_cli(live, "ping")
    if "NOAUTH" not in denied:
        raise Failed(f"Redis lets in who says no name: {denied}")
    denied = redis_cli(live, "keys", "*", user="bu-health", password="none")
    if "NOPERM" not in denied:
        raise Failed(f"who may only ask whether Redis is there may also ask for keys: {denied}")
    denied = redis_cli(live, "xrange", "betteruptime:tick:LOCAL:compose", "-", "+", user="bu-probe-LOCAL-compose", password=password_of("redis-probe-url"))
    if "NOPERM" not in denied:
        raise Failed(f"a probe may read results: {denied}")
    denied = redis_cli(live, "ping", user="bu-health", password="none", authority="/etc/ssl/certs/ca-certificates.crt")
    if "certificate verify failed" not in denied:
        raise Failed(f"its certificate is trusted by whoever does not know its authority: {denied}")
    live.say("Redis: TLS alone, and each user with its rights alone")


def check(live):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    check_file(compose)
    services = compose["services"]
    live.say(f"docker-compose.yml: {len(services)} services without root, write access, or rights; limits and secrets are there")
    prepare(live)
    nobody = {"user": NOBODY, "group": NOBODY} if IS_ROOT else {}
    programs = live.directory / "bin"
    programs.mkdir(mode=0o755)
    for name in ("betteruptime-hub", "betteruptime-probe"):
        shutil.copy(binary(name), programs)
    hub_program, probe_program = programs / "betteruptime-hub", programs / "betteruptime-probe"
    state, spool = place(live, "betteruptime", NOBODY), place(live, "betteruptime-probe", NOBODY)

    live.postgres("betteruptime", (SECRETS / "postgres-password").read_text().strip(), port=5432)
    postgres_programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    live.wait("Postgres to be healthy", healthy(live, services["postgres"], postgres_programs))

    data = place(live, "redis-data", "redis" if IS_ROOT else None)
    shell = [part.replace("/data", str(data)).replace("$$", "$") for part in services["redis"]["entrypoint"]]
    as_redis = {"user": "redis", "group": "redis"} if IS_ROOT else {}
    redis = live.start("redis", shell, **as_redis)
    live.wait("Redis to be healthy", healthy(live, services["redis"], ""))
    check_redis(live)

    live.start("hub", [hub_program], environment_of(services["hub"], live.directory), **nobody)
    hub = Hub(3001)
    live.wait("the hub to be ready", hub.is_ready, 40)
    live.wait("the hub to be healthy", healthy(live, services["hub"], programs))
    probe_environment = environment_of(services["probe"], live.directory, ALLOW_PRIVATE="127.0.0.1/32")
    live.start("probe", [probe_program], probe_environment, **nobody)
    hub.make_owner()
    hub.watch(f"http://{LOOPBACK}:{live.website()}/")

    def is_up():
        status, said = hub.ask("GET", "/api/v1/websites?state=up")
        return status == 200 and json.loads(said)["websites"]
    live.wait("the website to be up", is_up, 40)
    live.say("hub and probe: as in Compose, and a website is up")

    # The doctor cannot get out of here; what concerns settings and Redis has to be well.
    found = subprocess.run([probe_program, "doctor", "--json"], env={"PATH": "/usr/bin"} | probe_environment, capture_output=True, text=True, check=False, timeout=60)
    bad = [finding for finding in json.loads(found.stdout)["findings"] if finding["state"] == "fail" and finding["area"] in ("settings", "redis", "rights")]
    if bad:
        raise Failed(f"betteruptime-probe doctor: {bad}")

    check_enrolment(live, services, programs, redis, shell, as_redis)
    check_metrics(live)
    check_proxy(live, services)


def check_enrolment(live, services, programs, redis, shell, as_redis):
    """A probe elsewhere, enrolled by the service "admin", also after Redis was restarted."""
    admin = environment_of(services["admin"], live.directory)
    enrol = [programs / "betteruptime-hub", "probe", "enrol", "INDIA", "pi-1", "--redis-url", "rediss://redis:6380", "--out", "-"]
    made = subprocess.run(enrol, env={"PATH": "/usr/bin"} | admin, capture_output=True, text=True, check=False, timeout=60, cwd=live.directory)
    if made.returncode != 0:
        raise Failed(f"probe enrol: {made.stdout}{made.stderr}")
    settings = live.directory / "pi-1.env"
    # What else it says is for people.
    settings.write_text("".join(line + "\n" for line in made.stdout.splitlines() if re.match(r"#|[A-Z_]+=", line)))
    redis.terminate()
    redis.wait(timeout=20)
    live.processes = [one for one in live.processes if one[1] is not redis]
    live.start("redis", shell, **as_redis)
    live.wait("Redis to be healthy again", healthy(live, services["redis"], ""))
    # A default user who may do nothing would have Redis forget every transaction of its log here.
    if "CRITICAL" in live.log("redis", 1000):
        raise Failed(f"Redis did not read its log back:\n{live.log('redis')}")
    live.start("probe-elsewhere", [programs / "betteruptime-probe", "run", "--config", settings],
               {"CA_FILE": "/run/secrets/redis-ca.pem", "CANARIES": "off"})

    def reports():
        listed = subprocess.run([programs / "betteruptime-hub", "probe", "list", "--json"], env={"PATH": "/usr/bin"} | admin, capture_output=True, text=True, check=False, timeout=60)
        return listed.returncode == 0 and any(one["region"] == "INDIA" and one["seen_at"] for one in json.loads(listed.stdout))
    live.wait("the probe that was enrolled to report", reports, 40)
    live.say("a probe was enrolled, reports, and is known after a restart of Redis")


def check_metrics(live):
    """Prometheus with the configuration of Compose: it scrapes the hub by its token, and has the rules."""
    if not shutil.which("prometheus"):
        live.say("Prometheus is not here: its service was NOT RUN")
        return
    live.start("prometheus", ["prometheus", f"--config.file={ROOT}/ops/prometheus/prometheus.yml", f"--storage.tsdb.path={live.directory}/series",
                              "--web.listen-address=127.0.0.1:9090", "--log.level=warn"])

    def scrapes():
        asked = subprocess.run(["curl", "-s", "--noproxy", "*", "http://127.0.0.1:9090/api/v1/query?query=up"], capture_output=True, text=True, check=False)
        return '"1"]' in asked.stdout
    live.wait("Prometheus to scrape the hub", scrapes, 40)
    without = subprocess.run(["curl", "-s", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", "http://hub:9464/metrics"], capture_output=True, text=True, check=False)
    if without.stdout != "401":
        raise Failed(f"/metrics without the token: {without.stdout}")
    live.say("Prometheus scrapes the hub with its token; without it nobody does")


def check_proxy(live, services):
    if not shutil.which("caddy"):
        live.say("Caddy is not here: the service proxy was NOT RUN")
        return
    data = place(live, "proxy", NOBODY)
    nobody = {"user": NOBODY, "group": NOBODY} if IS_ROOT else {}
    environment = environment_of(services["proxy"], live.directory, XDG_DATA_HOME=str(data), XDG_CONFIG_HOME=str(data))
    shutil.copy(ROOT / "ops/caddy/Caddyfile", live.directory / "Caddyfile")
    live.start("proxy", ["caddy", "run", "--config", live.directory / "Caddyfile", "--adapter", "caddyfile"], environment, **nobody)
    authority = data / "caddy/pki/authorities/local/root.crt"

    def serves():
        asked = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", authority, "https://localhost/readyz", "-o", "/dev/null", "-w", "%{http_code}"],
                               capture_output=True, text=True, check=False)
        return asked.stdout == "200"
    live.wait("the proxy to pass on", serves, 30)
    live.say("the proxy has a certificate, and passes on to the hub")


if __name__ == "__main__":
    main(check, 150)
