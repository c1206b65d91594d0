//! Rows as they are stored: one file a row type, with its conversion from and to the domain. Fields are attributes, by
//! their names in the table. Keys are not among them.

mod account;
mod account_text;
mod any;
mod audit;
mod codec;
mod count;
mod ends;
mod external_id;
mod group;
mod history;
mod idempotency;
mod job;
mod managers;
mod member;
mod nesting;
mod search;
mod snapshot;
mod state;
mod unique_name;

pub(super) use self::account::AccountItem;
pub(super) use self::account_text::account_texts;
pub(super) use self::any::{AnyRow, decode_image, decode_row};
pub(super) use self::audit::AuditItem;
pub(super) use self::codec::{from_row, to_row};
pub(super) use self::count::CountItem;
pub use self::count::{CountShard, ShardCounts};
pub(super) use self::ends::EndsItem;
pub(super) use self::external_id::{ExternalIdItem, external_id_row};
pub use self::group::{GroupCounts, PendingName};
pub(super) use self::group::{GroupItem, read_group, take_group};
pub(super) use self::history::{DeletedGroupItem, HistoryItem};
pub(super) use self::idempotency::IdempotencyItem;
pub(super) use self::job::{JobItem, read_job};
pub(super) use self::managers::{ManagerEntry, ManagersItem};
pub(super) use self::member::{MemberItem, MirrorItem, of_type, set_copies};
pub(super) use self::nesting::{ChildItem, NestingItem};
pub(super) use self::search::{ListEntryItem, SearchItem, list_entries, search_rows, selects_search_rows};
pub(super) use self::snapshot::Snapshot;
pub(super) use self::state::State;
pub use self::unique_name::NameReservation;
