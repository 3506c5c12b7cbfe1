//! Which flow a row is, where its file says so: the number and names that other tools know it by, addresses, times.
//!
//! Nothing here is a feature, and nothing is an error: a cell that cannot be read is no answer.

use std::net::IpAddr;

use super::error::BadRow;
use super::rules::Needs;
use super::table::{Opened, shortened};
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

    /// Names of the columns that rules need and that are not there.
    pub(super) fn missing(&self, needs: Needs) -> Vec<String> {
        let needed = needed(needs);
        let names = NAMES.iter().zip(self.found).zip(needed).filter(|((_, found), needed)| *needed && found.is_none());
        names.map(|((names, _), _)| format!("`{}`", names.get(1).or_else(|| names.first()).unwrap_or(&""))).collect()
    }

    /// What rules look at of the row under a table whose chosen columns of an identity begin at `first`; what they do not need is
    /// read as far as it can be.
    ///
    /// # Errors
    /// A cell that they need and that cannot be read.
    pub(super) fn facts(&self, opened: &Opened, first: usize, needs: Needs) -> Result<(FiveTuple, Micros), BadRow> {
        let needed = needed(needs);
        let cell = |field: usize| self.cell(first, field);
        fn parsed<T: Default>(
            opened: &Opened,
            at: Option<(usize, usize)>,
            is_needed: bool,
            read: impl Fn(&str) -> Result<T, String>,
        ) -> Result<T, BadRow> {
            let Some((chosen, column)) = at else { return Ok(T::default()) };
            let read = opened.text(chosen, column).and_then(|text| {
                read(&text).map_err(|problem| opened.bad_cell(column, format!("`{}`: {problem}", shortened(&text))))
            });
            if is_needed { read } else { Ok(read.unwrap_or_default()) }
        }
        let is_needed = |field: usize| needed.get(field).copied().unwrap_or(false);
        let address = |field| {
            parsed(opened, cell(field), is_needed(field), |text| {
                let address = text.parse::<IpAddr>().map(Address::from);
                address.map_err(|_| "an IP address is expected".to_owned())
            })
        };
        let port = |field| {
            let expected = |_| "a port of 0 to 65535 is expected".to_owned();
            parsed(opened, cell(field), is_needed(field), |text| text.parse::<u16>().map_err(expected))
        };
        let tuple = FiveTuple {
            src: address(SRC)?,
            dst: address(DST)?,
            src_port: port(SRC_PORT)?,
            dst_port: port(DST_PORT)?,
            protocol: parsed(opened, cell(PROTOCOL), is_needed(PROTOCOL), |text| {
                text.parse().map_err(|_| "a protocol number of 0 to 255 is expected".to_owned())
            })?,
        };
        let start = parsed(opened, cell(START), is_needed(START), |text| {
            timestamp::parse_column(text).map_err(|error| error.to_string())
        })?;
        Ok((tuple, start))
    }

    /// Times of the first and the last packet of the row under a table whose chosen columns of an identity begin at `first`; twice the
    /// first where the last is not known.
    pub(super) fn times(&self, opened: &Opened, first: usize) -> Option<(Micros, Micros)> {
        let text = |field| {
            let (chosen, column) = self.cell(first, field)?;
            opened.text(chosen, column).ok()
        };
        let time = |field| timestamp::parse_column(&text(field)?).ok();
        let start = time(START)?;
        let duration = || text(DURATION)?.parse::<f64>().ok().filter(|micros| (0.0..LONGEST).contains(micros));
        #[expect(clippy::cast_possible_truncation, reason = "less than a hundred years")]
        let end = time(END).or_else(|| duration().map(|micros| start + Micros(micros as i64)));
        Some((start, end.unwrap_or(start)))
    }

    /// Where an identity's column stands among the chosen ones, and in the table.
    fn cell(&self, first: usize, field: usize) -> Option<(usize, usize)> {
        let column = self.found.get(field).copied().flatten()?;
        let before = self.found.iter().take(field).flatten().count();
        Some((first + before, column))
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
        let [flow_id, community, src, dst, src_port, dst_port, protocol, part, ..] = cells;
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
        let times = self.times(opened, first);
        let start = times.map(|(start, _)| start);
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

/// Which columns rules need, in the order of [`NAMES`].
const fn needed(needs: Needs) -> [bool; NAMES.len()] {
    let mut needed = [false; NAMES.len()];
    needed[SRC] = needs.addresses;
    needed[DST] = needs.addresses;
    needed[SRC_PORT] = needs.ports;
    needed[DST_PORT] = needs.ports;
    needed[PROTOCOL] = needs.protocol;
    needed[START] = needs.time;
    needed
}

const SRC: usize = 2;
const DST: usize = 3;
const SRC_PORT: usize = 4;
const DST_PORT: usize = 5;
const PROTOCOL: usize = 6;
const START: usize = 8;
const END: usize = 9;
const DURATION: usize = 10;
/// A hundred years in microseconds: no flow lasts longer.
const LONGEST: f64 = 3.2e15;
/// Names of each column: ours in JSON lines, the reference's, and those of older data sets.
const NAMES: [&[&str]; 11] = [
    &["flow_id"],
    &["community_id"],
    &["src_ip", "Src IP", "Source IP"],
    &["dst_ip", "Dst IP", "Destination IP"],
    &["src_port", "Src Port", "Source Port"],
    &["dst_port", "Dst Port", "Destination Port"],
    &["protocol", "Protocol"],
    &["part"],
    &["start", "Timestamp"],
    &["end"],
    &["Flow Duration"],
];
