//! Parses the events that other systems send through EventBridge. Their schemas are in `docs/events`.

use serde_json::Value;

use crate::api::fields::UnknownFields;
use crate::api::{Fields, ValidationErrors};
use crate::domain::{
    Account, AccountId, AccountVersion, DescribedBy, GroupId, InvalidValue, MemberChange, MembershipRequest, Moment,
};

/// An event from another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingEvent {
    /// The account system describes an account or reports its deletion.
    Account {
        /// The new state of the account.
        event: AccountEvent,
        /// The `source` of the event.
        source: String,
    },
    /// `Group Membership Requested`: a system asks to add an account to a group or to remove it.
    Membership {
        /// The requested change.
        request: MembershipRequest,
        /// The name of the requester.
        requested_by: String,
        /// The `source` of the event.
        source: String,
    },
}

/// The new state of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEvent {
    /// `Account Created` or `Account Updated`: the fields of the account.
    Described(Account),
    /// `Account Deleted`: the account no longer exists.
    Deleted(AccountId, AccountVersion),
}

/// The kinds of incoming events.
#[derive(Clone, Copy)]
enum Kind {
    Description(DescribedBy),
    Deletion,
    Request,
}

const DETAIL_TYPES: &str = "Account Created, Account Updated, Account Deleted or Group Membership Requested";
/// May be empty: some accounts have no address.
const EMAIL: &str = "at most 256 characters without control characters";
const EVENT_ID: &str = "1 to 128 visible ASCII characters";
const TIME: &str = "a time in RFC 3339";
const ACTION: &str = "add or remove";
const GROUP: &str = "a group's id";

impl IncomingEvent {
    /// The moment by which the source orders this event among others.
    #[must_use]
    pub const fn ordered_at(&self) -> Moment {
        match self {
            Self::Account { event: AccountEvent::Described(account), .. } => account.version.moment(),
            Self::Account { event: AccountEvent::Deleted(_, version), .. } => version.moment(),
            Self::Membership { request, .. } => request.requested_at,
        }
    }

    /// The account that the event is about.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        match self {
            Self::Account { event: AccountEvent::Described(account), .. } => &account.id,
            Self::Account { event: AccountEvent::Deleted(id, _), .. } => id,
            Self::Membership { request, .. } => request.change.account(),
        }
    }

    /// Parses an event as EventBridge delivers it: an envelope with `id`, `source`, `time`, `detail-type` and `detail`.
    /// Other fields are ignored.
    ///
    /// # Errors
    /// All validation errors of the event.
    pub fn parse(event: Value) -> Result<Self, ValidationErrors> {
        let mut envelope = Fields::from_value(event, "event", "")?;
        let kind = |text: &str| match text {
            "Account Created" => Ok(Kind::Description(DescribedBy::Creation)),
            "Account Updated" => Ok(Kind::Description(DescribedBy::Update)),
            "Account Deleted" => Ok(Kind::Deletion),
            "Group Membership Requested" => Ok(Kind::Request),
            _ => Err(InvalidValue::new("is not known here", DETAIL_TYPES)),
        };
        let kind = envelope.required("detail-type", DETAIL_TYPES, kind);
        let id = envelope.required("id", EVENT_ID, event_id);
        let source = envelope.required("source", Account::TEXT_EXPECTED, Account::parse_text);
        let time = envelope.required("time", TIME, Moment::parse);
        let detail = envelope.take("detail").unwrap_or_default();
        let header = (|| Some((kind?, id?, source?, time?)))();
        let (kind, id, source, time) = envelope.finish(UnknownFields::Ignored, header)?;
        let mut detail = Fields::from_value(detail, "detail", "detail.")?;
        let event = match kind {
            Kind::Description(by) => description(&mut detail, by).map(|event| Self::Account { event, source }),
            Kind::Deletion => deletion(&mut detail).map(|event| Self::Account { event, source }),
            Kind::Request => request(&mut detail, id, time, source),
        };
        detail.finish(UnknownFields::Ignored, event)
    }
}

fn deletion(detail: &mut Fields) -> Option<AccountEvent> {
    let (id, at) = (account_id(detail, "id"), updated_at(detail));
    Some(AccountEvent::Deleted(id?, AccountVersion::deleted(at?)))
}

fn description(detail: &mut Fields, by: DescribedBy) -> Option<AccountEvent> {
    let (id, at) = (account_id(detail, "id"), updated_at(detail));
    let name = detail.required("name", Account::TEXT_EXPECTED, Account::parse_text);
    let email = detail.required("email", EMAIL, address);
    let status = detail.required("status", Account::TEXT_EXPECTED, Account::parse_text);
    let (name, email, status) = (name?, email?, status?);
    let version = AccountVersion::described(at?, by, &name, &email, &status);
    Some(AccountEvent::Described(Account { id: id?, name, email, status, version }))
}

/// Parses a membership request. Without `requested_at`, the time of the event counts.
fn request(detail: &mut Fields, id: String, time: Moment, source: String) -> Option<IncomingEvent> {
    let invalid = InvalidValue::new("is not a group's id", GROUP);
    let group = detail.required("group_id", GROUP, |text| GroupId::parse_in_any_case(text).ok_or(invalid));
    let account = account_id(detail, "account_id");
    let is_addition = detail.required("action", ACTION, |text| match text {
        "add" => Ok(true),
        "remove" => Ok(false),
        _ => Err(InvalidValue::new("is no action", ACTION)),
    });
    let requested_by = detail.required("requested_by", Account::TEXT_EXPECTED, Account::parse_text);
    let requested_at = detail.optional("requested_at", TIME, Moment::parse).unwrap_or(time);
    let change = if is_addition? { MemberChange::add(account?) } else { MemberChange::Remove(account?) };
    let request = MembershipRequest { id, requested_at, group: group?, change };
    Some(IncomingEvent::Membership { request, requested_by: requested_by?, source })
}

fn account_id(detail: &mut Fields, field: &'static str) -> Option<AccountId> {
    let invalid = InvalidValue::new("is not an account id", AccountId::EXPECTED);
    detail.required(field, AccountId::EXPECTED, |text| AccountId::parse(text).ok_or(invalid))
}

fn updated_at(detail: &mut Fields) -> Option<Moment> {
    detail.required("updated_at", TIME, Moment::parse)
}

fn event_id(text: &str) -> Result<String, InvalidValue> {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned()).ok_or(InvalidValue::new("is no event's id", EVENT_ID))
}

fn address(text: &str) -> Result<String, InvalidValue> {
    Account::parse_possibly_empty(text, EMAIL)
}
