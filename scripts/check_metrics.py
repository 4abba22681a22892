"""Part of check-metrics.sh: boards and alert rules against a real Prometheus that scrapes a live hub.

A hub on Postgres and Redis, a probe, and three websites are started; every query of every board, and of every rule without its
threshold, has to return series; every name in them has to be one that the hub tells of.
"""
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from live import LOOPBACK, ROOT, Failed, Hub, binary, free_port, main, tool

RULES = ROOT / "ops/prometheus/betteruptime.rules.yml"
TESTS = ROOT / "ops/prometheus/betteruptime.rules.test.yml"
BOARDS = ROOT / "ops/grafana"
# Of Prometheus itself; all else has to come from the hub.
NOT_OURS = {"up", "ALERTS"}
# What cannot be had within a minute: the first packing of a day comes hours after its end, and nothing fires that should not.
LATER = {"betteruptime_history_packed_until_timestamp_seconds", "ALERTS"}
WORDS = set("""and or unless on ignoring group_left group_right by without bool offset sum min max avg count group topk bottomk quantile
count_values stddev abs absent absent_over_time avg_over_time changes clamp clamp_max clamp_min ceil delta deriv floor
histogram_quantile idelta increase irate label_join label_replace last_over_time max_over_time min_over_time predict_linear
quantile_over_time rate resets round scalar sort sort_desc sum_over_time time timestamp vector inf nan""".split())


def names(expression):
    """The names of metrics in an expression."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    return {word for word in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare) if word not in WORDS}


def without_threshold(expression):
    """What an alert looks at: where it is well there must be something, or it would be quiet for the wrong reason."""
    looks = re.sub(r"(==|!=|>=|<=|>|<)\s*(bool\s+)?-?[0-9.]+", "", expression)
    return re.sub(r"\bunless on\b", "or on", looks)


def without_variables(expression):
    for name, value in (("$website", ".+"), ("$region", ".*"), ("$instance", ".*"), ("$__rate_interval", "1m"), ("$__range", "5m")):
        expression = expression.replace(name, value)
    # A board shows one website; here each of them will do.
    expression = expression.replace('website_id=".+"', 'website_id=~".+"')
    if "$" in expression:
        raise Failed(f"{expression}: an unknown variable")
    return expression


# --- rules ----------------------------------------------------------------------------------------------------------

def rules_of(prometheus):
    return [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]


def check_rules(rules):
    """What promtool does not look at: severities, texts, where they lead to, and that each is tested both ways."""
    headings = {re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
                for line in (ROOT / "docs/OPERATIONS.md").read_text().splitlines() if line.startswith("#")}
    tested = TESTS.read_text()
    for rule in rules:
        name, notes = rule["name"], rule["annotations"]
        if rule["labels"].get("severity") not in ("critical", "warning", "info") or not rule["duration"]:
            raise Failed(f"{name} has no severity, or no `for`")
        for field in ("summary", "description", "runbook_url"):
            if not notes.get(field):
                raise Failed(f"{name} has no {field}")
        anchor = notes["runbook_url"].partition("docs/OPERATIONS.md#")[2]
        if anchor not in headings:
            raise Failed(f"{name} leads to #{anchor}, which is no heading of docs/OPERATIONS.md")
        if f'alertname="{name}"' not in tested:
            raise Failed(f"{TESTS.name} does not see {name} fire")
        lacks = [metric for metric in names(rule["query"]) if not re.search(rf"\b{re.escape(metric)}\b", tested.split("\n- name:")[1])]
        if lacks:
            raise Failed(f"{TESTS.name} does not see {name} be quiet where all is well: its first test has no {lacks}")


# --- boards ---------------------------------------------------------------------------------------------------------

PANELS = {"row", "stat", "table", "timeseries", "state-timeline", "heatmap", "bargauge"}


def queries_of(path):
    """The queries of a board, whose structure is looked at on the way. No Grafana takes part: what it would say, such as of
    an option that does not exist, is not known here."""
    board = json.loads(path.read_text())
    wrong = lambda what: Failed(f"{path.name}: {what}")
    for field in ("uid", "title", "description", "panels", "templating", "schemaVersion", "time"):
        if not board.get(field):
            raise wrong(f"no {field}")
    if board["id"] is not None or path.stem != board["uid"]:
        raise wrong("id must be null, and the file named as uid")
    known = {variable["name"] for variable in board["templating"]["list"]}
    ids, taken, queries = set(), {}, []
    for panel in board["panels"]:
        title, place = panel.get("title"), panel["gridPos"]
        if not title or panel["id"] in ids or panel["type"] not in PANELS:
            raise wrong(f"panel {panel.get('id')} {title!r}: no title, its id twice, or an unknown type {panel['type']}")
        ids.add(panel["id"])
        if place["x"] < 0 or place["w"] < 1 or place["x"] + place["w"] > 24:
            raise wrong(f"{title!r} is wider than the board")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    raise wrong(f"{title!r} lies on {taken[x, y]!r}")
                taken[x, y] = title
        if panel["type"] == "row":
            continue
        if not panel.get("description") or not panel.get("targets"):
            raise wrong(f"{title!r} has no description, or no query")
        letters = [target["refId"] for target in panel["targets"]]
        if len(set(letters)) != len(letters):
            raise wrong(f"{title!r} has a refId twice")
        for target in panel["targets"]:
            if target["datasource"] != {"type": "prometheus", "uid": "${source}"}:
                raise wrong(f"{title!r} asks another source")
            queries.append((f"{path.name}: {title}", target["expr"]))
        for _, used in re.findall(r"(\$)\{?([a-zA-Z_]+)", json.dumps(panel)):
            if used not in known and not used.startswith("__"):
                raise wrong(f"{title!r} uses ${used}, which is no variable of the board")
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"(?:query_result|label_values)\((.*?)(?:, \w+)?\)", variable["query"]["query"])
            queries.append((f"{path.name}: variable {variable['name']}", inner[1]))
    return queries


# --- live -----------------------------------------------------------------------------------------------------------

class Prometheus:
    def __init__(self, port):
        self.base = f"http://{LOOPBACK}:{port}"
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(self, path, **parameters):
        address = f"{self.base}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with self.open(address, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise Failed(f"{parameters}: {json.load(refused).get('error')}") from None

    def ask(self, expression):
        """How many series have a value."""
        return len(self.get("/api/v1/query", query=expression)["result"])

    def is_ready(self):
        try:
            with self.open(f"{self.base}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


def start_hub(live):
    authority, certificate, key = live.authority()
    database = live.postgres()
    live.say("Postgres is there")
    redis_port, port, metrics_port, probe_port = free_port(), free_port(), free_port(), free_port()
    live.start("redis", [tool("redis-server", "redis-server"), "--port", redis_port, "--bind", LOOPBACK, "--save", "", "--appendonly", "no",
                         "--maxmemory-policy", "noeviction", "--dir", live.directory])
    live.wait("Redis to listen", live.listens(redis_port))
    redis = f"redis://{LOOPBACK}:{redis_port}"
    live.start("hub", [binary("betteruptime-hub"), "serve"], {
        "DATABASE_URL": database, "REDIS_URL": redis, "JWT_SECRET_KEY": "only-for-this-check-only-for-this-check",
        "LISTEN": f"{LOOPBACK}:{port}", "METRICS_LISTEN": f"{LOOPBACK}:{metrics_port}", "STATE_DIRECTORY": str(live.directory / "hub"),
        "TLS_CERT_FILE": str(certificate), "TLS_KEY_FILE": str(key), "PUBLIC_URL": f"https://localhost:{port}",
    })
    live.start("probe", [binary("betteruptime-probe"), "run"], {
        "REDIS_URL": redis, "CONSUMER_GROUP_REGION_ID": "INDIA", "WORKER_ID": "pi-1", "CANARIES": "off", "CA_FILE": str(authority),
        "ALLOW_PRIVATE": "127.0.0.0/8", "METRICS_LISTEN": f"{LOOPBACK}:{probe_port}",
    })
    hub = Hub(port, authority)
    live.wait("the hub to be ready", hub.is_ready, 40)
    hub.make_owner()
    secure = live.website((certificate, key))
    websites = [f"https://localhost:{secure}/", f"http://{LOOPBACK}:{live.website()}/broken"]
    for website in websites:
        hub.watch(website)
    live.say("hub and probe are there, and watch")
    return hub, metrics_port, probe_port, websites


def start_prometheus(live, metrics_port, probe_port, websites):
    port, where = free_port(), live.directory
    (where / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{json.dumps(str(RULES))}]\n"
        f"scrape_configs:\n- {{job_name: betteruptime, static_configs: [{{targets: ['{LOOPBACK}:{metrics_port}']}}]}}\n"
        f"- {{job_name: betteruptime-probe, static_configs: [{{targets: ['{LOOPBACK}:{probe_port}']}}]}}\n"
        # As a job for the blackbox exporter is written, but for the address.
        "- job_name: blackbox\n  metrics_path: /probe\n  params: {module: [http_2xx]}\n"
        f"  static_configs: [{{targets: {json.dumps(websites)}}}]\n"
        "  relabel_configs:\n  - {source_labels: [__address__], target_label: __param_target}\n"
        "  - {source_labels: [__param_target], target_label: instance}\n"
        f"  - {{target_label: __address__, replacement: '{LOOPBACK}:{probe_port}'}}\n")
    live.start("prometheus", [tool("prometheus", "prometheus"), f"--config.file={where}/prometheus.yml", f"--storage.tsdb.path={where}/series",
                              f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn"])
    prometheus = Prometheus(port)
    live.wait("Prometheus to be ready", prometheus.is_ready)
    return prometheus


def told(metrics_port):
    """The names of which the hub tells, and the text."""
    open_ = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    with open_(f"http://{LOOPBACK}:{metrics_port}/metrics", timeout=15) as answer:
        text = answer.read().decode()
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", text, re.M):
        found |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    # Of what is not known yet nothing is said; that there is such a name has to be seen in the source.
    families = (ROOT / "hub/src/metrics/families.rs").read_text()
    return found | {name for name in LATER if f'"{name}"' in families}


def check_probe(live, prometheus, probe_port, websites):
    """The probe's own page, and jobs that were made for the blackbox exporter."""
    promtool, open_ = tool("promtool", "prometheus"), urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    for path in ("/metrics", "/probe?" + urllib.parse.urlencode({"target": websites[0]})):
        with open_(f"http://{LOOPBACK}:{probe_port}{path}", timeout=15) as answer:
            text = answer.read()
        judged = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        # It is of another opinion on names that are the blackbox exporter's.
        if judged.returncode == 1 or b"error while" in judged.stderr:
            raise Failed(f"{path} of the probe: {judged.stderr.decode()}")
    for expression in (
        'betteruptime_probe_checks_total{job="betteruptime-probe"} > 0',
        f'probe_success{{job="blackbox", instance="{websites[0]}"}} == 1',
        f'probe_success{{job="blackbox", instance="{websites[1]}"}} == 0',
        f'probe_ssl_earliest_cert_expiry{{job="blackbox", instance="{websites[0]}"}} - time() > 0',
        'probe_http_duration_seconds{job="blackbox", phase="processing"} > 0',
    ):
        live.wait(expression, lambda: prometheus.ask(expression), 30)
    live.say("the probe is scraped, and so is what a job for the blackbox exporter asks it for")


def check(live):
    queries = [query for path in sorted(BOARDS.glob("*.json")) for query in queries_of(path)]
    hub, metrics_port, probe_port, websites = start_hub(live)
    prometheus = start_prometheus(live, metrics_port, probe_port, websites)
    rules = live.wait("the rules to be read", lambda: rules_of(prometheus))
    check_rules(rules)
    queries += [(f"alert {rule['name']}", without_threshold(rule["query"])) for rule in rules]

    exposed = told(metrics_port)
    for where, expression in queries:
        unknown = names(without_variables(expression)) - exposed - NOT_OURS
        if unknown:
            raise Failed(f"{where} asks for {', '.join(sorted(unknown))}, of which the hub tells nothing")
    live.say(f"{len(rules)} rules and {len(queries) - len(rules)} queries of boards name nothing that the hub does not tell of")

    # What is read of the database is kept for 12 s; a route is told of when somebody asked for it twice.
    waiting, needed = dict.fromkeys(range(len(queries))), 0

    def all_have_series():
        hub.ask("GET", "/api/v1/websites")
        hub.ask("GET", "/style.css")
        for n in list(waiting):
            where, expression = queries[n]
            if names(expression) & LATER:
                prometheus.ask(without_variables(expression))  # must be understood
                del waiting[n]
            elif prometheus.ask(without_variables(expression)):
                del waiting[n]
        return not waiting
    began = time.monotonic()
    try:
        live.wait("series", all_have_series, 40)
    except Failed as why:
        if "ended" in str(why):
            raise
        missing = "\n".join(f"  {queries[n][0]}: {without_variables(queries[n][1])}" for n in waiting)
        raise Failed(f"no series for\n{missing}") from None
    later = [where for where, expression in queries if names(expression) & LATER]
    live.say(f"{len(queries) - len(later)} queries have series; {len(later)} were understood, and cannot have any yet: {', '.join(later)}")

    check_probe(live, prometheus, probe_port, websites)
    fired = {alert["labels"]["alertname"] for alert in prometheus.get("/api/v1/alerts")["alerts"] if alert["state"] == "firing"}
    # It breaks what it should (the website that is broken may be down by now), and nothing else.
    if fired - {"BetterUptimeWebsiteDown"}:
        raise Failed(f"where all is well, these fire: {', '.join(sorted(fired))}")
    broken = [rule["name"] for rule in rules_of(prometheus) if rule["health"] == "err"]
    if broken:
        raise Failed(f"Prometheus cannot evaluate {', '.join(broken)}")
    live.say("every rule can be evaluated, and nothing fires that should not")


if __name__ == "__main__":
    main(check, 55)
