#!/usr/bin/env python3
"""Whether the time of a refused sign-in tells if the name exists (CASES T129).

    cargo build --release -p hub && bench/sign_in.py [HUB]

Starts a hub of its own on SQLite, makes 100 accounts, and asks for known and unknown names in turn, 500 each, with a wrong
password. Prints both distributions, and the two-sided p of a rank-sum test (Mann-Whitney, normal approximation): below 0.01 on a
quiet machine, again and again, the times differ. Status, body and headers must be the same; where they are not, it ends with 1.
"""
import http.client, json, math, os, statistics, subprocess, sys, tempfile, time

HUB = sys.argv[1] if len(sys.argv) > 1 else "target/release/betteruptime-hub"
ACCOUNTS, TRIES = 100, 500
VARIES = {"date", "x-request-id", "ratelimit"}


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.perf_counter()
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    took = (time.perf_counter() - began) * 1000
    headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in VARIES}
    connection.close()
    return answer.status, text, headers, took


def same(text):
    value = json.loads(text)
    value.pop("request_id", None)
    return value


def rank_sum_p(a, b):
    ranked = sorted([(x, 0) for x in a] + [(x, 1) for x in b])
    ranks = sum(n + 1 for n, (_, of) in enumerate(ranked) if of == 0)
    mean = len(a) * (len(a) + len(b) + 1) / 2
    spread = math.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
    return math.erfc(abs(ranks - mean) / spread / math.sqrt(2))


def line(name, times):
    cut = statistics.quantiles(times, n=100)
    print(f"{name:<14}  p5 {cut[4]:6.1f}  p50 {cut[49]:6.1f}  p95 {cut[94]:6.1f}  ms")


with tempfile.TemporaryDirectory() as directory:
    environment = {"PATH": os.environ["PATH"], "LISTEN": "127.0.0.1:0", "SIGNUPS": "open", "STATE_DIRECTORY": directory}
    log = open(os.path.join(directory, "log"), "w+")
    hub = subprocess.Popen([os.path.abspath(HUB)], cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        port = None
        for _ in range(300):
            said = open(log.name).read()
            if " is running at http://" in said:
                port = int(said.split(" is running at http://")[1].split()[0].split(":")[1])
                break
            time.sleep(0.1)
        for n in range(ACCOUNTS):
            status, text, _, _ = post(port, "/signup", {"username": f"known{n:03}", "password": "correct horse"})
            assert status == 201, text
        times, answers = {"known": [], "unknown": []}, []
        for n in range(TRIES):
            for kind in ("known", "unknown") if n % 2 else ("unknown", "known"):
                name = f"known{n % ACCOUNTS:03}" if kind == "known" else f"nobody{n:03}"
                status, text, headers, took = post(port, "/signin", {"username": name, "password": "battery staple"})
                times[kind].append(took)
                answers.append((status, same(text), headers))
        for kind, took in times.items():
            line(kind, took)
        print(f"p = {rank_sum_p(times['known'], times['unknown']):.3f}, {TRIES} each")
        if any(answer != answers[0] for answer in answers):
            print("the answers differ")
            sys.exit(1)
        print(f"all {len(answers)} answers are the same: {answers[0][0]} {answers[0][1]}")
    finally:
        hub.terminate()
        hub.wait()
