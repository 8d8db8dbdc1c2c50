"""Makes rows of events and sends them with Google's own Python client: what `examples/bigquery_write.rs` does, in Python.

    bigquery_write.py GRPC_PORT ROWS

Prints one JSON object. Needs google-cloud-bigquery-storage (`scripts/bigquery-emulator` installs it).
"""

import json
import sys
import time
from collections import deque

import grpc
from google.cloud import bigquery_storage_v1
from google.cloud.bigquery_storage_v1 import types, writer
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

A_BATCH = 2_000
IN_FLIGHT = 8
STREAM = "projects/demo/datasets/mail/tables/sendgrid_event/streams/_default"

TEXT, INTEGER, BOOL = (descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{name}") for name in ("STRING", "INT64", "BOOL"))
COLUMNS = {
    "sg_event_id": TEXT, "event": TEXT, "timestamp": INTEGER, "email_hash": TEXT, "email_domain": TEXT, "sg_message_id": TEXT,
    "message_id": TEXT, "smtp_id": TEXT, "category": TEXT, "response": TEXT, "ip": TEXT, "tls": BOOL, "run": TEXT,
    "recipient": TEXT, "request": TEXT, "custom_args": TEXT, "extra": TEXT, "received_at": INTEGER, "verified_by": TEXT,
    "key_id": TEXT, "event_key": TEXT, "fingerprint": TEXT,
}


def row_class():
    file = descriptor_pb2.FileDescriptorProto(name="row.proto", package="bench", syntax="proto2")
    message = file.message_type.add(name="Row")
    for number, (name, kind) in enumerate(COLUMNS.items(), 1):
        repeated = name == "category"
        label = "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
        message.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Row"))


def event(n: int, now: int) -> dict:
    return {
        "sg_event_id": f"ZGVsaXZlcmVkLTAtMTIzNDU2Nzgt{n:012}", "event": "delivered", "timestamp": now, "email_hash": f"{n:064x}",
        "email_domain": "example.com", "sg_message_id": f"msg{n:012}.recvd-5b8c6d8f9-abcde-1-6543210F-1.0",
        "message_id": f"msg{n:012}", "smtp_id": f"<msg{n:012}@geopod-ismtpd-1>", "category": ["newsletter", "segment-3"],
        "response": "250 2.0.0 OK 1700000000 d2e1a72fcca58-6bdf0a1b2c3d4e5f6 - gsmtp", "ip": "167.89.12.34", "tls": True,
        "run": "november", "recipient": f"{n:032x}", "request": "0123456789abcdef0123456789abcdef",
        "custom_args": '{"customer":"4711","campaign":"autumn"}', "extra": '{"sg_template_name":"Newsletter"}',
        "received_at": now, "verified_by": "0123456789abcdef", "key_id": "0123456789abcdef", "event_key": f"{n:032x}",
        "fingerprint": f"{n:032x}",
    }


def main() -> None:
    port, rows = int(sys.argv[1]), int(sys.argv[2])
    row, now = row_class(), int(time.time() * 1e6)

    began, cpu = time.monotonic(), time.process_time()
    size = sum(len(row(**event(n, now)).SerializeToString()) for n in range(rows))
    build, build_cpu = time.monotonic() - began, time.process_time() - cpu

    options = [("grpc.max_send_message_length", -1)]
    transport = BigQueryWriteGrpcTransport(channel=grpc.insecure_channel(f"127.0.0.1:{port}", options=options))
    template = types.AppendRowsRequest(write_stream=STREAM)
    schema = types.ProtoSchema()
    descriptor = descriptor_pb2.DescriptorProto()
    row.DESCRIPTOR.CopyToProto(descriptor)
    schema.proto_descriptor = descriptor
    template.proto_rows = types.AppendRowsRequest.ProtoData(writer_schema=schema)

    began, cpu = time.monotonic(), time.process_time()
    stream = writer.AppendRowsStream(bigquery_storage_v1.BigQueryWriteClient(transport=transport), template)
    flights = deque()
    for start in range(0, rows, A_BATCH):
        if len(flights) >= IN_FLIGHT:
            flights.popleft().result()
        batch = types.ProtoRows()
        for n in range(start, min(rows, start + A_BATCH)):
            batch.serialized_rows.append(row(**event(n, now)).SerializeToString())
        # The protocol server wants the stream named in every request; BigQuery wants it in the first alone.
        data = types.AppendRowsRequest.ProtoData(rows=batch)
        flights.append(stream.send(types.AppendRowsRequest(write_stream=STREAM, proto_rows=data)))
    while flights:
        flights.popleft().result()
    sent, send_cpu = time.monotonic() - began, time.process_time() - cpu
    stream.close()
    print(json.dumps({
        "rows": rows, "bytes_a_row": size / rows, "build_us_a_row": build * 1e6 / rows, "build_cpu_us_a_row": build_cpu * 1e6 / rows,
        "rows_per_s": rows / sent, "cpu_us_a_row": send_cpu * 1e6 / rows, "troubles": 0,
    }))


if __name__ == "__main__":
    main()
