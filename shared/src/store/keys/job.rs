//! The spelling of a job: its kind and its arguments.

use crate::domain::{AccountId, AccountVersion, Edge, EdgeId, GroupId, JobKind};

/// A job's kind and arguments.
pub(super) fn job_text(kind: &JobKind) -> String {
    let name = kind.name();
    match kind {
        JobKind::Backfill(edge) | JobKind::Sweep(edge) => format!("JOB#{name}#{}#{}", edge.parent, edge.id),
        JobKind::DeleteGroup(group) => format!("JOB#{name}#{group}"),
        JobKind::UpdateAccount(account, version) | JobKind::DeleteAccount(account, version) => {
            format!("JOB#{name}#{account}#{version}")
        }
        JobKind::ReconcileMember(group, account) => format!("JOB#{name}#{group}#{account}"),
    }
}

pub(super) fn parse_job(text: &str) -> Option<JobKind> {
    let mut parts = text.split('#');
    let (Some("JOB"), Some(name), Some(first)) = (parts.next(), parts.next(), parts.next()) else { return None };
    let second = parts.next();
    let group = || GroupId::parse(first);
    let edge = || Some(Edge { parent: group()?, id: EdgeId::parse(second?)? });
    let version = || AccountVersion::try_from(second?.to_owned()).ok();
    Some(match name {
        "backfill" => JobKind::Backfill(edge()?),
        "sweep" => JobKind::Sweep(edge()?),
        "delete_group" => JobKind::DeleteGroup(group()?),
        "update_account" => JobKind::UpdateAccount(AccountId::parse(first)?, version()?),
        "delete_account" => JobKind::DeleteAccount(AccountId::parse(first)?, version()?),
        "climb" => JobKind::ReconcileMember(group()?, AccountId::parse(second?)?),
        _ => return None,
    })
}
