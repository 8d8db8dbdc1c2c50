"""How each receiver is set up, started, watched and stopped."""

import base64
import http.client
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
USER = "sendgrid"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


class BenchError(Exception):
    """Something outside the measurement went wrong; the message says what to do."""


def yielding() -> None:
    """For the sender's process: it does not push a receiver aside for each answer that comes back, as a network, which
    gathers what it brings, would not either."""
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def run(command: list, **options) -> subprocess.CompletedProcess:
    result = subprocess.run([str(part) for part in command], capture_output=True, **options)
    if result.returncode != 0:
        raise BenchError(f"{' '.join(map(str, command))} failed:\n{result.stderr.decode(errors='replace')[-2000:]}")
    return result


def file_system(folder: Path) -> str:
    """The kind of file system of a folder: on tmpfs an fsync costs nothing, and all figures would flatter."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    parents = {str(folder), *map(str, folder.parents)}
    return max((mount for mount in mounts if mount[0] in parents), key=lambda mount: len(mount[0]))[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sender:
    """The signing key, the Basic password, and one POST of its own to find out when a receiver is ready."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            raise BenchError("openssl is missing: it makes and uses the signing key")
        self.key_file = folder / "signing-key.pem"
        self.password = secrets.token_hex(16)
        self.seeds = itertools.count(1)
        curve = "ec_paramgen_curve:P-256"
        run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", self.key_file])
        der = run(["openssl", "pkey", "-in", self.key_file, "-pubout", "-outform", "DER"]).stdout
        self.public_key = base64.b64encode(der).decode()

    def url(self, port: int) -> str:
        return f"http://{USER}:{self.password}@127.0.0.1:{port}/event"

    def load(self, tool: Path, port: int, per_post: int, connections: int, options: list) -> dict:
        """What the load tool measured, each time with other events."""
        command = [tool, "--to", self.url(port), "--key-file", self.key_file, "--json"]
        command += ["--events-per-post", per_post, "--connections", connections, "--seed", next(self.seeds), *options]
        figures = json.loads(run(command, preexec_fn=yielding).stdout)
        figures["refused"] = sum(count for status, count in figures["statuses"].items() if status != "200")
        figures["refused"] += figures["unanswered"]
        return figures

    def probe(self) -> tuple[bytes, dict[str, str]]:
        now = str(int(time.time()))
        # A new id each time; nothing else about the event matters.
        body = (
            f'[{{"email":"probe@example.com","event":"open","sg_event_id":"{secrets.token_urlsafe(16)}",'
            f'"timestamp":{now}}}]\r\n'
        ).encode()
        signature = run(["openssl", "dgst", "-sha256", "-sign", self.key_file], input=now.encode() + body).stdout
        basic = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        return body, {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/json;charset=utf-8",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": now,
        }


class Receiver:
    """A receiver under test. `folder` holds its trail; starting it again finds the trail again."""

    name = ""
    # Name of the metric that is 0 once everything acknowledged can be asked for; None: it is so at once.
    backlog_metric: str | None = None

    def __init__(self, folder: Path, sender: Sender) -> None:
        self.folder = folder
        self.sender = sender
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def metrics_url(self) -> str | None:
        return None

    def start(self) -> float:
        """Starts the process; returns the seconds until its first 200."""
        body, headers = self.sender.probe()
        log = (self.folder / "log.txt").open("ab")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            self.command(),
            env={**os.environ, **self.environment()},
            cwd=self.folder,
            stdout=log,
            stderr=log,
            # A group of its own, so that workers end with it.
            start_new_session=True,
        )
        log.close()
        while time.monotonic() - begun < START_TIMEOUT_S:
            if self.process.poll() is not None:
                break
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request("POST", "/event", body, headers)
                status = connection.getresponse().status
            except OSError:
                time.sleep(0.002)
                continue
            finally:
                connection.close()
            if status == 200:
                return time.monotonic() - begun
            self.stop()
            raise BenchError(f"{self.name} answers {status} to a signed event; see {self.folder}/log.txt")
        self.stop()
        tail = (self.folder / "log.txt").read_text(errors="replace")[-2000:]
        raise BenchError(f"{self.name} did not start:\n{tail}")

    def peak_memory_mb(self) -> float:
        """The highest resident memory of its processes together (the sum of their high-water marks)."""
        total_kb = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                if os.getpgid(int(status.parent.name)) != self.process.pid:
                    continue
                lines = status.read_text().splitlines()
            except (OSError, ProcessLookupError):
                continue
            total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        return total_kb / 1024

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class FastApi(Receiver):
    name = "fastapi"
    venv: Path
    workers = 1

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.venv = folder / "venv"
        run([sys.executable, "-m", "venv", cls.venv])
        run([cls.venv / "bin/pip", "install", "--quiet", "--requirement", HERE / "requirements.txt"])

    def command(self) -> list[str]:
        return [
            str(self.venv / "bin/uvicorn"),
            "fastapi_receiver:app",
            f"--app-dir={HERE}",
            "--host=127.0.0.1",
            f"--port={self.port}",
            f"--workers={self.workers}",
            "--no-access-log",
            "--log-level=warning",
        ]

    def environment(self) -> dict[str, str]:
        return {
            "SENDGRID_USER": USER,
            "SENDGRID_PASSWORD": self.sender.password,
            "SENDGRID_PUBLIC_KEY": self.sender.public_key,
            "DATABASE": str(self.folder / "trail.db"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


class Mailtrail(Receiver):
    name = "mailtrail"
    binary: Path

    def __init__(self, folder: Path, sender: Sender) -> None:
        super().__init__(folder, sender)
        self.metrics_port = free_port()
        self.config = folder / "mailtrail.toml"
        key_file = folder / "mailtrail.key"
        if not key_file.exists():
            # For the key; the configuration it writes is replaced by one for measuring.
            run([Mailtrail.binary, "init", "--dir", folder])
        self.config.touch(mode=0o600)
        self.config.write_text(
            "[receive]\n"
            f'listen = "127.0.0.1:{self.port}"\n'
            f'basic_auth = ["{USER}:{sender.password}"]\n'
            f'public_keys = ["{sender.public_key}"]\n'
            "[privacy]\n"
            f'key_file = "{key_file}"\n'
            "[store]\n"
            f'path = "{folder / "mailtrail.db"}"\n'
            "[metrics]\n"
            f'listen = "127.0.0.1:{self.metrics_port}"\n'
        )

    def command(self) -> list[str]:
        return [str(self.binary), "serve", "--config", str(self.config)]

    def metrics_url(self) -> str | None:
        return f"http://127.0.0.1:{self.metrics_port}/metrics"


class Before(Mailtrail):
    """Another build of mailtrail, such as the one before a change."""

    name = "before"


class WithoutSpool(Mailtrail):
    """The same road, but 200 without storing: what verify, decode and protect alone allow."""

    name = "without-spool"
    backlog_metric = None

    def command(self) -> list[str]:
        return [str(self.binary), "--config", str(self.config)]

    def metrics_url(self) -> str | None:
        return None
