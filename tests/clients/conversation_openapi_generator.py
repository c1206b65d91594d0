"""A conversation with the API through the client of `openapi-generator`. BASE is the API's URL, ADMIN a token."""

import os

import openapi_client as api
from openapi_client.exceptions import ConflictException

configuration = api.Configuration(host=os.environ["BASE"], access_token=os.environ["ADMIN"])
client = api.ApiClient(configuration)
groups, members, accounts = api.GroupsApi(client), api.MembersApi(client), api.AccountsApi(client)


def names():
    found, after = [], None
    while True:
        page = groups.list_groups(limit=2, after=after)
        found += [group.name for group in page.groups]
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            return found


before = names()
body = api.CreateGroup(name="Python", external_id="python", email=None)
group = groups.create_group(body)
assert group.external_id == "python" and len(names()) == len(before) + 1

member = members.add_member(group.id, "acc-123")
assert member.membership_type == api.MembershipType.DIRECT
assert [one.name for one in members.list_members(group.id, search="doe").members] == ["john.doe"]
checks = accounts.check_memberships("acc-123", api.CheckMemberships(group_ids=[group.id, "grp-none"])).checks
assert [check.is_member for check in checks] == [True, False]

try:
    groups.create_group(body)
    raise SystemExit("the external_id was taken")
except ConflictException as conflict:
    error = api.ErrorReply.from_json(conflict.body).error
    assert error.code == api.ErrorCode.CONFLICT and group.id in error.message, error

groups.delete_group(group.id)
assert names() == before
print("openapi-generator: the conversation ends as it should")
