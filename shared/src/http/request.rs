//! Reads the parts of a request: caller, path, headers, query and body.

use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext};
use lambda_http::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{LambdaEvent, Request, RequestExt};

use super::ApiError;
use crate::api::fields::unknown_name;
use crate::api::{FieldError, RequestedAccount, ValidationErrors};
use crate::authz::{Caller, read_roles_claim};
use crate::domain::preview::Precautions;
use crate::domain::{
    AccountId, Cursor, GroupFilter, GroupId, GroupSelection, GroupType, InvalidValue, Missing, Order, Period,
    PrincipalId, Timestamp,
};

/// The largest body, in bytes. 500 account ids of 128 characters fit, even with each character escaped.
pub const MAX_BODY_BYTES: usize = 128 * 1024;

/// The longest `Idempotency-Key`, in characters.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest query, in bytes. The gateway sends no longer one: request line and headers have at most 10,240 bytes (Amazon
/// API Gateway quotas).
const MAX_QUERY_BYTES: usize = 10_240;

/// Percent-encodes bytes in the query of an event that a URI may not contain, and cuts a query that is too long for one. The
/// adapter would panic on either and end the process.
#[must_use]
pub fn escape_query(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest { raw_query_string: Some(query), .. }) =
        &mut event.payload
        && (query.len() > MAX_QUERY_BYTES || !query.bytes().all(is_query_byte))
    {
        let escaped =
            |byte: u8| if is_query_byte(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        *query = query.bytes().take(MAX_QUERY_BYTES).map(escaped).collect();
    }
    event
}

/// Whether RFC 3986, section 3.4, allows a byte in a query, or browsers leave it as it is (WHATWG URL, "query state").
const fn is_query_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~')
}

/// Returns the caller that the gateway's JWT authorizer verified: the name in the claim `actor_claim`, the roles in
/// `roles_claim`.
///
/// # Errors
/// [`ApiError::Unauthorized`] when the token has no claims, or no name among them.
pub fn caller(request: &Request, actor_claim: &str, roles_claim: &str) -> Result<Caller, ApiError> {
    let roles = claim(request, roles_claim).map(read_roles_claim).unwrap_or_default();
    claim(request, actor_claim).and_then(|name| Caller::new(name, roles)).ok_or(ApiError::Unauthorized)
}

/// Returns a claim of the token, as the gateway's JWT authorizer or a Lambda authorizer verified it.
#[must_use]
pub fn claim<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let authorizer = gateway(request)?.authorizer.as_ref()?;
    match &authorizer.jwt {
        Some(jwt) => jwt.claims.get(name).map(String::as_str),
        None => authorizer.fields.get(name)?.as_str(),
    }
}

/// Returns the matched route as written in the template, such as `GET /api/v1/groups/{id}`.
#[must_use]
pub fn route(request: &Request) -> Option<&str> {
    gateway(request)?.route_key.as_deref()
}

/// Returns the trace id (AWS X-Ray, "Tracing header").
#[must_use]
pub fn trace(request: &Request) -> Option<&str> {
    request.lambda_context_ref()?.xray_trace_id.as_deref()
}

fn gateway(request: &Request) -> Option<&ApiGatewayV2httpRequestContext> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

/// Returns the id of the request in responses and logs: API Gateway's, else Lambda's.
#[must_use]
pub fn request_id(request: &Request) -> String {
    let of_gateway = gateway(request).and_then(|context| context.request_id.clone());
    let of_lambda = || request.lambda_context_ref().map(|context| context.request_id.clone());
    of_gateway.or_else(of_lambda).unwrap_or_default()
}

/// Returns the group id in the path.
///
/// # Errors
/// [`Missing::Group`] for an impossible id.
pub fn group_id(request: &Request) -> Result<GroupId, Missing> {
    let parameters = request.path_parameters();
    parameters.first("id").and_then(GroupId::parse_in_any_case).ok_or(Missing::Group)
}

/// Returns the nested group's id in the path.
///
/// # Errors
/// The text itself when it is an impossible id.
pub fn child_id(request: &Request) -> Result<GroupId, String> {
    let parameters = request.path_parameters();
    let text = parameters.first("childId").unwrap_or_default();
    GroupId::parse_in_any_case(text).ok_or_else(|| text.to_owned())
}

/// Returns the manager's id in the path.
///
/// # Errors
/// The text itself when it is the id of neither an account nor a group.
pub fn manager_id(request: &Request) -> Result<PrincipalId, String> {
    let parameters = request.path_parameters();
    let text = parameters.first("managerId").unwrap_or_default();
    PrincipalId::parse(text).ok_or_else(|| text.to_owned())
}

/// Returns the account id in the path.
#[must_use]
pub fn account(request: &Request) -> RequestedAccount {
    RequestedAccount::parse(request.path_parameters().first("accountId").unwrap_or_default())
}

/// Returns the account id in the path.
///
/// # Errors
/// [`Missing::Account`] for an impossible id.
pub fn require_account_id(request: &Request) -> Result<AccountId, Missing> {
    let RequestedAccount { text, id } = account(request);
    id.ok_or(Missing::Account(text))
}

/// Returns the body, which may be empty.
///
/// # Errors
/// The body is over 128 KiB or encoded, or its content type is not JSON.
pub fn json_body(request: &Request) -> Result<&[u8], ApiError> {
    json_body_up_to(request, MAX_BODY_BYTES)
}

/// Returns the body, which may be empty.
///
/// # Errors
/// The body is over `max` bytes or encoded, or its content type is not JSON.
pub fn json_body_up_to(request: &Request, max: usize) -> Result<&[u8], ApiError> {
    let body: &[u8] = request.body();
    if body.len() > max {
        return Err(ApiError::PayloadTooLarge { max });
    }
    let encoding = request.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::EncodedBody);
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case("+json"));
    if body.is_empty() || is_json { Ok(body) } else { Err(ApiError::UnsupportedMediaType) }
}

/// Returns the `Idempotency-Key`, if there is one.
///
/// # Errors
/// The key is not 1 to 255 visible ASCII characters.
pub fn idempotency_key(request: &Request) -> Result<Option<&str>, ValidationErrors> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let fits = (1..=MAX_IDEMPOTENCY_KEY).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    let key = value.to_str().ok().filter(|_| fits);
    let invalid = InvalidValue::new("is empty, too long or not visible ASCII", "1 to 255 visible ASCII characters");
    key.map(Some).ok_or_else(|| FieldError::new("Idempotency-Key", invalid).into())
}

/// Returns the precautions that a request which writes asks for in its query.
///
/// # Errors
/// `dry_run` is neither true nor false, `max_removals` is not a whole number, or there is another parameter.
pub fn precautions(request: &Request) -> Result<Precautions, ValidationErrors> {
    let mut query = Query::parse(request);
    let dry_run = query.flag("dry_run").unwrap_or_default();
    let max_removals = query.take("max_removals", Precautions::parse_max_removals);
    query.finish()?;
    Ok(Precautions { dry_run, max_removals })
}

/// Returns a parameter of the query: the first value where it is given more than once.
#[must_use]
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request.query_string_parameters().first(name).map(str::to_owned)
}

/// The parameters of a query string, to be taken out one by one. Errors are collected.
#[derive(Debug)]
pub struct Query {
    remaining: Vec<(String, String)>,
    /// The parameters that the handler asked for.
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Query {
    /// Reads the query of a request. A repeated parameter is an error.
    #[must_use]
    pub fn parse(request: &Request) -> Self {
        let parameters = request.query_string_parameters();
        let mut query = Self { remaining: Vec::new(), known: Vec::new(), errors: Vec::new() };
        let mut pairs: Vec<_> = parameters.iter().collect();
        pairs.sort_unstable();
        for (name, value) in pairs {
            if query.remaining.iter().any(|(earlier, _)| earlier == name) {
                query.error(name, InvalidValue::new("is given more than once", "given once"));
            } else {
                query.remaining.push((name.to_owned(), value.to_owned()));
            }
        }
        query
    }

    /// Adds an error of a parameter.
    pub fn error(&mut self, name: &str, invalid: InvalidValue) {
        self.errors.push(FieldError::new(name, invalid));
    }

    /// Takes a parameter out and parses it. Returns `None` when it is absent or invalid.
    pub fn take<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, InvalidValue>) -> Option<T> {
        self.known.push(name);
        let index = self.remaining.iter().position(|(parameter, _)| parameter == name)?;
        let (name, value) = self.remaining.swap_remove(index);
        parse(&value).map_err(|invalid| self.error(&name, invalid)).ok()
    }

    /// Takes a parameter out that is true or false.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.take(name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(InvalidValue::new("is neither true nor false", "true or false")),
        })
    }

    /// Takes the filter of groups `group_type` and `is_privileged` out, and their order `sort`.
    pub fn group_selection(&mut self) -> GroupSelection {
        let group_type = self.take("group_type", GroupType::parse);
        let filter = GroupFilter { group_type, is_privileged: self.flag("is_privileged") };
        GroupSelection { filter, order: self.take("sort", Order::parse).unwrap_or_default() }
    }

    /// Takes the bounds of a period out: the first second `since`, and `until`, before which it ends.
    pub fn period(&mut self) -> Period {
        let period =
            Period { since: self.take("since", Timestamp::parse), until: self.take("until", Timestamp::parse) };
        if period.is_empty() {
            self.error("until", InvalidValue::new("is not later than since", "a time later than since"));
        }
        period
    }

    /// Takes the cursor `after` out.
    pub fn after(&mut self) -> Option<Cursor> {
        self.take("after", |text| Ok(Cursor(text.to_owned())))
    }

    /// Takes out `member`, the account whose groups are listed.
    pub fn member(&mut self) -> Option<RequestedAccount> {
        self.take("member", |text| match text {
            "" => Err(InvalidValue::new("is empty", AccountId::EXPECTED)),
            text => Ok(RequestedAccount::parse(text)),
        })
    }

    /// Checks that there was no error and that every parameter was taken.
    ///
    /// # Errors
    /// All errors collected, and one for each unknown parameter.
    pub fn finish(mut self) -> Result<(), ValidationErrors> {
        for (name, _) in std::mem::take(&mut self.remaining) {
            self.error(&name, unknown_name(&name, &self.known));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ValidationErrors(self.errors)) }
    }
}
