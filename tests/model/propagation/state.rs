//! What the table holds for one account and three groups, and the work that is still to be done.

use crate::model::items::{Group, Item, PerGroup};

/// Never the same twice.
pub(super) type EdgeId = u8;

/// One nesting of a child in a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) parent: Group,
    pub(super) child: Group,
    pub(super) id: EdgeId,
}

/// The account's row in a group. `via` is a set of bits, one for each edge that brings the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) direct: bool,
    pub(super) via: u16,
}

impl Row {
    /// A row that nothing holds is not there.
    pub(super) fn exists(self) -> bool {
        self.direct || self.via != 0
    }

    pub(super) fn with(self, via: u16, held: bool) -> Self {
        Self { via: if held { self.via | via } else { self.via & !via }, ..self }
    }
}

/// What a group's own row says; `Gone` is no row at all. Changed by requests of one item each, so it is seen as soon
/// as it is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Life {
    #[default]
    Active,
    Deleting,
    Gone,
}

/// What a reading of an edge found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reading {
    /// The edge is there, and its child has a row.
    Member,
    /// The edge is there, and its child has no row.
    NoMember,
    /// The edge is not there, nor will it be again.
    NoEdge,
}

/// Something to do: a record of the stream, a job, or the rest of either. It may be done at any time from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Work {
    /// Record: the row of a group came into being or went.
    Existence { group: Group, appeared: bool },
    /// Record: the row of the edge's parent gained the edge.
    Gained(Edge),
    /// Record: the row of a group became direct.
    Direct(Group),
    /// Job of a nesting: make sure that the edge is there and between living groups.
    Backfill(Edge),
    /// The same job, next step: look at the child's members.
    BackfillMembers(Edge),
    /// Job of an unnesting: make sure that the edge is not there.
    Sweep(Edge),
    /// The same job, next step: look at the parent's members.
    SweepMembers(Edge),
    /// Job of a group's deletion: take it out of its parents, and its children out of it.
    DeleteGroup(Group),
    /// The same job, next step: delete its members' rows, and then the group.
    DeleteRows(Group),
    /// Job of an account's deletion: look at its direct memberships.
    DeleteAccount,
    /// The end of the same job, in the variant that marks the account only then.
    MarkAccount,
    /// Read what the edge's child says of its parent's row.
    Settle(Edge),
    /// What came of that reading: the parent's row gains or loses the edge, and comes into being or goes with it.
    Write { edge: Edge, reading: Reading, counts: bool },
    /// The direct membership of a deleted account ends.
    Remove(Group),
    /// The row of a group that is deleted goes.
    Purge(Group),
}

impl Work {
    /// Whether it comes from outside, where it may come twice. All else is done within one delivery of these.
    pub(super) fn is_delivered(self) -> bool {
        !matches!(self, Self::Settle(..) | Self::Write { .. } | Self::Remove(..) | Self::Purge(..))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) account_deleted: bool,
    pub(super) groups: PerGroup<Life>,
    /// The group's member count. It moves with the decision of the transaction that moves the row.
    pub(super) counts: PerGroup<i8>,
    pub(super) rows: PerGroup<Item<Row>>,
    /// The edge that a row gains by what is decided.
    pub(super) gaining: PerGroup<Option<Edge>>,
    /// In the account's partition: whether it is a direct member.
    pub(super) mirrors: PerGroup<Item<bool>>,
    /// `CHILD` rows, by parent and child.
    pub(super) children: PerGroup<PerGroup<Item<Option<EdgeId>>>>,
    /// `NEST` rows, by child: its parents.
    pub(super) nests: PerGroup<Item<PerGroup<Option<EdgeId>>>>,
    /// The same parents in an index that lags behind, for the variant that asks there.
    pub(super) index: PerGroup<PerGroup<Option<EdgeId>>>,
    /// A multiset, kept in order.
    pub(super) work: Vec<Work>,
    pub(super) last_edge: EdgeId,
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

    /// The edges that are decided.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> {
        let pairs = Group::ALL.into_iter().flat_map(|parent| Group::ALL.map(|child| (parent, child)));
        pairs.filter_map(|(parent, child)| self.children[parent][child].latest().map(|id| Edge { parent, child, id }))
    }

    /// The oracle: whether the account is a member, found the slow way.
    pub(super) fn is_member(&self, group: Group) -> bool {
        let nested = |edge: Edge| edge.parent == group && self.is_member(edge.child);
        self.rows[group].latest().direct || self.edges().any(nested)
    }

    /// Whether one group is the other, or nested in it at some depth.
    pub(super) fn reaches(&self, from: Group, to: Group) -> bool {
        from == to || self.edges().any(|edge| edge.parent == from && self.reaches(edge.child, to))
    }
}
