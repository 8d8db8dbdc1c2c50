#!/usr/bin/env python3
"""Measures writing to BigQuery on this machine: rows a second and CPU a row beside Google's Python client, what forwarding costs the
receiver, and an outage. See README.md beside this file."""

import argparse
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

from receivers import BenchError, Mailtrail, Sender, file_system, run
from run import ROOT, median, ratio, say

PARTS = ("write", "receive", "outage")
CLIENTS = ("mailtrail", "python")


class Server:
    """A BigQuery on this machine that prints `ready REST GRPC`; its standard input ends it."""

    def __init__(self, command: list, log: Path) -> None:
        self.log = log.open("ab")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            if line.startswith("ready "):
                self.rest, self.grpc = (int(port) for port in line.split()[1:])
                return
        raise BenchError(f"{command[0]} did not start; see {log}")

    def call(self, path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def environment(self, forward: bool) -> dict[str, str]:
        return {
            "MAILTRAIL_BIGQUERY_PROJECT": "demo",
            "MAILTRAIL_BIGQUERY_DATASET": "mail",
            "MAILTRAIL_BIGQUERY_ENDPOINT": f"http://127.0.0.1:{self.rest}",
            "MAILTRAIL_BIGQUERY_GRPC_ENDPOINT": f"http://127.0.0.1:{self.grpc}",
            "MAILTRAIL_BIGQUERY_FORWARD": "true" if forward else "false",
        }

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


class Forwarding(Mailtrail):
    """`mailtrail serve` that copies its trail to a server."""

    name = "forwarding"
    server: Server

    def environment(self) -> dict[str, str]:
        return self.server.environment(forward=True)

    def standing(self) -> dict:
        url = f"http://127.0.0.1:{self.metrics_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def wait_forwarded(self, events: int, limit_s: float = 3600) -> float:
        """Seconds until everything that was acknowledged is."""
        begun = time.monotonic()
        while time.monotonic() - begun < limit_s:
            standing = self.standing()
            forward = standing["forward"]
            drained = standing["backlog"]["items"] == 0 and forward["waiting_events"] == 0 and forward["lag_seconds"] == 0
            if drained and self.server.call("/counts")["rows"] >= events:
                return time.monotonic() - begun
            time.sleep(0.05)
        raise BenchError("the backlog did not drain")


class Bench:
    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.sender = Sender(folder)
        self.numbers = itertools.count(1)
        self.target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / args.profile
        Mailtrail.binary = self.target / "mailtrail"
        self.python = None

    def build(self) -> None:
        release = ["--release"] if self.args.profile == "release" else []
        cargo = ["cargo", "build", "--locked", *release]
        examples = ["--features", "bench", "--bins", "--example", "bigquery_sink", "--example", "bigquery_write"]
        for step in ([*cargo, "--package", "mailtrail", *examples], [*cargo, "--package", "sendgrid-simulator", "--example", "load"]):
            if not self.args.no_build:
                say(" ".join(step))
                if subprocess.run(step, cwd=ROOT).returncode != 0:
                    raise BenchError("the build failed")
        if "write" in self.args.parts:
            self.python = run([ROOT / "scripts/bigquery-emulator"]).stdout.decode().strip()

    def fresh(self, name: str) -> Path:
        folder = self.folder / f"{name}-{next(self.numbers)}"
        folder.mkdir()
        return folder

    def sink(self, *ports: int) -> Server:
        command = [self.target / "examples/bigquery_sink", "--delay", self.args.delay, *ports]
        return Server(command, self.folder / "sink.log")

    def emulator(self) -> Server:
        launcher = ROOT / "crates/mailtrail/tests/bigquery/emulator.py"
        return Server([self.python, launcher, self.fresh("emulator"), 0, 0], self.folder / "emulator.log")

    def make_tables(self, server: Server) -> None:
        folder = self.fresh("tables")
        run([Mailtrail.binary, "init", "--dir", folder])
        self.init_by(server, folder / "mailtrail.toml")

    def init_by(self, server: Server, config: Path) -> None:
        command = [Mailtrail.binary, "bigquery", "init", "--config", config]
        run(command, env={**os.environ, **server.environment(forward=False)})

    def write(self, client: str, server: Server, rows: int) -> dict:
        if client == "mailtrail":
            command = [self.target / "examples/bigquery_write", server.rest, server.grpc, rows]
        else:
            command = [self.python, Path(__file__).with_name("bigquery_write.py"), server.grpc, rows]
        return json.loads(run(command).stdout)

    def load(self, receiver: Mailtrail, per_post: int, limit: list) -> dict:
        return self.sender.load(self.target / "examples/load", receiver.port, per_post, 32, limit)

    def write_table(self) -> list[str]:
        lines = ["| to | client | rows/s | CPU µs a row | of it, or alone: making rows | bytes a row | ratio of rows/s | ratio of CPU |"]
        lines.append("|---|---|---|---|---|---|---|---|")
        for place, rows in (("a server that discards", self.args.rows), ("the protocol server (DuckDB)", self.args.emulator_rows)):
            results = defaultdict(list)
            for number in range(self.args.rounds):
                order = CLIENTS if number % 2 == 0 else CLIENTS[::-1]
                for client in order:
                    server = self.sink() if place.startswith("a server") else self.emulator()
                    try:
                        self.make_tables(server)
                        figures = self.write(client, server, rows)
                        self.see_that_it_is_there(place, server, rows)
                    finally:
                        server.stop()
                    results[client].append(figures)
                    say(f"{place} round {number + 1} {client}: {figures['rows_per_s']:,.0f} rows/s, {figures['cpu_us_a_row']:.2f} µs CPU a row")
            for client, figures in results.items():
                against = lambda key: "" if client == "mailtrail" else ratio(results, key, "mailtrail", client)
                m = lambda key: median(figures, key)
                lines.append(
                    f"| {place} | {client} | {m('rows_per_s'):,.0f} | {m('cpu_us_a_row'):.2f} | {m('build_cpu_us_a_row'):.2f} "
                    f"| {m('bytes_a_row'):.0f} | {against('rows_per_s')} | {against('cpu_us_a_row')} |"
                )
        return lines

    def see_that_it_is_there(self, place: str, server: Server, rows: int) -> None:
        if place.startswith("a server"):
            there = server.call("/counts")["rows"]
        else:
            asked = {"query": "SELECT COUNT(*) FROM `demo.mail.sendgrid_event`", "useLegacySql": False}
            there = int(server.call("/bigquery/v2/projects/demo/queries", asked)["rows"][0]["f"][0]["v"])
        if there < rows:
            raise BenchError(f"{rows} rows were acknowledged, and {there} are there")

    def receive_table(self) -> list[str]:
        lines = ["| events a POST × connections | forwarding | events/s | p50 ms | p99 | max | refused | peak MB | forwarded after | ratio |"]
        lines.append("|---|---|---|---|---|---|---|---|---|---|")
        for per_post in self.args.events_per_post:
            results = defaultdict(list)
            for number in range(self.args.rounds):
                order = ("off", "on") if number % 2 == 0 else ("on", "off")
                for forwarding in order:
                    figures = self.receive(per_post, forwarding == "on")
                    results[forwarding].append(figures)
                    say(f"{per_post} × 32 round {number + 1} forwarding {forwarding}: {figures['events_per_s']:,.0f} events/s")
            for forwarding, figures in results.items():
                m = lambda key: median(figures, key)
                after = f"{m('forwarded_s'):.1f} s" if forwarding == "on" else ""
                against = ratio(results, "events_per_s", "on", "off") if forwarding == "on" else ""
                lines.append(
                    f"| {per_post} × 32 | {forwarding} | {m('events_per_s'):,.0f} | {m('p50_ms'):.2f} | {m('p99_ms'):.2f} | {m('max_ms'):.1f} "
                    f"| {m('refused'):.0f} | {m('memory_mb'):.0f} | {after} | {against} |"
                )
        return lines

    def receive(self, per_post: int, forwarding: bool) -> dict:
        folder, server = self.fresh("receive"), self.sink()
        Forwarding.server = server
        receiver = (Forwarding if forwarding else Mailtrail)(folder, self.sender)
        try:
            self.init_by(server, receiver.config)
            receiver.start()
            figures = self.load(receiver, per_post, ["--seconds", self.args.seconds, "--megabytes", 512])
            figures["forwarded_s"] = receiver.wait_forwarded(figures["events"]) if forwarding else 0.0
            figures["memory_mb"] = receiver.peak_memory_mb()
        finally:
            receiver.stop()
            server.stop()
            shutil.rmtree(folder)
        return figures

    def outage_table(self) -> list[str]:
        folder, server = self.fresh("outage"), self.sink()
        Forwarding.server = server
        receiver = Forwarding(folder, self.sender)
        events, per_post = self.args.outage_events, 1000
        limit = ["--posts", -(-events // per_post // 2), "--seconds", 3600, "--megabytes", 4096]
        try:
            self.init_by(server, receiver.config)
            receiver.start()
            well = self.load(receiver, per_post, limit)
            receiver.wait_forwarded(well["events"])
            server.stop()
            # At least a try that fails, before the load.
            begun = time.monotonic()
            away = self.load(receiver, per_post, ["--posts", -(-events // per_post), *limit[2:]])
            lasted = time.monotonic() - begun
            while receiver.standing()["backlog"]["items"]:
                time.sleep(0.05)
            waiting, memory = receiver.standing()["forward"], receiver.peak_memory_mb()
            server = Forwarding.server = self.sink(server.rest, server.grpc)
            say(f"{waiting['waiting_events']:,} events wait after {lasted:.0f} s; BigQuery is back")
            # What was acknowledged before the end and not noted is sent again: counted from what the new server sees.
            drained = receiver.wait_forwarded(away["events"])
        finally:
            receiver.stop()
            server.stop()
        lines = ["| BigQuery | events | events/s | p50 ms | p99 | max | refused |", "|---|---|---|---|---|---|---|"]
        for what, figures in (("is there", well), ("is away", away)):
            lines.append(
                f"| {what} | {figures['events']:,} | {figures['events_per_s']:,.0f} | {figures['p50_ms']:.2f} | {figures['p99_ms']:.2f} "
                f"| {figures['max_ms']:.1f} | {figures['refused']} |"
            )
        rate = away["events"] / drained
        lines += ["", f"Back again, the backlog of {away['events']:,} was forwarded after {drained:.1f} s ({rate:,.0f} events/s, the wait until the "
                  f"next try included); peak memory at the end of the outage {memory:.0f} MB."]
        return lines


def arguments() -> argparse.Namespace:
    numbers = lambda text: [int(part) for part in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=500_000, help="written to the server that discards, in each round")
    parser.add_argument("--emulator-rows", type=int, default=20_000, help="written to the protocol server, in each round")
    parser.add_argument("--events-per-post", type=numbers, default=[1, 30, 1000], metavar="N,N")
    parser.add_argument("--seconds", type=int, default=5, help="length of one measurement of the receiver")
    parser.add_argument("--outage-events", type=int, default=1_000_000)
    parser.add_argument("--delay", type=int, default=0, metavar="MS", help="of each acknowledgement by the server that discards")
    parser.add_argument("--profile", choices=["release", "debug"], default="release", help="debug: to see that it runs")
    parser.add_argument("--folder", type=Path, help="keep trails and logs here [default: a folder that is removed]")
    parser.add_argument("--no-build", action="store_true", help="take the binaries that are there")
    parser.add_argument("--out", type=Path, help="also write the tables here")
    args = parser.parse_args()
    args.parts = args.parts.split(",")
    if not set(args.parts) <= set(PARTS):
        parser.error(f"--parts are of {', '.join(PARTS)}")
    return args


def main() -> int:
    args = arguments()
    folder = (args.folder or Path(tempfile.mkdtemp(prefix="mailtrail-bench-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BenchError(f"{folder} is not empty")
    if file_system(folder) == "tmpfs":
        say(f"warning: {folder} is on tmpfs, where durability costs nothing; give --folder on a disk")
    lines = [
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {args.profile} build; "
        f"{args.rounds} rounds, medians; client and server share the machine; acknowledgements after {args.delay} ms.",
    ]
    try:
        bench = Bench(args, folder)
        bench.build()
        for part in args.parts:
            lines += ["", *getattr(bench, f"{part}_table")()]
    finally:
        if not args.folder:
            shutil.rmtree(folder, ignore_errors=True)
    table = "\n".join(lines) + "\n"
    print(table)
    if args.out:
        args.out.write_text(table)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"error: {error}")
