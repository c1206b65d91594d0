"""A conversation with the API through the client of `openapi-python-client`. BASE is the API's URL, ADMIN a token."""

import os

from groups_api_client import AuthenticatedClient
from groups_api_client.api.accounts import list_accounts
from groups_api_client.api.groups import create_group, delete_group, list_groups
from groups_api_client.api.members import add_member, list_members
from groups_api_client.models import CreateGroup, ErrorCode, ErrorReply
from groups_api_client.types import UNSET

client = AuthenticatedClient(base_url=os.environ["BASE"], token=os.environ["ADMIN"])


def names():
    found, after = [], UNSET
    while True:
        page = list_groups.sync(client=client, limit=2, after=after)
        found += [group.name for group in page.groups]
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            return found


before = names()
body = CreateGroup(name="Python too", external_id="python-too", email=None)
group = create_group.sync(client=client, body=body)
assert group.external_id == "python-too" and len(names()) == len(before) + 1

account = list_accounts.sync(client=client, search="doe j").accounts[0]
member = add_member.sync(group.id, account.id, client=client)
assert member.name == "john.doe"
assert [one.id for one in list_members.sync(group.id, client=client).members] == [account.id]

reply = create_group.sync(client=client, body=body)
assert isinstance(reply, ErrorReply) and reply.error.code == ErrorCode.CONFLICT and group.id in reply.error.message, reply

assert delete_group.sync_detailed(group.id, client=client).status_code == 204
assert names() == before
print("openapi-python-client: the conversation ends as it should")
