//! The operations, one for each function behind a route.

use super::links::{self, Link};

/// Who may call.
pub(super) enum Who {
    Anyone,
    Administrators,
}

/// The body of a request.
pub(super) struct Body {
    pub schema: &'static str,
    pub required: bool,
    /// In JSON.
    pub example: &'static str,
}

/// The answer to a request that was done.
#[derive(Clone, Copy)]
pub(super) struct Success {
    pub status: u16,
    pub description: &'static str,
    pub headers: &'static [&'static str],
    /// The body's schema, and an example in JSON.
    pub body: Option<(&'static str, &'static str)>,
}

/// What a reader wants to know of an endpoint, but for its route.
pub(super) struct Operation {
    pub function: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub who: Who,
    /// By their names in `parameters.rs`.
    pub parameters: &'static [&'static str],
    pub body: Option<Body>,
    pub success: Success,
    /// Statuses of other answers, but for those of every operation.
    pub refusals: &'static [u16],
    pub links: &'static [Link],
}

const GROUP: &str = r#"
    {"id":"grp-018d0cab-c440-7000-8000-000000000001","name":"Engineering Team",
    "description":"All engineering staff","group_type":"security","is_privileged":false,"member_count":45,
    "created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T10:30:00Z","direct_member_count":40,
    "nested_group_count":2}"#;
const GROUPS: &str = r#"
    {"groups":[{"id":"grp-018d0cab-c440-7000-8000-000000000002","name":"Backend Team","description":"",
    "group_type":"security","is_privileged":false,"member_count":16,"created_at":"2024-01-15T10:30:00Z",
    "updated_at":"2024-01-15T10:30:00Z","direct_member_count":16,"nested_group_count":0}],
    "pageInfo":{"hasNextPage":true,"endCursor":"q83vEjRWeJCrze8SNFZ4kA"}}"#;
const MEMBER: &str = r#"
    {"id":"acc-123","name":"john.doe","email":"john.doe@company.com","membership_type":"direct",
    "added_date":"2024-01-15T10:30:00Z","status":"active"}"#;
const MEMBERS: &str = r#"
    {"members":[{"id":"acc-141","name":"sofia.costa","email":"sofia.costa@company.com",
    "membership_type":"indirect","added_date":"2024-01-15T10:30:00Z","status":"active",
    "via":["grp-018d0cab-c440-7000-8000-000000000002"]}],"count":1,"pageInfo":{"hasNextPage":false,
    "endCursor":null}}"#;
const NEW_GROUP: &str =
    r#"{"name":"Platform Team","description":"Everyone who builds","group_type":"security","is_privileged":false}"#;
const CHANGES: &str = r#"{"description":"Everyone who builds"}"#;
const MEMBERS_TO_CHANGE: &str = r#"{"add":["acc-123","acc-999"],"remove":["acc-101"]}"#;
const OUTCOMES: &str = r#"
    {"outcomes":[{"id":"acc-123","outcome":"already_member"},{"id":"acc-999",
    "outcome":"unknown_account"},{"id":"acc-101","outcome":"removed"}]}"#;

/// No body, or an object without fields.
const NOTHING: Option<Body> = Some(Body { schema: "Nothing", required: false, example: "{}" });
const SETTLED: &[&str] = &["Membership-Settled"];

/// All of them.
pub(super) const OPERATIONS: [Operation; 13] = [
    Operation {
        function: list_groups::FUNCTION.name,
        tag: "Groups",
        summary: "Groups by the page",
        description: "All groups by name, ignoring case; with `search`, those with the text in their names, by the text from the \
                      first match on; with `member`, those that the account is in, each with its `membership_type`. A group \
                      that is there throughout a walk appears in it exactly once.",
        who: Who::Anyone,
        parameters: &["Search", "Member", "GroupsLimit", "After"],
        body: None,
        success: Success { status: 200, description: "The page.", headers: &[], body: Some(("Groups", GROUPS)) },
        refusals: &[400, 404],
        links: links::OF_GROUPS,
    },
    Operation {
        function: create_group::FUNCTION.name,
        tag: "Groups",
        summary: "A new group",
        description: "With an `Idempotency-Key` it may be sent again without creating another.",
        who: Who::Administrators,
        parameters: &["IdempotencyKey"],
        body: Some(Body { schema: "CreateGroup", required: true, example: NEW_GROUP }),
        success: Success {
            status: 201,
            description: "The group.",
            headers: &["ETag", "Location"],
            body: Some(("Group", GROUP)),
        },
        refusals: &[400, 409, 413, 415],
        links: links::OF_GROUP,
    },
    Operation {
        function: get_group::FUNCTION.name,
        tag: "Groups",
        summary: "One group",
        description: "Its counts are exact at every moment.",
        who: Who::Anyone,
        parameters: &["Id"],
        body: None,
        success: Success { status: 200, description: "The group.", headers: &["ETag"], body: Some(("Group", GROUP)) },
        refusals: &[404],
        links: links::OF_GROUP,
    },
    Operation {
        function: update_group::FUNCTION.name,
        tag: "Groups",
        summary: "Other fields for a group",
        description: "Changes the fields given, and only those; an empty object changes nothing.",
        who: Who::Administrators,
        parameters: &["Id", "IfMatch"],
        body: Some(Body { schema: "UpdateGroup", required: true, example: CHANGES }),
        success: Success { status: 200, description: "The group.", headers: &["ETag"], body: Some(("Group", GROUP)) },
        refusals: &[400, 404, 412, 413, 415],
        links: links::OF_GROUP,
    },
    Operation {
        function: delete_group::FUNCTION.name,
        tag: "Groups",
        summary: "A group deleted",
        description: "It is gone from the moment this answers, whatever its size; its members leave the groups above after that.",
        who: Who::Administrators,
        parameters: &["Id", "IfMatch"],
        body: None,
        success: Success { status: 204, description: "It is gone.", headers: SETTLED, body: None },
        refusals: &[400, 404, 412],
        links: links::OF_NO_GROUP,
    },
    Operation {
        function: list_members::FUNCTION.name,
        tag: "Members",
        summary: "Who is a member",
        description: "Accounts only, each once, by id; an indirect member says which directly nested groups it comes through.",
        who: Who::Anyone,
        parameters: &["Id", "MembershipType", "MembersLimit", "After"],
        body: None,
        success: Success { status: 200, description: "The members.", headers: &[], body: Some(("Members", MEMBERS)) },
        refusals: &[400, 404],
        links: links::OF_MEMBERS,
    },
    Operation {
        function: change_members::FUNCTION.name,
        tag: "Members",
        summary: "Many members at once",
        description: "Adds and removes accounts, each by itself.",
        who: Who::Administrators,
        parameters: &["Id"],
        body: Some(Body { schema: "ChangeMembers", required: true, example: MEMBERS_TO_CHANGE }),
        success: Success {
            status: 200,
            description: "One outcome for each id: those to add first, each in the order sent.",
            headers: SETTLED,
            body: Some(("Outcomes", OUTCOMES)),
        },
        refusals: &[400, 404, 413, 415],
        links: links::OF_OUTCOMES,
    },
    Operation {
        function: get_member::FUNCTION.name,
        tag: "Members",
        summary: "One member",
        description: "Whether, and how, an account is a member.",
        who: Who::Anyone,
        parameters: &["Id", "AccountId"],
        body: None,
        success: Success { status: 200, description: "The member.", headers: &[], body: Some(("Member", MEMBER)) },
        refusals: &[404],
        links: links::OF_MEMBER,
    },
    Operation {
        function: add_member::FUNCTION.name,
        tag: "Members",
        summary: "A member more",
        description: "Makes an account a direct member; it may be one already.",
        who: Who::Administrators,
        parameters: &["Id", "AccountId"],
        body: NOTHING,
        success: Success { status: 200, description: "The member.", headers: SETTLED, body: Some(("Member", MEMBER)) },
        refusals: &[400, 404, 413, 415],
        links: links::OF_MEMBER,
    },
    Operation {
        function: remove_member::FUNCTION.name,
        tag: "Members",
        summary: "A member less",
        description: "Makes an account no direct member any more. Of one that is a member only through nested groups, it names them.",
        who: Who::Administrators,
        parameters: &["Id", "AccountId"],
        body: None,
        success: Success { status: 204, description: "It is no direct member.", headers: SETTLED, body: None },
        refusals: &[404, 409],
        links: links::OF_NO_MEMBER,
    },
    Operation {
        function: list_nested_groups::FUNCTION.name,
        tag: "Nesting",
        summary: "The groups nested directly in a group",
        description: "By name, ignoring case, a page at a time.",
        who: Who::Anyone,
        parameters: &["Id", "GroupsLimit", "After"],
        body: None,
        success: Success { status: 200, description: "The page.", headers: &[], body: Some(("Groups", GROUPS)) },
        refusals: &[400, 404],
        links: links::OF_NESTED_GROUPS,
    },
    Operation {
        function: nest_group::FUNCTION.name,
        tag: "Nesting",
        summary: "A group nested in another",
        description: "Its members are members of the other and of all groups above. What would make a cycle is refused with its path.",
        who: Who::Administrators,
        parameters: &["Id", "ChildId"],
        body: NOTHING,
        success: Success {
            status: 200,
            description: "The nested group.",
            headers: &["ETag", "Membership-Settled"],
            body: Some(("Group", GROUP)),
        },
        refusals: &[400, 404, 409, 413, 415],
        links: links::OF_NESTED,
    },
    Operation {
        function: unnest_group::FUNCTION.name,
        tag: "Nesting",
        summary: "A group taken out of another",
        description: "Takes the members along that come only through it.",
        who: Who::Administrators,
        parameters: &["Id", "ChildId"],
        body: None,
        success: Success { status: 204, description: "It is nested there no more.", headers: SETTLED, body: None },
        refusals: &[404],
        links: links::OF_NO_NESTING,
    },
];
