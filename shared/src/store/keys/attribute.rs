//! Attributes, by their names in the table.

/// An attribute, by its name in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The table's partition key.
    Pk,
    /// The table's sort key.
    Sk,
    /// A group's, a member's or an account's name.
    Name,
    /// A member's, an account's or a group's address.
    Email,
    /// A member's or an account's status.
    Status,
    /// A group's description.
    Description,
    /// A group's type.
    GroupType,
    /// Whether a group is privileged.
    IsPrivileged,
    /// A group's id in another system.
    ExternalId,
    /// The group that has an external id.
    GroupId,
    /// A shard's members.
    Members,
    /// A shard's direct members.
    DirectMembers,
    /// A copy of the number of a group's members, for lists.
    MemberCount,
    /// A copy of the number of a group's direct members, for lists.
    DirectMemberCount,
    /// The sum of the shards' revisions when a group's counts were last copied to its row.
    CountedRevision,
    /// The groups nested directly in a group.
    NestedGroupCount,
    /// Counts the changes of the groups nested directly in a group.
    NestingRevision,
    /// When an account was first described.
    CreatedAt,
    /// When a group's profile was last written.
    UpdatedAt,
    /// A group's or an account's version.
    Version,
    /// The version of the account that a member row's copies have.
    AccountVersion,
    /// The version at which an account was last deleted.
    DeletedVersion,
    /// A group's, an account's or a job's state.
    State,
    /// Whether searches do not find the group by its name yet.
    NamePending,
    /// The name whose search rows are still to be replaced.
    FormerName,
    /// How many characters of a suffix occur earlier in its name.
    Repeats,
    /// The last change of a group's profile, by which a retried write recognizes itself.
    ChangeId,
    /// Whether a member was added to the group itself.
    Direct,
    /// When a member was added.
    AddedAt,
    /// When a direct member was added to the group itself.
    DirectSince,
    /// Who added a direct member to the group itself.
    DirectBy,
    /// The edges that a member is inherited through.
    Via,
    /// The id of an edge.
    EdgeId,
    /// The parents of a group, each with the edge's id.
    Parents,
    /// The parent that was last added to a group's parents, or removed from them.
    ChangedParent,
    /// Counts the changes of a group's parents.
    Rev,
    /// Counts the writes to a job, or the changes of a membership or of a count shard.
    Revision,
    /// Where the next step of a job starts.
    Cursor,
    /// How many members a job has processed.
    Progress,
    /// How often a job failed since its last progress.
    Attempts,
    /// Why a job last failed.
    LastReason,
    /// The mark of a group that is privileged or nested in a privileged group: in its row a text that is written once, in its count
    /// shards a flag.
    Guard,
    /// When the mark was written.
    GuardedAt,
    /// When a direct membership ends.
    EndsAt,
    /// When a membership starts that is scheduled.
    StartsAt,
    /// When a membership ends that is scheduled.
    ScheduledEnd,
    /// Who scheduled a membership.
    ScheduledBy,
    /// Whether a scheduled membership may start in a guarded group.
    ScheduledForGuarded,
    /// The end of a direct membership that was announced.
    AnnouncedEnd,
    /// When DynamoDB may delete a row (time to live).
    ExpiresAt,
    /// Who made the change: of a group, a membership, an account, or the change that a job follows from.
    Actor,
    /// When a membership last changed.
    ChangedAt,
    /// When an administrator last made an account a direct member, or none.
    AdministeredAt,
    /// When the request was made that last decided whether an account is a direct member.
    DecidedAt,
    /// The requests that decided at that moment.
    Decisions,
    /// The partition key of the first design's index.
    FirstDesignIndexPk,
    /// The sort key of the first design's index.
    FirstDesignIndexSk,
    /// The number of search rows of a group in the first design.
    FirstDesignNameRows,
}

impl Attribute {
    /// The attributes of a group's row that the first design had and this one has not.
    pub const FIRST_DESIGN: [Self; 3] = [Self::FirstDesignIndexPk, Self::FirstDesignIndexSk, Self::FirstDesignNameRows];

    /// The name in the table.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pk => "PK",
            Self::Sk => "SK",
            Self::Name => "name",
            Self::Email => "email",
            Self::Status => "status",
            Self::Description => "description",
            Self::GroupType => "group_type",
            Self::IsPrivileged => "is_privileged",
            Self::ExternalId => "external_id",
            Self::GroupId => "group_id",
            Self::MemberCount => "member_count",
            Self::DirectMemberCount => "direct_member_count",
            Self::CountedRevision => "counted_revision",
            Self::Members => "members",
            Self::DirectMembers => "direct_members",
            Self::NestedGroupCount => "nested_group_count",
            Self::NestingRevision => "nesting_revision",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Version => "version",
            Self::AccountVersion => "account_version",
            Self::DeletedVersion => "deleted_version",
            Self::State => "state",
            Self::NamePending => "name_pending",
            Self::FormerName => "former_name",
            Self::Repeats => "repeats",
            Self::ChangeId => "change_id",
            Self::Direct => "direct",
            Self::AddedAt => "added_at",
            Self::DirectSince => "direct_since",
            Self::DirectBy => "direct_by",
            Self::Via => "via",
            Self::EdgeId => "edge_id",
            Self::Parents => "parents",
            Self::ChangedParent => "changed_parent",
            Self::Rev => "rev",
            Self::Revision => "revision",
            Self::Cursor => "cursor",
            Self::Progress => "progress",
            Self::Attempts => "attempts",
            Self::LastReason => "last_reason",
            Self::Guard => "guard",
            Self::GuardedAt => "guarded_at",
            Self::EndsAt => "ends_at",
            Self::StartsAt => "starts_at",
            Self::ScheduledEnd => "scheduled_end",
            Self::ScheduledBy => "scheduled_by",
            Self::ScheduledForGuarded => "scheduled_for_guarded",
            Self::AnnouncedEnd => "announced_end",
            Self::ExpiresAt => "expires_at",
            Self::Actor => "actor",
            Self::ChangedAt => "changed_at",
            Self::AdministeredAt => "administered_at",
            Self::DecidedAt => "decided_at",
            Self::Decisions => "decisions",
            Self::FirstDesignIndexPk => "GSI1PK",
            Self::FirstDesignIndexSk => "GSI1SK",
            Self::FirstDesignNameRows => "name_rows",
        }
    }
}
