"""What `openapi.yaml` cannot say of the API, for schemathesis (`schemathesis.toml`): everything else that it finds is at fault."""

import json
import re
import uuid

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData, UnsupportedMethodResponse

# Faults that a request may have though every part of it is as described: of two parts together, or of a cursor, which only
# the list that gave it can tell from any other.
BETWEEN_PARTS = {
    ("after", "is not a cursor of this list"),
    ("search", "is given with member"),
    ("add", "names an account a second time"),
    ("remove", "names an account a second time"),
    ("body", "has more than 500 ids"),
}
# The coverage phase takes the quotes off this header's values, which then are as described no more.
WITHOUT_QUOTES = ("If-Match", "is not a list of up to 20 entity tags")

# What the ids of the demo data's groups begin with.
DEMO = "grp-018d0cab-c440-7000-8000-"


@schemathesis.hook
def map_query(context, query):
    """Leaves out what would have most requests refused for what the document cannot say; cursors come by links."""
    if query and re.fullmatch("[A-Za-z0-9_-]+", str(query.get("after", ""))):
        del query["after"]
    if query and query.get("member"):
        query.pop("search", None)
    return query


@schemathesis.hook
def map_headers(context, headers):
    """Makes each key another: with one that was used, the first answer comes again, of a group that may be gone since."""
    if headers and re.fullmatch("[!-~]{1,255}", str(headers.get("Idempotency-Key", ""))):
        headers["Idempotency-Key"] = uuid.uuid4().hex
    return headers


@schemathesis.hook
def before_call(context, case, kwargs):
    """Leaves the demo data's groups where they are: everything else is about them."""
    is_deletion = case.operation.definition.raw["operationId"] == "delete-group"
    if is_deletion and str((case.path_parameters or {}).get("id", "")).startswith(DEMO):
        case.path_parameters["id"] = DEMO + "00000000ffff"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Gives whether it is one."""
    body = json.loads(response.content or "null")
    if isinstance(failure, UnsupportedMethodResponse):
        # API Gateway's HTTP APIs know no 405: a method that a path does not have is not found.
        return (response.status_code, body) != (404, {"message": "Not Found"})
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        faults = {(fault["field"], fault["reason"]) for fault in body["error"]["details"]}
        is_covering = case.meta.phase.name.value == "coverage"
        return not faults <= (BETWEEN_PARTS | {WITHOUT_QUOTES} if is_covering else BETWEEN_PARTS)
    return True
