"""Rules of the API that `openapi.yaml` cannot express, for schemathesis (`schemathesis.toml`). Every other finding is a failure."""

import datetime
import json
import re
import uuid

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

# Validation errors of requests whose parts all match the document: two parts that contradict each other, or a cursor of another
# list.
BETWEEN_PARTS = {
    ("after", "is not a cursor of this list"),
    ("member", "is given with another selection"),
    ("name", "is given with another selection"),
    ("external_id", "is given with another selection"),
    ("body", "has more than 500 ids"),
    ("at", "is given with status or search"),
    ("until", "is not later than since"),
    ("expires_at", "is not later than starts_at"),
    # An id such as a dot leads to the route of the path before it, which has no dry run.
    ("dry_run", "is not known here"),
    ("max_removals", "is not known here"),
    # Of the groups of an account, up to 10,000 with `fields=id` only.
    ("limit", "is more than 1000"),
}
# A time that history does not cover.
BEYOND_HISTORY = re.compile("is before .*, where (this )?history begins|is later than now, which is .*")
# An end that has passed.
BEYOND_END = re.compile("is not later than now, which is .*")
# The coverage phase sends values of these headers without quotes, which does not match the document.
WITHOUT_QUOTES = {
    ("If-Match", "is not a list of up to 20 entity tags"),
    ("If-None-Match", "is not a list of up to 20 entity tags"),
}

# Prefix of the ids of the demo data's groups.
DEMO = "grp-018d0cab-c440-7000-8000-"


@schemathesis.hook
def map_query(context, query):
    """Removes parameters that would make most requests invalid by a rule in BETWEEN_PARTS. Links supply the valid cursors."""
    if query and re.fullmatch("[A-Za-z0-9_-]+", str(query.get("after", ""))):
        del query["after"]
    if query and re.fullmatch("[0-9]{4}-.*Z", str(query.get("at", ""))):
        query["at"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {name: value for name, value in query.items() if name not in ["status", "search"]}
    for one in ["search", "member", "name", "external_id"]:
        if query and one in query and context.operation.definition.raw["operationId"] == "list-groups":
            with_each = ["limit", "after", "group_type", "is_privileged", "sort"]
            query = {name: value for name, value in query.items() if name in [one, *with_each]}
    return query


@schemathesis.hook
def map_headers(context, headers):
    """Makes each key unique. A repeated key replays the first answer, about a group that may have been deleted since."""
    if headers and re.fullmatch("[!-~]{1,255}", str(headers.get("Idempotency-Key", ""))):
        headers["Idempotency-Key"] = uuid.uuid4().hex
    return headers


@schemathesis.hook
def map_body(context, body):
    """Moves most ends of memberships into the future."""
    if isinstance(body, dict) and re.fullmatch("[0-9]{4}-.*Z", str(body.get("expires_at", ""))):
        body["expires_at"] = "2999" + body["expires_at"][4:]
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the demo data's groups from being deleted, since the other requests need them."""
    is_deletion = case.operation.definition.raw["operationId"] == "delete-group"
    if is_deletion and str((case.path_parameters or {}).get("id", "")).startswith(DEMO):
        case.path_parameters["id"] = DEMO + "00000000ffff"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Returns whether the finding is a failure."""
    body = json.loads(response.content or "null")
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        errors = {(error["field"], error["reason"]) for error in body["error"]["details"]}
        # An id in both lists.
        errors = {(field, reason) for field, reason in errors if not re.fullmatch("names .* a second time", reason, re.DOTALL)}
        errors = {(field, reason) for field, reason in errors if field != "at" or not BEYOND_HISTORY.fullmatch(reason)}
        errors = {(field, reason) for field, reason in errors if field != "expires_at" or not BEYOND_END.fullmatch(reason)}
        is_coverage = case.meta.phase.name.value == "coverage"
        return not errors <= (BETWEEN_PARTS | WITHOUT_QUOTES if is_coverage else BETWEEN_PARTS)
    return True
