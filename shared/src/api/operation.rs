//! The description of an endpoint for readers of the API. Each endpoint has one beside its handler, `OPERATION`.
//! `infra/local/src/openapi` makes `openapi.yaml` from them. The binaries of functions do not contain them.

/// An endpoint in the OpenAPI document. Its route is not here: `template.yaml` has it.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The section of the document.
    pub tag: Tag,
    /// An imperative, such as "Add a member".
    pub summary: &'static str,
    /// Behaviour that neither the summary nor the schemas show.
    pub description: &'static str,
    /// Callers that the endpoint admits.
    pub access: Access,
    /// Names of parameters in `infra/local/src/openapi/parameters.rs`.
    pub parameters: &'static [&'static str],
    /// The request's body, where the endpoint reads one.
    pub request_body: Option<RequestBody>,
    /// The reply to a request that succeeds.
    pub success: Success,
    /// Statuses of error replies, without those of every endpoint: 401, 403, 429, 500, 503.
    pub errors: &'static [u16],
    /// Calls that the reply has the parameters for.
    pub links: &'static [OperationLink],
}

/// A section of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Groups and lists of them.
    Groups,
    /// Accounts in groups.
    Members,
    /// Who may change the members of a group.
    Managers,
    /// Groups in groups.
    Nesting,
    /// Accounts, and the groups that they are in.
    Accounts,
}

impl Tag {
    /// All sections, in the order of the document, each with its description.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Groups, "Groups, and lists of them."),
        (Self::Members, "Accounts in groups."),
        (Self::Managers, "Accounts and groups that may change the direct members of a group, and nothing else."),
        (Self::Nesting, "Groups in groups."),
        (Self::Accounts, "Accounts, as the account system has them, and the groups that they are in."),
    ];

    /// The section's heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Groups => "Groups",
            Self::Members => "Members",
            Self::Managers => "Managers",
            Self::Nesting => "Nesting",
            Self::Accounts => "Accounts",
        }
    }
}

/// Callers that an endpoint admits, as its handler authorizes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every authenticated caller or, where `READ_ROLES` is set, those with one of its roles.
    Readers,
    /// Callers with the administrator's role.
    Administrators,
    /// The same, and managers of the group.
    Managers,
}

/// A body in JSON.
#[derive(Clone, Copy)]
pub struct Content {
    /// The schema's name in the document.
    pub schema: &'static str,
    /// An example in JSON.
    pub example: &'static str,
}

/// The body of a request.
#[derive(Clone, Copy)]
pub struct RequestBody {
    /// Its schema and an example.
    pub content: Content,
    /// Whether a request without it is refused.
    pub required: bool,
}

impl RequestBody {
    /// A body that may be absent.
    #[must_use]
    pub const fn optional(schema: &'static str, example: &'static str) -> Self {
        Self { content: Content { schema, example }, required: false }
    }

    /// No body, or an object without fields.
    pub const EMPTY: Self = Self { content: Content { schema: "Nothing", example: "{}" }, required: false };

    /// A body that must not be missing.
    #[must_use]
    pub const fn required(schema: &'static str, example: &'static str) -> Self {
        Self { content: Content { schema, example }, required: true }
    }
}

/// The reply to a request that succeeds.
#[derive(Clone, Copy)]
pub struct Success {
    /// The HTTP status.
    pub status: u16,
    /// A sentence about the body or the effect.
    pub description: &'static str,
    /// Names of headers in `infra/local/src/openapi/responses.rs`.
    pub headers: &'static [&'static str],
    /// The body, if there is one.
    pub content: Option<Content>,
}

/// The header that says whether all ancestors already show the change.
pub const SETTLED: &[&str] = &["Membership-Settled"];

impl Content {
    /// A group: the demo data's Engineering Team.
    pub const GROUP: Self = Self {
        schema: "Group",
        example: r#"
            {"id":"grp-018d0cab-c440-7000-8000-000000000001","name":"Engineering Team",
            "description":"All engineering staff","group_type":"security","is_privileged":false,"member_count":45,
            "created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T10:30:00Z","direct_member_count":40,
            "nested_group_count":2}"#,
    };

    /// A page of groups that is not the last.
    pub const GROUPS: Self = Self {
        schema: "Groups",
        example: r#"
            {"groups":[{"id":"grp-018d0cab-c440-7000-8000-000000000002","name":"Backend Team","description":"",
            "group_type":"security","is_privileged":false,"member_count":16,"created_at":"2024-01-15T10:30:00Z",
            "updated_at":"2024-01-15T10:30:00Z","direct_member_count":16,"nested_group_count":0}],
            "pageInfo":{"hasNextPage":true,"endCursor":"q83vEjRWeJCrze8SNFZ4kA"}}"#,
    };

    /// The effects of nesting a group.
    pub const PREVIEW: Self = Self {
        schema: "Preview",
        example: r#"
            {"complete":true,"removals":0,"groups":[{"id":"grp-018d0cab-c440-7000-8000-000000000001",
            "name":"Engineering Team","is_privileged":false,"gains":{"count":2,"first":["acc-123","acc-456"]},
            "losses":{"count":0,"first":[]}}]}"#,
    };

    /// A manager.
    pub const MANAGER: Self = Self {
        schema: "Manager",
        example: r#"
            {"id":"acc-123","type":"account","name":"john.doe","added_at":"2024-01-15T10:30:00Z","added_by":"alice"}"#,
    };

    /// A direct member.
    pub const MEMBER: Self = Self {
        schema: "Member",
        example: r#"
            {"id":"acc-123","name":"john.doe","email":"john.doe@company.com","membership_type":"direct",
            "added_date":"2024-01-15T10:30:00Z","status":"active"}"#,
    };
}

/// A call that a reply has the parameters for (OpenAPI's "Link Object"): for readers, and for tests that go from call to call.
#[derive(Clone, Copy)]
pub struct OperationLink {
    /// The endpoint to call next: its function's name.
    pub operation: &'static str,
    /// Its parameters, each as `place.name` with a runtime expression for the value.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Links, the parameters that they share, and lists that several endpoints share.
pub mod link {
    use super::OperationLink;

    /// A link to the function of this name.
    #[must_use]
    pub const fn to(operation: &'static str, parameters: &'static [(&'static str, &'static str)]) -> OperationLink {
        OperationLink { operation, parameters }
    }

    /// The group in the reply's body.
    pub const ID: (&str, &str) = ("path.id", "$response.body#/id");
    /// The group of the request.
    pub const SAME_ID: (&str, &str) = ("path.id", "$request.path.id");
    /// The account of the request.
    pub const SAME_ACCOUNT: (&str, &str) = ("path.accountId", "$request.path.accountId");
    /// The manager of the request.
    pub const SAME_MANAGER: (&str, &str) = ("path.managerId", "$request.path.managerId");
    /// The nested group of the request.
    pub const SAME_CHILD: (&str, &str) = ("path.childId", "$request.path.childId");
    /// Only at the version of the reply.
    pub const AT_THIS_VERSION: (&str, &str) = ("header.If-Match", "$response.header.ETag");
    /// The next page.
    pub const NEXT_PAGE: (&str, &str) = ("query.after", "$response.body#/pageInfo/endCursor");

    /// From a group.
    pub const FROM_GROUP: &[OperationLink] = &[
        to("get-group", &[ID]),
        to("update-group", &[ID, AT_THIS_VERSION]),
        to("delete-group", &[ID, AT_THIS_VERSION]),
        to("list-members", &[ID]),
        to("change-members", &[ID]),
        to("add-member", &[ID]),
        to("list-nested-groups", &[ID]),
        to("list-parents", &[ID]),
        to("nest-group", &[ID]),
    ];

    /// From a member.
    pub const FROM_MEMBER: &[OperationLink] = &[
        to("get-member", &[SAME_ID, SAME_ACCOUNT]),
        to("remove-member", &[SAME_ID, SAME_ACCOUNT]),
        to("list-groups", &[("query.member", "$response.body#/id")]),
        to("list-membership-paths", &[SAME_ID, SAME_ACCOUNT]),
        to("get-account", &[SAME_ACCOUNT]),
    ];

    /// From an account.
    pub const FROM_ACCOUNT: &[OperationLink] = &[
        to("get-account", &[SAME_ACCOUNT]),
        to("list-account-groups", &[SAME_ACCOUNT]),
        to("check-memberships", &[SAME_ACCOUNT]),
    ];
}
