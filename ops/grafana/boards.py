#!/usr/bin/env python3
"""Writes the boards beside this file: ops/grafana/boards.py [--check]. With --check nothing is written, and a board that
differs from what is here is an error. The boards are in git, so that nobody needs this to use them.
"""
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = {"type": "prometheus", "uid": "${source}"}
GREEN, YELLOW, RED, BLUE, GREY = "#3a9a5c", "#d9a514", "#c8423f", "#4a7fc1", "#8a8f98"
# Names of websites, once for each, also where several hubs tell of them.
NAMES = "group by (website_id, name) (betteruptime_website_info)"
NAMED = f"* on (website_id) group_left (name) {NAMES}"


class Board:
    """Panels from left to right, 24 columns wide."""

    def __init__(self, uid, title, about, variables=()):
        self.uid, self.title, self.about, self.variables = uid, title, about, list(variables)
        self.panels, self.x, self.y, self.row_height = [], 0, 0, 0

    def row(self, title):
        self.y, self.x = self.y + self.row_height, 0
        self.panels.append({"id": len(self.panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                            "gridPos": {"x": 0, "y": self.y, "w": 24, "h": 1}})
        self.y, self.row_height = self.y + 1, 0

    def panel(self, kind, title, about, queries, width=8, height=7, unit="none", options=None, fields=None,
              overrides=(), transformations=(), instant=False):
        if self.x + width > 24:
            self.y, self.x, self.row_height = self.y + self.row_height, 0, 0
        targets = []
        for letter, (expression, legend) in zip("ABCDEFGH", queries):
            target = {"refId": letter, "datasource": SOURCE, "expr": expression, "legendFormat": legend or "__auto"}
            if instant or kind in ("stat", "table", "bargauge"):
                target |= {"instant": True, "range": False, "format": "table" if kind == "table" else "time_series"}
            else:
                target |= {"instant": False, "range": True, "format": "heatmap" if kind == "heatmap" else "time_series"}
            targets.append(target)
        self.panels.append({
            "id": len(self.panels) + 1, "type": kind, "title": title, "description": about, "datasource": SOURCE,
            "gridPos": {"x": self.x, "y": self.y, "w": width, "h": height}, "targets": targets,
            "fieldConfig": {"defaults": {"unit": unit} | (fields or {}), "overrides": list(overrides)},
            "options": options or {}, "transformations": list(transformations),
        })
        self.x, self.row_height = self.x + width, max(self.row_height, height)

    def lines(self, title, about, queries, unit="none", width=8, height=7, least=0, most=None, stacked=False, steps=None):
        custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "never",
                  "spanNulls": False, "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
        fields = {"custom": custom, "color": {"mode": "palette-classic"}}
        if least is not None:
            fields["min"] = least
        if most is not None:
            fields["max"] = most
        if steps:
            fields["thresholds"] = thresholds(steps)
            custom["thresholdsStyle"] = {"mode": "line"}
        options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                   "tooltip": {"mode": "multi", "sort": "desc"}}
        self.panel("timeseries", title, about, queries, width, height, unit, options, fields)

    def figure(self, title, about, query, unit="none", steps=None, width=4, height=4, decimals=None, missing="none"):
        fields = {"color": {"mode": "thresholds"}, "thresholds": thresholds(steps or [(None, BLUE)]), "noValue": missing}
        if decimals is not None:
            fields["decimals"] = decimals
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value",
                   "graphMode": "none", "textMode": "auto", "orientation": "auto"}
        self.panel("stat", title, about, [(query, "")], width, height, unit, options, fields)

    def states(self, title, about, query, legend, mappings, width=24, height=8):
        fields = {"color": {"mode": "fixed", "fixedColor": GREY}, "mappings": mappings, "custom": {"fillOpacity": 80, "lineWidth": 0}}
        options = {"mergeValues": True, "showValue": "never", "rowHeight": 0.8, "tooltip": {"mode": "single", "sort": "none"},
                   "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []}}
        self.panel("state-timeline", title, about, [(query, legend)], width, height, "none", options, fields)

    def json(self):
        links = [{"type": "dashboards", "title": "BetterUptime", "tags": ["betteruptime"], "asDropdown": True,
                  "includeVars": False, "keepTime": True, "icon": "external link", "targetBlank": False, "url": "",
                  "tooltip": ""}]
        source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0, "refresh": 1,
                  "regex": "", "multi": False, "includeAll": False, "options": [], "skipUrlSync": False}
        board = {
            "uid": self.uid, "title": self.title, "description": self.about, "tags": ["betteruptime"], "id": None,
            "version": 1, "schemaVersion": 39, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "",
            "time": {"from": "now-6h", "to": "now"}, "timepicker": {}, "fiscalYearStartMonth": 0, "weekStart": "",
            "annotations": {"list": []}, "links": links, "templating": {"list": [source, *self.variables]},
            "panels": self.panels,
        }
        return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def thresholds(steps):
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def variable(name, label, query, regex="", many=True):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE,
            "query": {"query": query, "refId": name}, "regex": regex, "refresh": 2, "sort": 1, "multi": many,
            "includeAll": many, **({"allValue": ".*"} if many else {}), "hide": 0, "options": [], "skipUrlSync": False}


def mapped(*pairs):
    options = {str(value): {"text": text, "color": color, "index": n} for n, (value, text, color) in enumerate(pairs)}
    return [{"type": "value", "options": options}]


def column(name, title=None, unit=None, hidden=False, width=None, mappings=None, decimals=None, colored=False, steps=None):
    properties = []
    if title is not None:
        properties.append({"id": "displayName", "value": title})
    if unit is not None:
        properties.append({"id": "unit", "value": unit})
    if width is not None:
        properties.append({"id": "custom.width", "value": width})
    if decimals is not None:
        properties.append({"id": "decimals", "value": decimals})
    if mappings is not None:
        properties.append({"id": "mappings", "value": mappings})
    if steps is not None:
        properties.append({"id": "thresholds", "value": thresholds(steps)})
    if colored:
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    if hidden:
        properties.append({"id": "custom.hidden", "value": True})
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


ALL_WELL = [(None, GREEN), (1, RED)]
UP_OR_NOT = mapped((1, "up", GREEN), (0, "down", RED))


def overview():
    board = Board("betteruptime-overview", "BetterUptime: overview", "What is down now, and whether that can be believed.")
    board.row("Now")
    board.figure("Down", "Websites and jobs whose verdict is down.",
                 "count(min by (website_id) (betteruptime_website_up) == 0) or vector(0)", steps=ALL_WELL)
    board.figure("Degraded", "Up, and slow or with a warning.",
                 "count(max by (website_id) (betteruptime_website_degraded) == 1) or vector(0)", steps=[(None, GREEN), (1, YELLOW)])
    board.figure("Not known", "Not paused, and nobody can tell; jobs that have not reported yet are among them.",
                 "count(max by (website_id) (betteruptime_website_paused) == 0 unless on (website_id) betteruptime_website_up) or vector(0)",
                 steps=[(None, GREEN), (1, YELLOW)])
    board.figure("Websites and jobs", "All that have series (10,000 at most), paused ones too.",
                 "count(group by (website_id) (betteruptime_website_info))")
    board.figure("Incidents", "Incidents that go on, those of the installation too.", "max(betteruptime_incidents_open)",
                 steps=ALL_WELL)
    board.figure("Alerts of Prometheus", "Rules of betteruptime.rules.yml that fire now.",
                 'count(ALERTS{alertname=~"BetterUptime.+", alertstate="firing"}) or vector(0)', steps=ALL_WELL)
    board.row("Websites")
    board.states("Verdicts of what was not always up", "Websites that were down at some time of the window, 30 at most. Gaps: not known, or paused.",
                 f"(min by (website_id) (betteruptime_website_up) and on (website_id) bottomk(30, min by (website_id) (min_over_time(betteruptime_website_up[$__range]))) == 0) {NAMED}",
                 "{{name}}", UP_OR_NOT, height=8)
    board.panel("table", "Uptime, worst first", "Of the last 30 days, by the same formula as on the pages; what was not observed does not count, and coverage says how much was.",
                [(f'sort(min by (website_id) (betteruptime_website_uptime_ratio{{window="30d"}}) {NAMED})', ""),
                 (f'min by (website_id) (betteruptime_website_uptime_coverage_ratio{{window="30d"}}) {NAMED}', ""),
                 (f'min by (website_id) (betteruptime_website_uptime_ratio{{window="24h"}}) {NAMED}', "")],
                width=14, height=10, fields={"custom": {"align": "auto", "filterable": True}},
                options={"showHeader": True, "sortBy": [{"displayName": "30 days", "desc": False}]},
                transformations=[{"id": "merge", "options": {}}],
                overrides=[column("Time", hidden=True), column("website_id", hidden=True), column("name", "Website"),
                           column("Value #A", "30 days", "percentunit", decimals=3, colored=True, steps=[(None, RED), (0.99, YELLOW), (0.999, GREEN)]),
                           column("Value #B", "Seen of it", "percentunit", decimals=1),
                           column("Value #C", "24 hours", "percentunit", decimals=3)])
    board.panel("table", "Certificates, next to end first", "As the regions last saw them.",
                [(f"sort((min by (website_id) (probe_ssl_earliest_cert_expiry) - time()) {NAMED})", "")],
                width=10, height=10, fields={"custom": {"align": "auto"}},
                options={"showHeader": True, "sortBy": [{"displayName": "Ends in", "desc": False}]},
                overrides=[column("Time", hidden=True), column("website_id", hidden=True), column("name", "Website"),
                           column("Value", "Ends in", "dtdurations", colored=True, steps=[(None, RED), (1209600, YELLOW), (2592000, GREEN)])])
    board.row("Regions")
    board.lines("Checks with a good answer", "Of the newest checks from each region. One region that falls while the others stay is a region in trouble, not websites.",
                [("avg by (region) (max by (website_id, region) (probe_success))", "{{region}}")], "percentunit", 12, most=1)
    board.lines("Time of a check", "Half of the websites answer a check from this region within this.",
                [("quantile by (region) (0.5, max by (website_id, region) (probe_duration_seconds))", "{{region}}")], "s", 12)
    return board


def website():
    variables = [
        variable("website", "Website", f"query_result({NAMES})", '/name="(?<text>[^"]+)".*website_id="(?<value>[^"]+)"/', many=False),
        variable("region", "Region", 'label_values(probe_success{website_id="$website"}, region)'),
    ]
    mine, here = 'website_id="$website"', 'website_id="$website", region=~"$region"'
    board = Board("betteruptime-website", "BetterUptime: a website", "One website, from each region.", variables)
    board.row("$website")
    board.figure("Verdict", "Of all regions together.", f"min(betteruptime_website_up{{{mine}}})", steps=[(None, RED), (1, GREEN)], missing="not known")
    board.figure("Uptime, 24 hours", "Share of the time seen.", f'min(betteruptime_website_uptime_ratio{{{mine}, window="24h"}})', "percentunit", [(None, RED), (0.99, YELLOW), (0.999, GREEN)], decimals=3)
    board.figure("Uptime, 30 days", "Share of the time seen.", f'min(betteruptime_website_uptime_ratio{{{mine}, window="30d"}})', "percentunit", [(None, RED), (0.99, YELLOW), (0.999, GREEN)], decimals=3)
    board.figure("Seen, 30 days", "How much of the time was observed at all.", f'min(betteruptime_website_uptime_coverage_ratio{{{mine}, window="30d"}})', "percentunit", [(None, YELLOW), (0.95, GREEN)], decimals=1)
    board.figure("Certificate ends in", "As the regions last saw it.", f"min(probe_ssl_earliest_cert_expiry{{{mine}}}) - time()", "dtdurations", [(None, RED), (1209600, GREEN)], missing="has none")
    board.figure("Status", "Of the newest answer; the highest of all regions.", f"max(probe_http_status_code{{{here}}})")
    board.states("Answers", "Of the newest check from each region. Gaps: the region could not tell.", f"max by (region) (probe_success{{{here}}})", "{{region}}",
                 mapped((1, "good", GREEN), (0, "not good", RED)), height=6)
    board.lines("Time of a check", "In all, from each region.", [(f"max by (region) (probe_duration_seconds{{{here}}})", "{{region}}")], "s", 24, 8)
    board.lines("Where the time goes", "Mean of the regions shown: looking up the name, connecting, encryption, waiting for the answer, and receiving it.",
                [(f"avg by (phase) (probe_http_duration_seconds{{{here}}})", "{{phase}}")], "s", 12, 8, stacked=True)
    board.lines("Waiting for the answer", "The part that is the website's own: from the question to the first byte.",
                [(f'max by (region) (probe_http_duration_seconds{{{here}, phase="processing"}})', "{{region}}")], "s", 12, 8)
    return board


def pipeline():
    variables = [variable("instance", "Hub", "label_values(betteruptime_build_info, instance)")]
    hub = 'instance=~"$instance"'
    p = lambda q, name, by="instance": f"histogram_quantile({q}, sum by ({by}, le) (rate({name}_bucket{{{hub}}}[$__rate_interval])))"
    rate = lambda name, by, labels="": f"sum by ({by}) (rate({name}{{{hub}{labels}}}[$__rate_interval]))"
    board = Board("betteruptime-pipeline", "BetterUptime: pipeline", "From the schedule to the message: where it is late, and what waits.", variables)
    board.row("Hubs")
    board.figure("Hubs that answer", "Of those that are scraped.", 'sum(up{job="betteruptime"})', steps=[(None, RED), (1, GREEN)])
    board.figure("Parts that stand still", "Schedule, taking in, ending verdicts, alerts, jobs, writing.", "sum(betteruptime_parts_standing)", steps=ALL_WELL)
    board.figure("Database can be read", "By the hub that reads best.", "max(betteruptime_metrics_read_ok)", steps=[(None, RED), (1, GREEN)])
    board.figure("Dead letters", "Messages nobody understood, on /dead-letters.", "max(betteruptime_dead_letters)", steps=ALL_WELL)
    board.figure("Oldest message due", "For how long the first of those that are to be sent has been due.", "max(betteruptime_alerts_oldest_due_seconds)", "s", [(None, GREEN), (60, YELLOW), (300, RED)])
    board.figure("Messages given up", "They can be sent once more on page Channels.", "max(betteruptime_alerts_dead)", steps=[(None, GREEN), (1, YELLOW)])
    board.row("Schedule")
    board.lines("Lateness", "From the slot of a check to its publication.", [(p(0.5, "betteruptime_schedule_lateness_seconds"), "half, {{instance}}"), (p(0.99, "betteruptime_schedule_lateness_seconds"), "99 of 100, {{instance}}")], "s")
    board.lines("Checks given to the queue", "A second, by what they are.", [(rate("betteruptime_checks_published_total", "kind"), "{{kind}}")], "ops", stacked=True)
    board.lines("Checks missed", "A second, by why. Missed checks are never caught up.", [(rate("betteruptime_checks_missed_total", "reason"), "{{reason}}")], "ops")
    board.row("Regions and probes")
    board.lines("Queue", "Checks that wait, as part of what the region may have.", [("max by (region) (betteruptime_queue_checks_waiting / betteruptime_queue_checks_limit)", "{{region}}")], "percentunit", steps=[(None, GREEN), (0.8, RED)])
    board.lines("Lag", "How long the next check that no probe has taken has waited.", [("max by (region) (betteruptime_queue_lag_seconds)", "{{region}}")], "s", steps=[(None, GREEN), (30, RED)])
    board.lines("Checks of each probe", "A second.", [("sum by (region, worker) (max by (region, worker) (rate(betteruptime_worker_checks_total[$__rate_interval])))", "{{region}} {{worker}}")], "ops")
    board.lines("Not heard of", "Seconds since each probe was last heard of.", [("time() - max by (region, worker) (betteruptime_worker_last_seen_timestamp_seconds)", "{{region}} {{worker}}")], "s")
    board.lines("Clocks", "How far the clock of each probe is ahead (behind: below zero). Results are corrected.", [("max by (region, worker) (betteruptime_worker_clock_offset_seconds)", "{{region}} {{worker}}")], "s", least=None)
    board.lines("Own network", "Whether each probe's own network works, and failures a second that did not count since it did not.",
                [("min by (region, worker) (betteruptime_worker_network_ok)", "works: {{region}} {{worker}}"), ("max by (region, worker) (rate(betteruptime_worker_checks_excused_total[$__rate_interval]))", "excused: {{region}} {{worker}}")])
    board.lines("Room for checks", "Checks that the probes of each region do at once at most.", [("sum by (region) (max by (region, worker) (betteruptime_worker_concurrency))", "{{region}}")])
    board.row("Taking in")
    board.lines("Results", "A second: new, duplicates (delivered twice, counted once) and orphaned.", [(rate("betteruptime_ticks_total", "result"), "{{result}}"), (rate("betteruptime_ticks_late_total", "instance"), "late, {{instance}}"), (rate("betteruptime_reports_rejected_total", "instance"), "dead, {{instance}}")], "ops")
    board.lines("Behind", "How old what is taken in is.", [(f"max by (instance) (betteruptime_ingest_behind_seconds{{{hub}}})", "{{instance}}")], "s", steps=[(None, GREEN), (60, RED)])
    board.lines("Reports that wait", "In Redis, of each region.", [("sum by (region) (max by (region, worker) (betteruptime_queue_reports_waiting))", "{{region}}")])
    board.lines("Time of a transaction", "Of results with their verdicts, incidents and alerts.", [(p(0.5, "betteruptime_ingest_batch_duration_seconds"), "half, {{instance}}"), (p(0.99, "betteruptime_ingest_batch_duration_seconds"), "99 of 100, {{instance}}")], "s")
    board.lines("Messages", "Due and given up.", [("max(betteruptime_alerts_due)", "due"), ("max(betteruptime_alerts_dead)", "given up")])
    board.lines("Incidents that go on", "Those of the installation too.", [("max(betteruptime_incidents_open)", "incidents")])
    board.row("Database")
    board.lines("Waiting for the database", "Each time (Postgres only).", [(p(0.5, "betteruptime_store_duration_seconds"), "half, {{instance}}"), (p(0.99, "betteruptime_store_duration_seconds"), "99 of 100, {{instance}}")], "s")
    board.lines("Connections", "By what they do, and how many there may be.", [(f"sum by (state) (betteruptime_store_connections{{{hub}}})", "{{state}}"), (f"sum(betteruptime_store_connections_limit{{{hub}}})", "limit")])
    board.lines("Wait for a connection", "As the last reading had it.", [(f"max by (instance) (betteruptime_store_connection_wait_seconds{{{hub}}})", "{{instance}}")], "s")
    board.lines("Trouble", "Statements that took too long, and times the database did not answer, in five minutes (Postgres only for the first).", [(f"sum by (instance) (increase(betteruptime_store_statement_timeouts_total{{{hub}}}[5m]))", "too long, {{instance}}"), (f"sum by (instance) (increase(betteruptime_store_silences_total{{{hub}}}[5m]))", "no answer, {{instance}}")])
    board.lines("Figures and history behind", "How long ago the end is of what is counted, and of what is packed. Packing takes place once a day.", [("time() - max(betteruptime_roll_up_counted_until_timestamp_seconds)", "counted"), ("time() - max(betteruptime_history_packed_until_timestamp_seconds)", "packed")], "s")
    board.lines("To be counted again", "Hours and days for which something came late.", [("max(betteruptime_roll_up_due)", "due")])
    board.lines("Reading for this", "How long the hub read for its metrics, and what it left out.", [(f"max by (instance) (betteruptime_metrics_read_duration_seconds{{{hub}}})", "seconds, {{instance}}"), ("max(betteruptime_metrics_websites_left_out)", "websites left out"), ("max(betteruptime_metrics_uptimes_left_out)", "figures left out")])
    board.row("Front")
    board.lines("Requests", "A second, by class of status.", [(rate("betteruptime_http_requests_total", "status"), "{{status}}")], "reqps", stacked=True)
    board.lines("Slowest routes", "99 of 100 requests are answered within this; the ten slowest.", [(f"topk(10, {p(0.99, 'betteruptime_http_request_duration_seconds', 'method, route')} > 0)", "{{method}} {{route}}")], "s")
    board.lines("Turned away", "A second, by why; throttled: whoever asks too often.", [(rate("betteruptime_front_refused_total", "reason"), "{{reason}}"), (rate("betteruptime_throttled_total", "what"), "throttled: {{what}}")], "reqps")
    board.lines("Connections", "Open ones, and who listens to events.", [(f"sum by (instance) (betteruptime_front_connections{{{hub}}})", "open, {{instance}}"), (f"sum by (instance) (betteruptime_front_connections_limit{{{hub}}})", "limit, {{instance}}"), (f"sum by (instance) (betteruptime_front_listeners{{{hub}}})", "listeners, {{instance}}")])
    board.lines("Kept answers", "A second, by where answers for everybody came from.", [(rate("betteruptime_front_cache_total", "from"), "{{from}}"), (rate("betteruptime_badges_total", "from"), "badges: {{from}}")], "reqps", stacked=True)
    board.lines("Certificate ends in", "Of the hub itself; nothing where a proxy has it.", [(f"min by (instance) (betteruptime_front_certificate_expiry_timestamp_seconds{{{hub}}}) - time()", "{{instance}}")], "dtdurations")
    board.row("Processes")
    board.lines("Processor", "Cores that each hub takes.", [(f'rate(process_cpu_seconds_total{{job="betteruptime", {hub}}}[$__rate_interval])', "{{instance}}")])
    board.lines("Memory", "Resident.", [(f'process_resident_memory_bytes{{job="betteruptime", {hub}}}', "{{instance}}")], "bytes")
    board.lines("Descriptors", "Open ones, as part of what there may be.", [(f'process_open_fds{{job="betteruptime", {hub}}} / process_max_fds{{job="betteruptime", {hub}}}', "{{instance}}")], "percentunit")
    return board


def main():
    wrong = []
    for board in (overview(), website(), pipeline()):
        path, text = HERE / f"{board.uid}.json", board.json()
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(path.name)
    if wrong:
        sys.exit(f"{', '.join(wrong)}: not what ops/grafana/boards.py writes; run it")


if __name__ == "__main__":
    main()
