//! What a request says.

use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext};
use lambda_http::http::header::{CONTENT_TYPE, HeaderName, IF_MATCH};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{LambdaEvent, Request, RequestExt};

use super::ApiError;
use crate::api::{FieldError, RequestedAccount, ValidationErrors};
use crate::authz::{Caller, read_roles_claim};
use crate::domain::{AccountId, Cursor, GroupId, InvalidValue, Missing, Version};

/// Bytes in the largest body.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Entity tags that one `If-Match` may list: each becomes a part of a condition, whose length is bounded.
pub const MAX_ENTITY_TAGS: usize = 20;

/// Characters in the longest `Idempotency-Key`.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The event with nothing in its query but what a URI may hold: at anything else the adapter would panic, and end the process.
#[must_use]
pub fn readable(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest { raw_query_string: Some(query), .. }) =
        &mut event.payload
        && !query.bytes().all(is_of_query)
    {
        let escaped = |byte: u8| if is_of_query(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        *query = query.bytes().map(escaped).collect();
    }
    event
}

/// RFC 3986, section 3.4, and what browsers leave as it is (WHATWG URL, "query state").
const fn is_of_query(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~')
}

/// The caller that the gateway's JWT authorizer verified, with the roles in the claim of that name.
///
/// # Errors
/// Without claims, or without a `sub` among them, there is no caller: 401.
pub fn caller(request: &Request, roles_claim: &str) -> Result<Caller, ApiError> {
    let roles = claim(request, roles_claim).map(read_roles_claim).unwrap_or_default();
    subject(request).and_then(|subject| Caller::new(subject, roles)).ok_or(ApiError::Unauthorized)
}

/// Who the token is of.
#[must_use]
pub fn subject(request: &Request) -> Option<&str> {
    claim(request, "sub")
}

/// A claim of the token, as the gateway tells it.
fn claim<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let jwt = gateway(request)?.authorizer.as_ref()?.jwt.as_ref()?;
    jwt.claims.get(name).map(String::as_str)
}

/// Which route the gateway took, as it is written in the template.
#[must_use]
pub fn route(request: &Request) -> Option<&str> {
    gateway(request)?.route_key.as_deref()
}

/// Where the request belongs in a trace (AWS X-Ray, "Tracing header").
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

/// Names the request in answers and logs: API Gateway's id of it, else Lambda's.
#[must_use]
pub fn request_id(request: &Request) -> String {
    let gateway = gateway(request).and_then(|context| context.request_id.clone());
    let lambda = || request.lambda_context_ref().map(|context| context.request_id.clone());
    gateway.or_else(lambda).unwrap_or_default()
}

/// The group that the path names.
///
/// # Errors
/// An id that cannot exist is not found.
pub fn group_id(request: &Request) -> Result<GroupId, Missing> {
    let parameters = request.path_parameters();
    parameters.first("id").and_then(GroupId::parse).ok_or(Missing::Group)
}

/// The nested group that the path names.
///
/// # Errors
/// The text, where no group can have such an id.
pub fn child_id(request: &Request) -> Result<GroupId, String> {
    let parameters = request.path_parameters();
    let text = parameters.first("childId").unwrap_or_default();
    GroupId::parse(text).ok_or_else(|| text.to_owned())
}

/// The account that the path names.
#[must_use]
pub fn account(request: &Request) -> RequestedAccount {
    RequestedAccount::of(request.path_parameters().first("accountId").unwrap_or_default())
}

/// The body.
///
/// # Errors
/// Over 64 KiB, or not JSON by its content type.
pub fn json_body(request: &Request) -> Result<&[u8], ApiError> {
    let body: &[u8] = request.body();
    if body.len() > MAX_BODY_BYTES {
        return Err(ApiError::PayloadTooLarge);
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case("+json"));
    if body.is_empty() || is_json { Ok(body) } else { Err(ApiError::UnsupportedMediaType) }
}

/// The versions that `If-Match` names; `None` where any will do.
///
/// # Errors
/// Not a list of entity tags (RFC 9110, section 13.1.1).
pub fn if_match(request: &Request) -> Result<Option<Vec<Version>>, ValidationErrors> {
    let Some(value) = request.headers().get(IF_MATCH) else {
        return Ok(None);
    };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(None);
    }
    let tags = entity_tags(value).filter(|tags| tags.len() <= MAX_ENTITY_TAGS);
    let invalid = InvalidValue::new("is not a list of up to 20 entity tags", "an ETag, up to 20 of them, or *");
    Ok(Some(tags.ok_or_else(|| FieldError::new("If-Match", invalid))?.into_iter().flatten().collect()))
}

/// Reads a list of entity tags: `None` for what is none; among them `None` for those that no group has (a weak one
/// never matches).
fn entity_tags(mut text: &str) -> Option<Vec<Option<Version>>> {
    let mut tags = Vec::new();
    loop {
        let weak = text.starts_with("W/");
        let (opaque, rest) = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?.split_once('"')?;
        let version = opaque.parse().ok().filter(|version: &u64| !weak && version.to_string() == opaque);
        tags.push(version.map(Version));
        match rest.trim_start() {
            "" => return Some(tags),
            rest => text = rest.strip_prefix(',')?.trim_start(),
        }
    }
}

/// The `Idempotency-Key`, when there is one.
///
/// # Errors
/// Not 1 to 255 visible ASCII characters.
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

/// The parameters of a query, taken one after the other; errors are collected.
#[derive(Debug)]
pub struct Query {
    left: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Query {
    /// The query of a request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let parameters = request.query_string_parameters();
        let mut query = Self { left: Vec::new(), errors: Vec::new() };
        let mut pairs: Vec<_> = parameters.iter().collect();
        pairs.sort_unstable();
        for (name, value) in pairs {
            if query.left.iter().any(|(earlier, _)| earlier == name) {
                query.error(name, InvalidValue::new("is given more than once", "given once"));
            } else {
                query.left.push((name.to_owned(), value.to_owned()));
            }
        }
        query
    }

    /// Notes a fault of a parameter.
    pub fn error(&mut self, name: &str, invalid: InvalidValue) {
        self.errors.push(FieldError::new(name, invalid));
    }

    /// Takes a parameter out and reads it; `None` when it is not there or is at fault.
    pub fn take<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, InvalidValue>) -> Option<T> {
        let index = self.left.iter().position(|(parameter, _)| parameter == name)?;
        let (name, value) = self.left.swap_remove(index);
        read(&value).map_err(|invalid| self.error(&name, invalid)).ok()
    }

    /// Takes the cursor out.
    pub fn after(&mut self) -> Option<Cursor> {
        self.take("after", |text| Ok(Cursor(text.to_owned())))
    }

    /// Takes the account out whose groups are asked for.
    pub fn member(&mut self) -> Option<RequestedAccount> {
        self.take("member", |text| match text {
            "" => Err(InvalidValue::new("is empty", AccountId::EXPECTED)),
            text => Ok(RequestedAccount::of(text)),
        })
    }

    /// Gives all errors, parameters that are left among them.
    ///
    /// # Errors
    /// Anything was at fault.
    pub fn finish(mut self) -> Result<(), ValidationErrors> {
        for (name, _) in std::mem::take(&mut self.left) {
            self.error(&name, InvalidValue::new("is not known here", "left out"));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ValidationErrors(self.errors)) }
    }
}
