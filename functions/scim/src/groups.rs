//! `/Groups`: groups with their direct members.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use shared::app::App;
use shared::authz::{Administer, Granted, Read};
use shared::domain::{
    Error, ExternalId, Group, GroupChanges, GroupId, GroupName, GroupProfile, GroupSelection, GroupTag, Limit, Missing,
    Precondition,
};
use shared::http::condition::{Conditions, precondition};
use shared::http::{Method, Reply, StatusCode};
use shared::store::NameReservation;

use crate::attributes::{Projection, projection};
use crate::call::{Call, Kind, bounded};
use crate::error::ScimError;
use crate::filter::{Condition, Field};
use crate::group::GroupEdit;
use crate::pages::all_pages;
use crate::{body, members, patch};

/// Groups of a list whose members are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// Answers a request about one group.
pub(crate) async fn answer(call: &Call<'_>, method: &Method, id: &str) -> Result<Reply, ScimError> {
    match *method {
        Method::GET | Method::HEAD => get(call, id).await,
        Method::PUT => {
            let (granted, edit) = (call.write()?, GroupEdit::of_body(&body::object(call.request)?)?);
            let id = change(call, &granted, id, &edit).await?;
            present(call, &granted, StatusCode::OK, &id).await
        }
        Method::PATCH => {
            let (granted, patch) = (call.write()?, patch::parse(&body::object(call.request)?)?);
            let id = change(call, &granted, id, &patch::changes_of_group(&patch, id)?).await?;
            if projection(call.request)?.is_chosen() {
                return present(call, &granted, StatusCode::OK, &id).await;
            }
            Ok(Reply::no_content())
        }
        Method::DELETE => delete(call, id).await,
        _ => Err(ScimError::method("DELETE, GET, HEAD, PATCH, PUT")),
    }
}

async fn get(call: &Call<'_>, id: &str) -> Result<Reply, ScimError> {
    let (granted, conditions) = (call.read()?, Conditions::of(call.request)?);
    let group = require(call.app, &granted, id).await?;
    if conditions.is_not_modified(group.tag(), Error::VersionMismatch)? {
        return Ok(Reply::not_modified(group.tag()));
    }
    reply(call, &granted, StatusCode::OK, &group).await
}

/// Creates a group, 201. 409 when another one has the name or the external id.
pub(crate) async fn create(call: &Call<'_>) -> Result<Reply, ScimError> {
    let granted = call.write()?;
    let edit = GroupEdit::of_body(&body::object(call.request)?)?;
    members::require_possible(call.app, &granted, None, &edit.members).await?;
    let Some(name) = edit.name else { return Err(ScimError::bad_request("invalidValue", "displayName is required")) };
    let unique_name = reserve(call.app, &granted, &name, None).await?;
    let profile = GroupProfile { external_id: edit.external_id.flatten(), ..GroupProfile::named(name) };
    let group = Group::new(call.app.new_group_id(), profile, call.app.clock.now());
    let created = call.app.store.create_group(&granted, group, None, unique_name.as_ref()).await?;
    let (group, _) = call.app.settle(&granted, created).await;
    let added = members::change(call.app, &granted, &group.id, &edit.members, Precondition::NONE).await;
    added.map_err(|error| match error {
        // The same request again would find the name taken.
        ScimError::Unfinished { done, all } => ScimError::created_in_part(&group.id, done, all),
        error => error,
    })?;
    let location = call.location(Kind::Group, &group.id.to_string());
    Ok(present(call, &granted, StatusCode::CREATED, &group.id).await?.location(location))
}

/// Changes a group: its own attributes, then its members. Each member's change is atomic.
async fn change(
    call: &Call<'_>,
    granted: &Granted<Administer>,
    id: &str,
    edit: &GroupEdit,
) -> Result<GroupId, ScimError> {
    let (app, mut precondition) = (call.app, precondition(call.request)?);
    let before = require(app, &granted.to_read(), id).await?;
    precondition.check_new(true)?;
    precondition.check(before.tag())?;
    members::require_possible(app, granted, Some(&before.id), &edit.members).await?;
    let name = edit.name.clone().filter(|name| *name != before.profile.name);
    let external_id = edit.external_id.clone().filter(|id| *id != before.profile.external_id);
    let changes = GroupChanges { name, external_id, ..GroupChanges::default() };
    if !changes.is_empty() {
        let unique_name = match &changes.name {
            Some(name) => reserve(app, granted, name, Some(&before.id)).await?,
            None => None,
        };
        let now = app.clock.now();
        let update = app.store.update_group(granted, &before.id, &changes, &precondition, unique_name.as_ref(), now);
        let (updated, _) = app.settle(granted, update.await?).await;
        // The update does not look at members: they must be as they were before it.
        let tag = GroupTag { version: updated.version, ..before.tag() };
        precondition.only_at = precondition.only_at.map(|_| vec![tag]);
    }
    members::change(app, granted, &before.id, &edit.members, precondition).await?;
    Ok(before.id)
}

/// Deletes a group, 204.
async fn delete(call: &Call<'_>, id: &str) -> Result<Reply, ScimError> {
    let (granted, precondition) = (call.write()?, precondition(call.request)?);
    let group = require(call.app, &granted.to_read(), id).await?;
    let deleted = call.app.store.delete_group(&granted, &group.id, &precondition, call.app.clock.now()).await?;
    call.app.settle(&granted, deleted).await;
    Ok(Reply::no_content())
}

/// Finds out that no other group has the name, where names must be unique.
async fn reserve(
    app: &App,
    granted: &Granted<Administer>,
    name: &GroupName,
    except: Option<&GroupId>,
) -> Result<Option<NameReservation>, ScimError> {
    if !app.requires_unique_group_names() {
        return Ok(None);
    }
    Ok(Some(app.store.reserve_group_name(granted, name, except, app.clock.now()).await?))
}

async fn require(app: &App, granted: &Granted<Read>, id: &str) -> Result<Group, ScimError> {
    look_up(app, granted, id).await?.ok_or_else(|| ScimError::no_resource("group", id))
}

/// Returns the group with this id, if there is one.
async fn look_up(app: &App, granted: &Granted<Read>, id: &str) -> Result<Option<Group>, ScimError> {
    let Some(id) = GroupId::parse_in_any_case(id) else { return Ok(None) };
    match app.store.require_group(granted, &id).await {
        Err(Error::Missing(Missing::Group)) => Ok(None),
        group => Ok(Some(group?)),
    }
}

/// Returns the groups that meet all conditions, without their members.
pub(crate) async fn find(
    call: &Call<'_>,
    granted: &Granted<Read>,
    conditions: &[Condition],
) -> Result<Vec<Group>, ScimError> {
    let value = |field| conditions.iter().find(|it| it.field == field).map(|it| it.value.as_str());
    let (store, selection) = (&call.app.store, GroupSelection::default());
    let mut found = if let Some(id) = value(Field::Id) {
        Vec::from_iter(look_up(call.app, granted, id).await?)
    } else if let Some(id) = value(Field::ExternalId) {
        let Ok(id) = ExternalId::parse(id) else { return Ok(Vec::new()) };
        store.list_groups_by_external_id(granted, &id, None, selection, None).await?.items
    } else if let Some(name) = value(Field::DisplayName) {
        let Ok(name) = GroupName::parse(name) else { return Ok(Vec::new()) };
        let name = &name.folded();
        all_pages(async |after| {
            store.list_groups_named(granted, name, selection, Limit::MAX_GROUPS, after.as_ref()).await
        })
        .await?
    } else {
        Vec::new()
    };
    found.retain(|group| conditions.iter().all(|condition| holds(condition, group)));
    Ok(found)
}

fn holds(Condition { field, value }: &Condition, group: &Group) -> bool {
    match field {
        Field::Id => GroupId::parse_in_any_case(value) == Some(group.id),
        Field::ExternalId => group.profile.external_id.as_ref().is_some_and(|id| id.as_str() == value),
        Field::DisplayName => GroupName::parse(value).is_ok_and(|name| name.folded() == group.profile.name.folded()),
        // No group has these.
        Field::UserName | Field::Email => false,
    }
}

/// Returns groups with their members, unless these are not to be returned. Without `meta.version`: lists do not read the revision of
/// a group, which is a part of it.
pub(crate) async fn resources(
    call: &Call<'_>,
    granted: &Granted<Read>,
    groups: Vec<Group>,
    projection: &Projection,
) -> Result<Vec<Value>, ScimError> {
    let resource = |group: Group| async move { resource(call, granted, &group, projection).await };
    stream::iter(groups.into_iter().map(resource)).buffered(SIDE_BY_SIDE).try_collect().await
}

async fn resource(
    call: &Call<'_>,
    granted: &Granted<Read>,
    group: &Group,
    projection: &Projection,
) -> Result<Value, ScimError> {
    let mut body = json!({
        "schemas": [Kind::Group.schema()],
        "id": group.id,
        "displayName": group.profile.name.as_str(),
        "meta": {
            "resourceType": Kind::Group.name(),
            "created": group.created_at,
            "lastModified": group.updated_at,
            "location": call.location(Kind::Group, &group.id.to_string()),
        },
    });
    if let Some(id) = &group.profile.external_id {
        body["externalId"] = json!(id.as_str());
    }
    if projection.includes("members") {
        let accounts = members::accounts(call.app, granted, &group.id).await?;
        let nested = members::nested_groups(call.app, granted, &group.id).await?;
        let member =
            |kind: Kind, id: &str| json!({ "value": id, "type": kind.name(), "$ref": call.location(kind, id) });
        let accounts = accounts.iter().map(|it| member(Kind::User, it.id.as_str()));
        let nested = nested.iter().map(|it| member(Kind::Group, &it.id.to_string()));
        body["members"] = accounts.chain(nested).collect();
    }
    Ok(body)
}

/// Returns a group as it is after a change.
async fn present(
    call: &Call<'_>,
    granted: &Granted<Administer>,
    status: StatusCode,
    id: &GroupId,
) -> Result<Reply, ScimError> {
    let granted = granted.to_read();
    let group = require(call.app, &granted, &id.to_string()).await?;
    reply(call, &granted, status, &group).await
}

async fn reply(
    call: &Call<'_>,
    granted: &Granted<Read>,
    status: StatusCode,
    group: &Group,
) -> Result<Reply, ScimError> {
    let projection = projection(call.request)?;
    let mut body = resource(call, granted, group, &projection).await?;
    body["meta"]["version"] = json!(format!("\"{}\"", group.tag()));
    projection.apply(&mut body);
    let instead = "the group with its members is larger than 4 MiB; ask for it with excludedAttributes=members";
    Ok(bounded(status, &body, instead)?.etag(group.tag()))
}
