#!/usr/bin/env python3
"""Measures mailtrail against the FastAPI receiver on this machine, in paired rounds. See README.md beside this file."""

import argparse
import itertools
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from receivers import Before, BenchError, FastApi, Mailtrail, Receiver, Sender, WithoutSpool, file_system, run

ROOT = Path(__file__).resolve().parent.parent
KINDS = {kind.name: kind for kind in (Mailtrail, Before, FastApi, WithoutSpool)}
PREFILL_CHUNK = 500_000


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receivers", default="mailtrail,fastapi", help=f"in the order of a round: {', '.join(KINDS)}")
    parser.add_argument("--events-per-post", type=numbers, default=[1, 30, 1000], metavar="N,N")
    parser.add_argument("--connections", type=numbers, default=[1, 32, 256], metavar="N,N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="length of one measurement")
    parser.add_argument("--megabytes", type=int, default=512, help="bodies prepared for one measurement, at most")
    parser.add_argument("--trails", type=numbers, default=[0], metavar="N,N", help="events in the trail beforehand")
    parser.add_argument(
        "--prefill",
        action="append",
        default=[],
        metavar="RECEIVER=COMMAND",
        help="fill a trail by this command instead of by POSTs; {folder}, {config}, {events} are put in",
    )
    parser.add_argument("--askable", type=int, default=0, metavar="EVENTS", help="also: time until a burst is askable")
    parser.add_argument("--backlog-metric", default="mailtrail_backlog_items", help="mailtrail's metric of undrained items")
    parser.add_argument("--before", type=Path, metavar="BINARY", help="the build of the receiver `before`")
    parser.add_argument("--workers", type=int, default=1, help="uvicorn workers")
    parser.add_argument("--folder", type=Path, help="keep trails and logs here [default: a folder that is removed]")
    parser.add_argument("--no-build", action="store_true", help="take the binaries that are there")
    parser.add_argument("--out", type=Path, help="also write the table here, and the figures beside it as .json")
    args = parser.parse_args()
    args.receivers = args.receivers.split(",")
    for name in args.receivers:
        if name not in KINDS:
            parser.error(f"no receiver {name}; there are {', '.join(KINDS)}")
    if "before" in args.receivers and not args.before:
        parser.error("the receiver `before` needs --before BINARY")
    try:
        args.prefill = dict(entry.split("=", 1) for entry in args.prefill)
    except ValueError:
        parser.error("--prefill wants RECEIVER=COMMAND")
    return args


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args = args
        self.folder = folder
        self.sender = Sender(folder)
        self.target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
        self.load_tool = self.target / "examples/load"

    def build(self) -> None:
        chosen = self.args.receivers
        cargo = ["cargo", "build", "--release", "--locked"]
        steps = [[*cargo, "--package", "sendgrid-simulator", "--example", "load"]]
        if {"mailtrail", "without-spool"} & set(chosen):
            steps.append([*cargo, "--package", "mailtrail"])
        if "without-spool" in chosen:
            example = ["--example", "receive_without_spool"]
            steps.append([*cargo, "--package", "mailtrail", *example])
        if not self.args.no_build:
            for step in steps:
                say(" ".join(step))
                if subprocess.run(step, cwd=ROOT).returncode != 0:
                    raise BenchError("the build failed")
        Mailtrail.binary = self.target / "mailtrail"
        Before.binary = self.args.before
        WithoutSpool.binary = self.target / "examples/receive_without_spool"
        Mailtrail.backlog_metric = self.args.backlog_metric
        FastApi.workers = self.args.workers
        if "fastapi" in chosen:
            say("making a virtual environment for FastAPI")
            FastApi.prepare(self.folder)

    def load(self, receiver: Receiver, per_post: int, connections: int, *, limit: list, wait: bool = False) -> dict:
        options = list(limit)
        if wait and receiver.backlog_metric:
            options += ["--wait-url", receiver.metrics_url(), "--wait-metric", receiver.backlog_metric]
        return self.sender.load(self.load_tool, receiver.port, per_post, connections, options)

    def prefill(self, receiver: Receiver, events: int) -> None:
        command = self.args.prefill.get(receiver.name)
        begun = time.monotonic()
        if command:
            config = getattr(receiver, "config", "")
            filled = command.format(folder=receiver.folder, config=config, events=events)
            run(shlex.split(filled), cwd=ROOT)
        else:
            receiver.start()
            try:
                for done in range(0, events, PREFILL_CHUNK):
                    posts = -(-min(PREFILL_CHUNK, events - done) // 1000)
                    limit = ["--posts", posts, "--seconds", 3600, "--megabytes", 4096]
                    self.load(receiver, 1000, 4, limit=limit, wait=True)
            finally:
                receiver.stop()
        say(f"{receiver.name}: trail of {events:,} events filled in {time.monotonic() - begun:.0f} s")

    def measure(self, receiver: Receiver, per_post: int, connections: int) -> dict:
        limit = ["--seconds", self.args.seconds, "--megabytes", self.args.megabytes]
        started = receiver.start()
        try:
            figures = self.load(receiver, per_post, connections, limit=limit)
            figures["memory_mb"] = receiver.peak_memory_mb()
        finally:
            receiver.stop()
        figures["start_s"] = started
        return figures

    def burst(self, receiver: Receiver, per_post: int) -> dict:
        limit = ["--posts", -(-self.args.askable // per_post), "--seconds", 3600, "--megabytes", 4096]
        receiver.start()
        try:
            figures = self.load(receiver, per_post, 32, limit=limit, wait=True)
        finally:
            receiver.stop()
        if figures["askable_s"] is None:
            figures["askable_s"] = figures["seconds"]
            figures["askable_events_per_s"] = figures["events_per_s"]
        return figures

    def receiver(self, name: str, trail: int, fresh: str) -> Receiver:
        """With an empty trail of its own, or with the filled one that all measurements share."""
        folder = self.folder / (f"{name}-{trail}" if trail else f"{name}-{fresh}")
        return KINDS[name](folder, self.sender)

    def rounds(self, cell: str, trail: int, measure) -> dict[str, list[dict]]:
        results = defaultdict(list)
        for number in range(self.args.rounds):
            # A B, then B A: what drifts on the machine meets both alike.
            order = self.args.receivers if number % 2 == 0 else self.args.receivers[::-1]
            for name in order:
                receiver = self.receiver(name, trail, f"{cell}-{number}")
                figures = measure(receiver)
                results[name].append(figures)
                if not trail:
                    shutil.rmtree(receiver.folder)
                rate = figures["events_per_s"]
                used_up = " (prepared POSTs used up)" if figures["used_up"] and not cell.startswith("burst") else ""
                say(f"{cell} round {number + 1} {name}: {rate:,.0f} events/s, p50 {figures['p50_ms']:.1f} ms{used_up}")
        return results


def median(results: list[dict], key: str) -> float:
    return statistics.median(figures[key] for figures in results)


def ratio(results: dict[str, list[dict]], key: str, first: str, name: str) -> str:
    """The median over rounds of the ratio within a round, so that a slow minute of the machine counts on both sides."""
    pairs = zip(results[first], results[name], strict=True)
    ratios = [a[key] / b[key] for a, b in pairs if b[key]]
    if not ratios:
        return "–"
    middle = statistics.median(ratios)
    return f"{middle:.1f}×" if middle >= 10 else f"{middle:.2f}×"


def cell_rows(what: str, results: dict[str, list[dict]]) -> list[str]:
    first = next(iter(results))
    rows = []
    for name, figures in results.items():
        m = lambda key: median(figures, key)
        against = "" if name == first else ratio(results, "events_per_s", first, name)
        rows.append(
            f"| {what} | {name} | {m('events_per_s'):,.0f} | {m('posts_per_s'):,.0f} | {m('p50_ms'):.2f} | {m('p90_ms'):.2f} "
            f"| {m('p99_ms'):.2f} | {m('max_ms'):.1f} | {m('refused'):.0f} | {m('memory_mb'):.0f} | {m('start_s') * 1000:.0f} | {against} |"
        )
    return rows


def main() -> int:
    args = arguments()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="mailtrail-bench-"))
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BenchError(f"{folder} is not empty")
    try:
        lines, raw = measure_all(args, Bench(args, folder))
    finally:
        if not args.folder:
            shutil.rmtree(folder, ignore_errors=True)
    table = "\n".join(lines) + "\n"
    print(table)
    if args.out:
        args.out.write_text(table)
        args.out.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")
    return 0


def measure_all(args: argparse.Namespace, bench: Bench) -> tuple[list[str], list[dict]]:
    if file_system(bench.folder) == "tmpfs":
        say(f"warning: {bench.folder} is on tmpfs, where durability costs nothing; give --folder on a disk")
    bench.build()
    first = args.receivers[0]
    lines = [
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"trails on {file_system(bench.folder)}; {args.rounds} rounds of {args.seconds} s, medians; sender and receiver share the machine. "
        f"The ratio is {first} to the receiver of the row, the median over rounds.",
        "",
    ]
    raw = []
    for trail in args.trails:
        lines += [f"### {'Empty trail' if not trail else f'Trail of {trail:,} events'}", ""]
        lines += ["| events a POST × connections | receiver | events/s | POSTs/s | p50 ms | p90 | p99 | max | refused "
                  "| peak MB | start ms | ratio |", "|---|---|---|---|---|---|---|---|---|---|---|---|"]
        for name in args.receivers:
            if trail:
                bench.prefill(bench.receiver(name, trail, ""), trail)
        for per_post, connections in itertools.product(args.events_per_post, args.connections):
            cell = f"{per_post}x{connections}"
            results = bench.rounds(cell, trail, lambda r: bench.measure(r, per_post, connections))
            lines += cell_rows(f"{per_post} × {connections}", results)
            raw += [{"trail": trail, "receiver": name, **f} for name, fs in results.items() for f in fs]
        lines.append("")
        for per_post in (n for n in args.events_per_post if args.askable and n > 1):
            results = bench.rounds(f"burst of {per_post}s", trail, lambda r, n=per_post: bench.burst(r, n))
            lines += [f"A burst of {args.askable:,} events ({per_post:,} a POST, 32 connections) until the last can be asked for:", "",
                      "| receiver | seconds | events/s | acknowledged after | ratio |", "|---|---|---|---|---|"]
            for name, figures in results.items():
                against = "" if name == first else ratio(results, "askable_events_per_s", first, name)
                lines.append(f"| {name} | {median(figures, 'askable_s'):.1f} | {median(figures, 'askable_events_per_s'):,.0f} "
                             f"| {median(figures, 'seconds'):.1f} s | {against} |")
            lines.append("")
            raw += [{"trail": trail, "receiver": name, "burst": per_post, **f} for name, fs in results.items() for f in fs]
    return lines, raw


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"error: {error}")
