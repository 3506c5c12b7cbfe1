//! What made a pod, by the pod alone: the kinds between need no right to be read.
//!
//! A Deployment names its ReplicaSets after itself and a hash that it also puts on the pods as a label; a CronJob names its Jobs after
//! itself and the minute for which they were due. Where that does not fit, the nearest owner is told.

use super::object::Meta;
use crate::alert::Owner;
use crate::time::{Civil, Micros};

/// The topmost owner that can be told.
pub(super) fn owner_of(pod: &Meta) -> Option<Owner> {
    let references = pod.owner_references.as_deref().unwrap_or_default();
    let nearest = references.iter().find(|owner| owner.controller == Some(true))?;
    let above = match nearest.kind.as_str() {
        "ReplicaSet" => deployment(pod, &nearest.name).map(|name| ("Deployment", name)),
        "Job" => cron_job(pod, &nearest.name).map(|name| ("CronJob", name)),
        _ => None,
    };
    let (kind, name) = above.unwrap_or((&nearest.kind, &nearest.name));
    Some(Owner { kind: kind.to_owned(), name: name.to_owned() })
}

fn deployment<'a>(pod: &Meta, replica_set: &'a str) -> Option<&'a str> {
    let hash = pod.labels.as_ref()?.get("pod-template-hash").filter(|hash| !hash.is_empty())?;
    replica_set.strip_suffix(hash.as_str())?.strip_suffix('-').filter(|name| !name.is_empty())
}

/// The number must be a time shortly before the pod was made, so that a Job of somebody's own with a number at its end stays a Job.
fn cron_job<'a>(pod: &Meta, job: &'a str) -> Option<&'a str> {
    let (name, number) = job.rsplit_once('-').filter(|(name, _)| !name.is_empty())?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let due = match number.len() {
        8 => Micros::from_secs(number.parse::<i64>().ok()?.saturating_mul(60)),
        // Until Kubernetes 1.20: seconds.
        10 => Micros::from_secs(number.parse().ok()?),
        _ => return None,
    };
    let made = instant(pod.creation_timestamp.as_deref()?)?;
    (Micros::ZERO..=LATEST_START).contains(&(made - due)).then_some(name)
}

/// `2026-01-31T12:00:00Z`, as the API writes times.
fn instant(text: &str) -> Option<Micros> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z")];
    if text.len() != 20 || marks.iter().any(|&(at, mark)| text.get(at..=at) != Some(mark)) {
        return None;
    }
    Civil {
        year: text.get(..4)?.parse().ok()?,
        month: number(5, 7)?,
        day: number(8, 10)?,
        hour: number(11, 13)?,
        minute: number(14, 16)?,
        second: number(17, 19)?,
        micros: 0,
    }
    .to_micros()
}

/// A Job may start late, and start pods again after failures: a week holds them all, and few numbers of other meaning.
const LATEST_START: Micros = Micros::from_secs(7 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn told(owner: &str, hash: Option<&str>, made: &str) -> Option<String> {
        let (kind, name) = owner.split_once('/').expect("kind/name");
        let labels = hash.map(|hash| format!(r#""labels":{{"pod-template-hash":"{hash}"}},"#)).unwrap_or_default();
        let text = format!(
            r#"{{{labels}"creationTimestamp":"{made}","ownerReferences":[{{"kind":"Node","name":"n"}},{{"kind":"{kind}","name":"{name}","controller":true}}]}}"#
        );
        let meta: Meta = serde_json::from_str(&text).expect("a pod's metadata");
        owner_of(&meta).map(|Owner { kind, name }| format!("{kind}/{name}"))
    }

    #[test]
    fn the_owner_above_is_told_where_the_pod_betrays_it() {
        let noon = "2026-01-31T12:00:05Z";
        for (owner, hash, made, expected) in [
            ("ReplicaSet/web-6b9f", Some("6b9f"), noon, "Deployment/web"),
            ("ReplicaSet/web-6b9f", None, noon, "ReplicaSet/web-6b9f"),
            ("ReplicaSet/6b9f", Some("6b9f"), noon, "ReplicaSet/6b9f"),
            ("ReplicaSet/-6b9f", Some("6b9f"), noon, "ReplicaSet/-6b9f"),
            ("StatefulSet/db", None, noon, "StatefulSet/db"),
            ("DaemonSet/agent-12345678", None, noon, "DaemonSet/agent-12345678"),
            // 2026-01-31T12:00:00Z is minute 29497680, second 1769860800.
            ("Job/backup-29497680", None, noon, "CronJob/backup"),
            ("Job/backup-1769860800", None, noon, "CronJob/backup"),
            ("Job/backup-29497680", None, "2026-02-08T12:00:05Z", "Job/backup-29497680"),
            ("Job/backup-29497681", None, noon, "Job/backup-29497681"),
            ("Job/backup-20260131", None, noon, "Job/backup-20260131"),
            ("Job/backup-29497680", None, "yesterday", "Job/backup-29497680"),
            ("Job/backup-2949é768", None, noon, "Job/backup-2949é768"),
            ("Rollout/web", Some("6b9f"), noon, "Rollout/web"),
        ] {
            assert_eq!(told(owner, hash, made).as_deref(), Some(expected), "{owner} made at {made}");
        }
    }

    #[test]
    fn a_pod_of_nobody_has_no_owner() {
        assert_eq!(owner_of(&Meta::default()), None);
        let meta: Meta = serde_json::from_str(r#"{"ownerReferences":[{"kind":"Node","name":"n"}]}"#).expect("read");
        assert_eq!(owner_of(&meta), None);
    }
}
