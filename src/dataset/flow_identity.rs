//! Which flow a row is, where its file says so: the number and names that other tools know it by, addresses, times.
//!
//! Nothing here is a feature, and nothing is an error: a cell that cannot be read is no answer.

use std::net::IpAddr;

use super::table::Opened;
use super::timestamp;
use crate::flow::{FiveTuple, FlowFacts, community_id};
use crate::packet::Address;
use crate::time::Micros;

/// What a row says of its flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowIdentity {
    /// The number that logs and alerts give it; made from tuple and time where the file has none.
    pub flow_id: Option<u64>,
    /// Its Community ID; made from the tuple where the file has none.
    pub community_id: Option<String>,
    /// Initiator to responder.
    pub tuple: Option<FiveTuple>,
    /// Times of the first and the last packet; twice the first where the last is not known.
    pub times: Option<(Micros, Micros)>,
}

/// Where a table has the columns of an identity.
pub(super) struct IdentityColumns {
    /// Column positions, in the order of [`NAMES`].
    found: [Option<usize>; NAMES.len()],
}

impl IdentityColumns {
    /// Finds what is there; of columns of one name the first.
    pub(super) fn find(opened: &Opened) -> Self {
        let columns = opened.table.columns();
        let fits = |names: &[&str], held: &String| names.iter().any(|name| name.eq_ignore_ascii_case(held));
        Self { found: NAMES.map(|names| columns.iter().position(|held| fits(names, held))) }
    }

    /// The columns that are to be chosen, in order.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.found.iter().copied().flatten()
    }

    /// Reads the row under a table whose chosen columns of an identity begin at `first`.
    pub(super) fn read(&self, opened: &Opened, first: usize) -> FlowIdentity {
        let mut cells: [Option<String>; NAMES.len()] = Default::default();
        let mut at = first;
        for (cell, column) in cells.iter_mut().zip(self.found) {
            let Some(column) = column else { continue };
            *cell = opened.text(at, column).ok().map(|text| text.into_owned()).filter(|text| !text.is_empty());
            at += 1;
        }
        let [flow_id, community, src, dst, src_port, dst_port, protocol, part, start, end] = cells;
        let address = |text: Option<String>| text?.parse::<IpAddr>().ok().map(Address::from);
        let port = |text: Option<String>| text?.parse::<u16>().ok();
        let tuple = || {
            Some(FiveTuple {
                src: address(src)?,
                dst: address(dst)?,
                src_port: port(src_port)?,
                dst_port: port(dst_port)?,
                protocol: protocol?.parse().ok()?,
            })
        };
        let tuple = tuple();
        let time = |text: Option<String>| timestamp::parse_column(&text?).ok();
        let start = time(start);
        let times = start.map(|start| (start, time(end).unwrap_or(start)));
        let part = part.and_then(|text| text.parse().ok()).unwrap_or(0);
        FlowIdentity {
            flow_id: flow_id.and_then(|text| text.parse().ok()).or_else(|| Some(number(tuple?, start?, part))),
            community_id: community.or_else(|| tuple.as_ref().map(community_id)),
            tuple,
            times,
        }
    }
}

/// The number of a flow: see [`FlowFacts::flow_id`].
fn number(tuple: FiveTuple, start: Micros, part: u32) -> u64 {
    let facts = FlowFacts {
        tuple,
        start,
        end: start,
        part,
        end_reason: None,
        packets_to_server: 0,
        packets_to_client: 0,
        bytes_to_server: 0,
        bytes_to_client: 0,
        interface: 0,
    };
    facts.flow_id()
}

/// Names of each column: ours in JSON lines, the reference's, and those of older data sets.
const NAMES: [&[&str]; 10] = [
    &["flow_id"],
    &["community_id"],
    &["src_ip", "Src IP", "Source IP"],
    &["dst_ip", "Dst IP", "Destination IP"],
    &["src_port", "Src Port", "Source Port"],
    &["dst_port", "Dst Port", "Destination Port"],
    &["protocol"],
    &["part"],
    &["start", "Timestamp"],
    &["end"],
];
