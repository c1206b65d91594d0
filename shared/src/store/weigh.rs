//! What an item weighs in an answer. Lambda carries the body as a JSON text inside JSON, so that texts are escaped twice.

use crate::domain::{Group, Member, MembershipType};

/// An item of a page.
pub(super) trait Weigh {
    /// Bytes that it takes in an answer as Lambda carries it: never fewer, seldom many more.
    fn carried_bytes(&self) -> usize;
}

/// Names of fields, quotes, numbers, times and ids of a group.
const GROUP_BYTES: usize = 480;
/// Names of fields, quotes and times of a member.
const MEMBER_BYTES: usize = 208;
/// The id of a group that an indirect member comes through, with its quotes.
const VIA_BYTES: usize = 48;

impl Weigh for Group {
    fn carried_bytes(&self) -> usize {
        GROUP_BYTES + text_bytes(self.profile.name.as_str()) + text_bytes(self.profile.description.as_str())
    }
}

impl Weigh for Member {
    fn carried_bytes(&self) -> usize {
        let account = &self.account;
        let texts = [account.id.as_str(), &account.name, &account.email, &account.status];
        MEMBER_BYTES + VIA_BYTES * self.via.len() + texts.into_iter().map(text_bytes).sum::<usize>()
    }
}

impl<Place> Weigh for (Place, Group) {
    fn carried_bytes(&self) -> usize {
        self.1.carried_bytes()
    }
}

impl<Place> Weigh for (Place, (Group, MembershipType)) {
    fn carried_bytes(&self) -> usize {
        self.1.0.carried_bytes()
    }
}

/// A control character becomes `\\u0001`, a quote `\\\"`, a backslash `\\\\`. Counted in two passes, each of which compilers
/// make one instruction for many bytes of.
fn text_bytes(text: &str) -> usize {
    let controls = text.bytes().filter(|byte| *byte < 0x20).count();
    let quoted = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    text.len() + 6 * controls + 3 * quoted
}
