//! The state of the model: rows of one account and three groups, and the work that is left.

use crate::model::items::{Group, Item, PerGroup};

/// Unique: a new edge between the same groups has another id.
pub(super) type EdgeId = u8;

/// The parents of a group: a `NEST` row.
pub(super) type Parents = PerGroup<Option<EdgeId>>;

/// One nesting of a child in a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) parent: Group,
    pub(super) child: Group,
    pub(super) id: EdgeId,
}

/// The account's row in a group. `via` is a set of bits, one for each edge that the account is inherited over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) direct: bool,
    pub(super) via: u16,
}

impl Row {
    /// A row without a direct membership or an edge does not exist.
    pub(super) fn exists(self) -> bool {
        self.direct || self.via != 0
    }

    pub(super) fn with(self, via: u16, held: bool) -> Self {
        Self { via: if held { self.via | via } else { self.via & !via }, ..self }
    }
}

/// The state in a group's own row; `Gone` means no row. It becomes visible as soon as it is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Life {
    #[default]
    Active,
    Deleting,
    Gone,
}

/// Why member rows change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Cause {
    /// A caller makes the account a direct member.
    Add(Group),
    /// A caller, or the deletion of the account, ends the direct membership.
    Remove(Group),
    /// The row of the edge's parent may not agree with the edge and the child's row.
    Edge(Edge),
}

/// The items that a change has read, each at its own time. Those of a group are its member row and its parents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Reads {
    pub(super) rows: PerGroup<Option<Row>>,
    pub(super) parents: PerGroup<Option<Parents>>,
}

/// An item that a change reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    Row(Group),
    Parents(Group),
}

/// A piece of work: a record of the stream, a job, or the rest of either. It may be performed at any later time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Work {
    /// Record: the row of a group was created or deleted.
    Existence { group: Group, appeared: bool },
    /// Record: the row of the edge's parent gained the edge.
    Via(Edge),
    /// Record: the row of a group became direct.
    Direct(Group),
    /// Job of a nesting: check that the edge exists and both groups are active.
    Backfill(Edge),
    /// The same job, next step: list the child's members.
    BackfillMembers(Edge),
    /// Job of an unnesting: check that the edge does not exist.
    Sweep(Edge),
    /// The same job, next step: list the parent's members.
    SweepMembers(Edge),
    /// Job of a group's deletion: remove its edges to parents and children.
    DeleteGroup(Group),
    /// The same job, next step: delete its members' rows, and then the group.
    DeleteRows(Group),
    /// Job of an account's deletion: list its direct memberships.
    DeleteAccount,
    /// The end of the same job, with the defect that marks the account only then.
    MarkAccount,
    /// Begin a change.
    Start(Cause),
    /// Read what the change depends on, level by level; then commit the rows that differ, of all groups at once.
    Change(Cause, Reads),
    /// Delete the row in a deleted group.
    Purge(Group),
}

impl Work {
    /// Whether it is delivered from outside, perhaps twice. All other work happens within such a delivery.
    pub(super) fn is_delivered(self) -> bool {
        !matches!(self, Self::Start(..) | Self::Change(..) | Self::Purge(..))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) account_deleted: bool,
    /// The check of an edge committed a row that contradicts the child's row at that moment.
    pub(super) contradicted: bool,
    pub(super) groups: PerGroup<Life>,
    /// The sum of the group's count shards. Each change of a row changes one, in its transaction.
    pub(super) counts: PerGroup<i8>,
    pub(super) rows: PerGroup<Item<Row>>,
    /// Rows in the account's partition: whether it is a direct member.
    pub(super) mirrors: PerGroup<Item<bool>>,
    /// `CHILD` rows, by parent and child.
    pub(super) children: PerGroup<PerGroup<Item<Option<EdgeId>>>>,
    /// `NEST` rows, by child.
    pub(super) nests: PerGroup<Item<Parents>>,
    /// All edges that ever were, in the order of their ids.
    pub(super) edges_ever: Vec<(Group, Group)>,
    /// A multiset, kept in order.
    pub(super) work: Vec<Work>,
    pub(super) operations_left: u8,
    pub(super) repeats_left: u8,
}

impl State {
    pub(super) fn push(&mut self, work: Work) {
        let place = self.work.partition_point(|other| *other < work);
        self.work.insert(place, work);
    }

    pub(super) fn take(&mut self, work: Work) {
        let place = self.work.partition_point(|other| *other < work);
        self.work.remove(place);
    }

    pub(super) fn is_active(&self, group: Group) -> bool {
        self.groups[group] == Life::Active
    }

    /// Returns the decided edges.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> {
        let pairs = Group::ALL.into_iter().flat_map(|parent| Group::ALL.map(|child| (parent, child)));
        pairs.filter_map(|(parent, child)| self.children[parent][child].latest().map(|id| Edge { parent, child, id }))
    }

    /// The oracle: whether the account is a member, found by following the edges.
    pub(super) fn is_member(&self, group: Group) -> bool {
        let nested = |edge: Edge| edge.parent == group && self.is_member(edge.child);
        self.rows[group].latest().direct || self.edges().any(nested)
    }

    /// Whether `to` is `from` itself or a descendant of it.
    pub(super) fn reaches(&self, from: Group, to: Group) -> bool {
        from == to || self.edges().any(|edge| edge.parent == from && self.reaches(edge.child, to))
    }
}
