//! The size of an item in a response. Lambda's payload carries the body as a JSON text inside JSON, so that texts are
//! escaped twice.

use crate::domain::{Account, Actor, ExternalId, Group, GroupEmail, GroupId, Member, Membership, MembershipType};

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
        MEMBER_BYTES + VIA_BYTES * self.membership.via.len() + texts.into_iter().map(text_bytes).sum::<usize>()
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

impl<Place> ResponseSize for (Place, Account) {
    fn response_bytes(&self) -> usize {
        self.1.response_bytes()
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

/// Bytes of a text escaped twice: a control character becomes `\\u0001`, a quote `\\\"`, a backslash `\\\\`. Two passes,
/// because the compiler vectorizes each.
fn text_bytes(text: &str) -> usize {
    let controls = text.bytes().filter(|byte| *byte < 0x20).count();
    let quoted = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    text.len() + 6 * controls + 3 * quoted
}
