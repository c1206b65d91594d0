//! Where one answer leads: for readers, and for tests that go from call to call.

use serde_json::{Map, Value, json};

/// A call that an answer has the parameters for.
pub(super) struct Link {
    /// The function called.
    pub to: &'static str,
    /// Parameters, each with where its value is.
    pub parameters: &'static [(&'static str, &'static str)],
}

const fn link(to: &'static str, parameters: &'static [(&'static str, &'static str)]) -> Link {
    Link { to, parameters }
}

const ID: (&str, &str) = ("path.id", "$response.body#/id");
const SAME_ID: (&str, &str) = ("path.id", "$request.path.id");
const SAME_ACCOUNT: (&str, &str) = ("path.accountId", "$request.path.accountId");
const SAME_CHILD: (&str, &str) = ("path.childId", "$request.path.childId");
const AT_THIS_VERSION: (&str, &str) = ("header.If-Match", "$response.header.ETag");
const NEXT: (&str, &str) = ("query.after", "$response.body#/pageInfo/endCursor");

/// From a group.
pub(super) const OF_GROUP: &[Link] = &[
    link("get-group", &[ID]),
    link("update-group", &[ID, AT_THIS_VERSION]),
    link("delete-group", &[ID, AT_THIS_VERSION]),
    link("list-members", &[ID]),
    link("change-members", &[ID]),
    link("add-member", &[ID]),
    link("list-nested-groups", &[ID]),
    link("nest-group", &[ID]),
];

/// From a page of groups.
pub(super) const OF_GROUPS: &[Link] = &[
    link("list-groups", &[NEXT]),
    link("get-group", &[("path.id", "$response.body#/groups/0/id")]),
    link("list-members", &[("path.id", "$response.body#/groups/0/id")]),
    link("nest-group", &[("path.id", "$response.body#/groups/0/id"), ("path.childId", "$response.body#/groups/1/id")]),
];

/// From a group that is gone: it stays gone.
pub(super) const OF_NO_GROUP: &[Link] = &[link("get-group", &[SAME_ID]), link("list-members", &[SAME_ID])];

const FIRST_MEMBER: (&str, &str) = ("path.accountId", "$response.body#/members/0/id");

/// From members.
pub(super) const OF_MEMBERS: &[Link] = &[
    link("list-members", &[SAME_ID, NEXT]),
    link("get-member", &[SAME_ID, FIRST_MEMBER]),
    link("add-member", &[SAME_ID, FIRST_MEMBER]),
    link("remove-member", &[SAME_ID, FIRST_MEMBER]),
    link("list-groups", &[("query.member", "$response.body#/members/0/id")]),
];

/// From a member.
pub(super) const OF_MEMBER: &[Link] = &[
    link("get-member", &[SAME_ID, SAME_ACCOUNT]),
    link("remove-member", &[SAME_ID, SAME_ACCOUNT]),
    link("list-groups", &[("query.member", "$response.body#/id")]),
];

/// From an account that was taken out: it may be added again.
pub(super) const OF_NO_MEMBER: &[Link] = &[link("add-member", &[SAME_ID, SAME_ACCOUNT])];

/// From outcomes.
pub(super) const OF_OUTCOMES: &[Link] = &[
    link("get-member", &[SAME_ID, ("path.accountId", "$response.body#/outcomes/0/id")]),
    link("list-members", &[SAME_ID]),
];

/// From a nested group.
pub(super) const OF_NESTED: &[Link] =
    &[link("list-nested-groups", &[SAME_ID]), link("unnest-group", &[SAME_ID, SAME_CHILD]), link("get-group", &[ID])];

const FIRST_CHILD: (&str, &str) = ("path.childId", "$response.body#/groups/0/id");

/// From nested groups.
pub(super) const OF_NESTED_GROUPS: &[Link] = &[
    link("list-nested-groups", &[SAME_ID, NEXT]),
    link("nest-group", &[SAME_ID, FIRST_CHILD]),
    link("unnest-group", &[SAME_ID, FIRST_CHILD]),
];

/// From a group that was taken out: it may be nested again.
pub(super) const OF_NO_NESTING: &[Link] = &[link("nest-group", &[SAME_ID, SAME_CHILD])];

/// Links as an answer has them, by the function called.
pub(super) fn links(links: &[Link]) -> Value {
    let told = |link: &Link| {
        let parameter = |(name, from): &(&str, &str)| ((*name).to_owned(), json!(from));
        let parameters: Map<_, _> = link.parameters.iter().map(parameter).collect();
        (link.to.to_owned(), json!({ "operationId": link.to, "parameters": parameters }))
    };
    links.iter().map(told).collect::<Map<_, _>>().into()
}
