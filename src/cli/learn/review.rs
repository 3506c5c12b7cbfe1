//! Flows that the guard refused: a line each for whoever reviews them.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::gather::{Flow, Gathered};
use crate::model::Model;
use crate::train::learn::Refused;

/// One line of `--review`. With a member `verdict` added it is a line of `--feedback`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
    #[serde(flatten)]
    tuple: Option<Tuple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    capture: &'a str,
    /// From 1, among the flows of all captures.
    row: usize,
    label: &'a str,
    score: f32,
    novelty: f32,
    distance: f32,
    radius: f32,
    held_back: bool,
}

#[derive(Serialize)]
struct Tuple {
    src_ip: String,
    src_port: u16,
    dst_ip: String,
    dst_port: u16,
    protocol: u8,
}

/// All refused flows as JSON lines.
pub(super) fn lines(gathered: &Gathered, model: &Model, refused: &[Refused]) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    for refused in refused {
        let Some(flow) = gathered.flows.get(refused.row) else { continue };
        let line = Line {
            flow_id: flow.flow_id,
            community_id: flow.community_id(),
            tuple: flow.tuple.as_ref().map(|tuple| Tuple {
                src_ip: tuple.src.to_string(),
                src_port: tuple.src_port,
                dst_ip: tuple.dst.to_string(),
                dst_port: tuple.dst_port,
                protocol: tuple.protocol,
            }),
            start: flow.start.map(|start| start.civil().to_string()),
            capture: capture(gathered, flow),
            row: refused.row + 1,
            label: model.label_name(refused.verdict.label),
            score: refused.verdict.score,
            novelty: refused.verdict.novelty,
            distance: refused.distance,
            radius: refused.radius,
            held_back: refused.held_back,
        };
        serde_json::to_writer(&mut out, &line).context("the flows for review")?;
        out.push(b'\n');
    }
    Ok(out)
}

/// The first few for people; empty if none were refused.
pub(super) fn table(gathered: &Gathered, model: &Model, refused: &[Refused], path: Option<&Path>) -> String {
    let mut out = String::new();
    if refused.is_empty() {
        return out;
    }
    // Writing to a text cannot fail.
    writeln!(
        out,
        "refused   {} flows that the model calls hostile for certain; look at them, then --accept takes them, or --feedback single ones",
        refused.len()
    )
    .unwrap_or_default();
    for refused in refused.iter().take(SHOWN) {
        let Some(flow) = gathered.flows.get(refused.row) else { continue };
        let id = flow.flow_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let between = flow.tuple.as_ref().map_or_else(
            || format!("{} row {}", capture(gathered, flow), refused.row + 1),
            |tuple| format!("{} port {} to {} port {}", tuple.src, tuple.src_port, tuple.dst, tuple.dst_port),
        );
        writeln!(
            out,
            "          flow {id}: {between}, {} score {:.2}, {:.3} from its nearest point (radius {:.3})",
            model.label_name(refused.verdict.label),
            refused.verdict.score,
            refused.distance,
            refused.radius,
        )
        .unwrap_or_default();
    }
    let more = refused.len().saturating_sub(SHOWN);
    if more > 0 {
        let place =
            path.map_or_else(|| "--review PATH lists all".to_owned(), |path| format!("all are in {}", path.display()));
        writeln!(out, "          and {more} more: {place}").unwrap_or_default();
    }
    out
}

fn capture<'g>(gathered: &'g Gathered, flow: &Flow) -> &'g str {
    gathered.baseline.captures().get(flow.capture as usize).map_or("", String::as_str)
}

/// Enough to see what kind of flows they are.
const SHOWN: usize = 10;
