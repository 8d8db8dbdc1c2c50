"""Rows, one JSON object a line, as the list that the document describes them as."""

import json

import schemathesis


@schemathesis.deserializer("application/x-ndjson")
def rows(_context, response):
    return [json.loads(line) for line in response.content.decode().splitlines()]
