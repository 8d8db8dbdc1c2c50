"""The receiver that many teams write first, to measure mailtrail against.

FastAPI, HTTP Basic, the signature checked with `cryptography`, addresses hashed with SHA-256, rows committed to SQLite
(WAL, synchronous=FULL) before the answer. Written to be fair: constant-time comparison, the key parsed once, one
`executemany` and one commit a POST, the indexes that the questions of a bulk send need, repeats ignored by `sg_event_id`.

It answers like mailtrail where the benchmark looks: 200 after the commit, 401 for wrong credentials or signature.

    SENDGRID_USER=… SENDGRID_PASSWORD=… SENDGRID_PUBLIC_KEY=MFkw… DATABASE=trail.db \
        uvicorn fastapi_receiver:app --host 127.0.0.1 --port 8080 --no-access-log
"""

import base64
import hashlib
import json
import os
import secrets
import sqlite3
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.security import HTTPBasic, HTTPBasicCredentials

USER = os.environ["SENDGRID_USER"].encode()
PASSWORD = os.environ["SENDGRID_PASSWORD"].encode()
PUBLIC_KEY = load_der_public_key(base64.b64decode(os.environ["SENDGRID_PUBLIC_KEY"]))

SCHEMA = """
CREATE TABLE IF NOT EXISTS sendgrid_event (
    sg_event_id TEXT UNIQUE,
    event TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    email_hash TEXT,
    sg_message_id TEXT,
    smtp_id TEXT,
    category TEXT,
    reason TEXT,
    response TEXT,
    status TEXT,
    type TEXT,
    attempt TEXT,
    url TEXT,
    useragent TEXT,
    ip TEXT
);
CREATE INDEX IF NOT EXISTS event_by_time ON sendgrid_event (timestamp);
CREATE INDEX IF NOT EXISTS event_by_email ON sendgrid_event (email_hash, timestamp);
"""

INSERT = """
INSERT OR IGNORE INTO sendgrid_event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def open_database() -> sqlite3.Connection:
    database = sqlite3.connect(os.environ["DATABASE"], timeout=30, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA cache_size=-262144")
    database.executescript(SCHEMA)
    return database


app = FastAPI(openapi_url=None)
security = HTTPBasic(realm="mailtrail")
database = open_database()


def authenticated(credentials: Annotated[HTTPBasicCredentials, Depends(security)]) -> None:
    right_user = secrets.compare_digest(credentials.username.encode(), USER)
    right_password = secrets.compare_digest(credentials.password.encode(), PASSWORD)
    if not (right_user and right_password):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Incorrect id or password", {"WWW-Authenticate": "Basic"})


def signed(request: Request, body: bytes) -> bool:
    try:
        signature = base64.b64decode(request.headers["X-Twilio-Email-Event-Webhook-Signature"])
        timestamp = request.headers["X-Twilio-Email-Event-Webhook-Timestamp"].encode()
        PUBLIC_KEY.verify(signature, timestamp + body, ec.ECDSA(SHA256()))
    except (KeyError, ValueError, InvalidSignature):
        return False
    return True


def email_hash(email: str | None) -> str | None:
    return None if email is None else hashlib.sha256(email.strip().lower().encode()).hexdigest()


def row(event: dict) -> tuple:
    get = event.get
    return (
        get("sg_event_id"),
        event["event"],
        event["timestamp"],
        email_hash(get("email")),
        get("sg_message_id"),
        get("smtp-id"),
        json.dumps(get("category", [])),
        get("reason"),
        get("response"),
        get("status"),
        get("type"),
        get("attempt"),
        get("url"),
        get("useragent"),
        get("ip"),
    )


@app.post("/event", dependencies=[Depends(authenticated)])
async def event(request: Request) -> dict[str, int]:
    body = await request.body()
    if not signed(request, body):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Incorrect signature")
    rows = [row(event) for event in json.loads(body)]
    # In the event loop as in the origin: SQLite has one writer anyway, and a thread would only add a hop.
    with database:
        database.executemany(INSERT, rows)
    return {"accepted": len(rows), "quarantined": 0}
