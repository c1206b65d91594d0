//! What the product speaks about: ids, groups, members, accounts, pages, time. Pure: no AWS, no HTTP, no async.

pub mod account;
pub mod clock;
pub mod error;
pub mod group;
pub mod ids;
pub mod member;
pub mod name;
pub mod page;
pub mod violation;

pub use account::{Account, AccountVersion};
pub use clock::{Clock, Timestamp};
pub use error::{Error, Missing};
pub use group::{Group, GroupChanges, GroupProfile, GroupType, Version};
pub use ids::{AccountId, GroupId};
pub use member::{Change, Member, MembershipType, Outcome};
pub use name::{FoldedText, GroupName, SortKey};
pub use page::{Cursor, Limit, Page};
pub use violation::Violation;
