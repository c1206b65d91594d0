//! The size of an item in a response. Lambda's payload carries the body as a JSON text inside JSON, so that texts are
//! escaped twice.

use crate::domain::{
    Account, Actor, ExternalId, Group, GroupEmail, GroupId, HistoryChange, HistoryEntry, Member, Membership,
    MembershipType, PastGroup, PastMembership, ProvisionedAccount,
};

/// An item of a page.
pub(crate) trait ResponseSize {
    /// Bytes of the item in Lambda's payload: never fewer than it takes, seldom many more.
    fn response_bytes(&self) -> usize;
}

/// Field names, quotes, numbers, times and the id of a group, with how an account is its member or its distance. A test holds
/// this against the largest group.
const GROUP_BYTES: usize = 480;
/// The name of a field that not every group has, with all quotes.
const OPTIONAL_BYTES: usize = 22;
/// Field names, quotes and times of a member, or of an account.
const MEMBER_BYTES: usize = 208;
/// The name of the field with the end of a membership, its quotes and the time.
const EXPIRY_BYTES: usize = 40;
/// Field names, quotes, times, numbers and group ids of an entry in a history, with both memberships.
const HISTORY_BYTES: usize = 560;
/// The id of a group, with its quotes.
const VIA_BYTES: usize = 48;

impl ResponseSize for Group {
    fn response_bytes(&self) -> usize {
        let profile = &self.profile;
        let optional = [
            profile.external_id.as_ref().map(ExternalId::as_str),
            profile.email.as_ref().map(GroupEmail::as_str),
            self.created_by.as_ref().map(Actor::as_str),
            self.updated_by.as_ref().map(Actor::as_str),
        ];
        let optional = optional.into_iter().flatten().map(|text| OPTIONAL_BYTES + text_bytes(text));
        let texts = text_bytes(profile.name.as_str()) + text_bytes(profile.description.as_str());
        GROUP_BYTES + texts + optional.sum::<usize>()
    }
}

impl ResponseSize for Member {
    fn response_bytes(&self) -> usize {
        let account = &self.account;
        let texts = [account.id.as_str(), &account.name, &account.email, &account.status];
        let expiry = EXPIRY_BYTES * usize::from(self.expires_at.is_some());
        let via = VIA_BYTES * self.membership.via.len();
        MEMBER_BYTES + expiry + via + texts.into_iter().map(text_bytes).sum::<usize>()
    }
}

impl<Place> ResponseSize for (Place, Group) {
    fn response_bytes(&self) -> usize {
        self.1.response_bytes()
    }
}

impl ResponseSize for GroupId {
    fn response_bytes(&self) -> usize {
        VIA_BYTES
    }
}

impl ResponseSize for Account {
    fn response_bytes(&self) -> usize {
        let texts = [self.id.as_str(), &self.name, &self.email, &self.status];
        MEMBER_BYTES + texts.into_iter().map(text_bytes).sum::<usize>()
    }
}

impl<Place> ResponseSize for (Place, ProvisionedAccount) {
    fn response_bytes(&self) -> usize {
        self.1.account.response_bytes()
    }
}

/// A group with its distance.
impl ResponseSize for (Group, u64) {
    fn response_bytes(&self) -> usize {
        self.0.response_bytes()
    }
}

impl ResponseSize for (Group, MembershipType) {
    fn response_bytes(&self) -> usize {
        self.0.response_bytes()
    }
}

impl ResponseSize for (Group, Membership) {
    fn response_bytes(&self) -> usize {
        self.0.response_bytes() + VIA_BYTES * self.1.via.len()
    }
}

/// A group with the time when it was deleted.
impl ResponseSize for PastGroup {
    fn response_bytes(&self) -> usize {
        self.group.response_bytes() + OPTIONAL_BYTES + VIA_BYTES * self.membership.via.len()
    }
}

impl ResponseSize for HistoryEntry {
    fn response_bytes(&self) -> usize {
        let of_membership =
            |it: &Option<PastMembership>| it.as_ref().map_or(0, |it| VIA_BYTES * it.membership.via.len());
        let of_change = match &self.change {
            // The id of the change names the account once more.
            HistoryChange::Member { account, before, after, .. } => {
                2 * text_bytes(account.as_str()) + of_membership(before) + of_membership(after)
            }
            HistoryChange::Group { before, after, .. } => {
                [before, after].into_iter().flatten().map(|group| group.response_bytes()).sum()
            }
            HistoryChange::Nesting { .. } => 0,
        };
        HISTORY_BYTES + text_bytes(self.actor.as_str()) + of_change
    }
}

impl<Place> ResponseSize for (Place, HistoryEntry) {
    fn response_bytes(&self) -> usize {
        self.1.response_bytes()
    }
}

/// Bytes of a text escaped twice: a control character becomes `\\u0001`, a quote `\\\"`, a backslash `\\\\`. Two passes,
/// because the compiler vectorizes each.
fn text_bytes(text: &str) -> usize {
    let controls = text.bytes().filter(|byte| *byte < 0x20).count();
    let quoted = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    text.len() + 6 * controls + 3 * quoted
}
