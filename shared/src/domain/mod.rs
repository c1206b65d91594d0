//! The domain types: ids, groups, members, nesting, accounts, history, jobs, pages, time. Pure: no AWS, no HTTP, no async.

pub mod account;
pub mod account_search;
pub mod actor;
pub mod clock;
pub mod error;
pub mod group;
pub mod history;
pub mod ids;
pub mod invalid_value;
pub mod job;
pub mod managers;
pub mod member;
pub mod name;
pub mod nesting;
pub mod page;
pub mod precondition;
pub mod preview;
pub mod validity;

pub use account::{Account, AccountVersion, DescribedBy, ProvisionedAccount};
pub use account_search::{AccountName, AccountTerm, AccountTexts, EmailTerm};
pub use actor::Actor;
pub use clock::{Clock, Moment, Timestamp};
pub use error::{Error, Guarded, Missing};
pub use group::{
    ExternalId, Group, GroupChanges, GroupEmail, GroupFilter, GroupProfile, GroupSelection, GroupTag, GroupType, Order,
    Version,
};
pub use history::{HistoryChange, HistoryEntry, HistoryRetention, PastGroup, PastMembership, Period};
pub use ids::{AccountId, GroupId, PrincipalId};
pub use invalid_value::InvalidValue;
pub use job::{Job, JobKind};
pub use member::{
    AddOutcome, ChangeOutcome, Member, MemberChange, Membership, MembershipPath, MembershipRequest, MembershipType,
    PathStep, RemoveOutcome, RequestOutcome,
};
pub use name::{FoldedText, GroupName, SortKey, Suffix};
pub use nesting::{Edge, EdgeId};
pub use page::{Cursor, Limit, Page};
pub use precondition::Precondition;
pub use validity::{ExpiryAnnouncement, ExpiryNotice, Validity};
