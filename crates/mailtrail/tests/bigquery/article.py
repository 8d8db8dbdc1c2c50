"""Runs the code of the article that mailtrail began with, unchanged but for the table's name, with Google's own client.

    article.py ARTICLE REST_URL CATEGORY SINCE HASH...

Prints what `wait_for_events` returns, as JSON.
"""

import json
import os
import sys
import time
import types
from datetime import datetime

article, rest_url, category, since, *hashes = sys.argv[1:]
os.environ["BIGQUERY_EMULATOR_HOST"] = rest_url

import google.auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

# There is no Google here: nobody to ask who we are, and no read API beside the one we talk to.
google.auth.default = lambda *args, **kwargs: (AnonymousCredentials(), "demo")
bigquery.Client._ensure_bqstorage_client = lambda self, *args, **kwargs: None

text = open(article, encoding="utf-8").read()
begin = text.index("import time\nfrom datetime import datetime")
end = text.index("return counts.to_dict()") + len("return counts.to_dict()")
code = text[begin:end].replace("`XXXXXX.sendgrid_event`", "`demo.mail.sendgrid_event`")

# Its project's own module, and its waits of half a minute.
auth = types.ModuleType("data_manager.auth")
auth.get_email_hash = lambda address: address
sys.modules["data_manager"] = types.ModuleType("data_manager")
sys.modules["data_manager.auth"] = auth
time.sleep = lambda seconds: None

names = {}
exec(compile(code, "article", "exec"), names)
talk, sys.stdout = sys.stdout, sys.stderr
counts = names["EventClient"](project_id="demo").wait_for_events(hashes, category, datetime.fromisoformat(since))
print(json.dumps(counts, sort_keys=True), file=talk)
