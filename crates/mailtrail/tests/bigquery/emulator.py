"""Starts bqemulator (BigQuery over REST and Storage Write over gRPC, DuckDB inside) for the tests.

    emulator.py DATA_DIR REST_PORT GRPC_PORT        port 0: a free one

Prints `ready REST_PORT GRPC_PORT`, and ends when its standard input does: with the test that started it.
"""

import asyncio
import os
import sys
import threading

os.environ.setdefault("BQEMU_ENABLE_FORMAT_EXTENSIONS", "false")

from bqemulator.config import Settings
from bqemulator.server import EmulatorServer
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager

# It would be fetched from the internet; only GEOGRAPHY needs it.
DuckDBEngine._load_spatial = lambda self: None
# It would copy the whole table at each write.
SnapshotManager.capture = lambda self, *args, **kwargs: None

# One connection shared by the gRPC threads and the event loop locks both up: a cursor a thread instead.
_of_thread = threading.local()
_shared = DuckDBEngine.connection.fget


def _connection(engine):
    root = _shared(engine)
    if threading.current_thread() is threading.main_thread():
        return root
    if getattr(_of_thread, "root", None) is not root:
        _of_thread.cursor = root.cursor()
        _of_thread.cursor.execute("SET TimeZone='UTC'")
        _of_thread.root = root
    return _of_thread.cursor


DuckDBEngine.connection = property(_connection)


async def main(data_dir: str, rest_port: str, grpc_port: str) -> None:
    server = EmulatorServer(
        Settings(
            rest_host="127.0.0.1",
            rest_port=int(rest_port),
            grpc_host="127.0.0.1",
            grpc_port=int(grpc_port),
            persistence_mode="persistent",
            data_dir=data_dir,
            log_level="error",
        )
    )
    await server.start()
    print("ready", server.rest_port, server.grpc_port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


asyncio.run(main(*sys.argv[1:]))
