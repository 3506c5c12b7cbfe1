//! Cells of identity columns as numbers: addresses, ports, protocols, times.

use std::net::IpAddr;

use super::rules::protocol_number;
use super::table::shortened;
use super::timestamp;
use crate::features::Identity;

/// The number of a cell.
///
/// An IPv4 address is its 32 bits; an IPv6 address is folded to 53 bits, which a double holds exactly (the halves and what
/// overflows are combined by exclusive or, so that two addresses may meet, but hardly do); a time is seconds since 1970.
///
/// # Errors
/// What is wrong with the cell, for people.
pub(super) fn number(cell: &str, kind: Identity) -> Result<f64, String> {
    match kind {
        Identity::Address => match cell.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Ok(u32::from(address).into()),
            Ok(IpAddr::V6(address)) => Ok(folded(address.into())),
            Err(_) => Err(format!("`{}` is not an IP address", shortened(cell))),
        },
        Identity::Port => whole(cell, u16::MAX).ok_or_else(|| format!("`{}` is not a port", shortened(cell))),
        Identity::Protocol => whole(cell, u8::MAX.into())
            .or_else(|| protocol_number(cell).ok().map(f64::from))
            .ok_or_else(|| format!("`{}` is not a protocol", shortened(cell))),
        Identity::Time => {
            let time = timestamp::parse_column(cell).map_err(|error| format!("`{}`: {error}", shortened(cell)))?;
            Ok(time.0 as f64 / 1e6)
        }
    }
}

/// A whole number of at most `most`; tools that have empty cells in a column write `80.0`.
fn whole(cell: &str, most: u16) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.fract() == 0.0 && (0.0..=f64::from(most)).contains(number))
}

fn folded(address: u128) -> f64 {
    let halves = (address >> 64) as u64 ^ address as u64;
    ((halves >> EXACT) ^ (halves & ((1 << EXACT) - 1))) as f64
}

/// Bits of a whole number that a double holds exactly.
const EXACT: u32 = 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_numbers() {
        for (cell, kind, expected) in [
            ("10.16.0.4", Identity::Address, 168_820_740.0),
            ("::ffff:10.16.0.4", Identity::Address, 168_820_740.0),
            ("8080", Identity::Port, 8080.0),
            ("8080.0", Identity::Port, 8080.0),
            ("17", Identity::Protocol, 17.0),
            ("tcp", Identity::Protocol, 6.0),
            ("2026-01-15 09:00:00.500000", Identity::Time, 1_768_467_600.5),
            ("2026-01-15T09:00:00Z", Identity::Time, 1_768_467_600.0),
        ] {
            assert_eq!(number(cell, kind), Ok(expected), "{cell}");
        }
    }

    #[test]
    fn neighbouring_ipv6_addresses_stay_apart() {
        let of = |text| number(text, Identity::Address).expect("an address");
        let all = ["fd00::1", "fd00::2", "fd00:0:0:1::1", "fd01::1", "2001:db8::8000:0:0:1"].map(of);
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one), "{all:?}");
            assert_eq!(one.fract(), 0.0);
        }
    }

    #[test]
    fn other_cells_are_refused_with_their_text() {
        for (cell, kind, words) in [
            ("", Identity::Address, "`` is not an IP address"),
            ("10.0.0.256", Identity::Address, "`10.0.0.256` is not an IP address"),
            ("65536", Identity::Port, "`65536` is not a port"),
            ("80.5", Identity::Port, "not a port"),
            ("NaN", Identity::Port, "not a port"),
            ("256", Identity::Protocol, "not a protocol"),
            ("19/03/2023 02:12:11 PM", Identity::Time, "local time"),
            ("1768467600", Identity::Time, "a time is expected"),
        ] {
            let problem = number(cell, kind).expect_err(cell);
            assert!(problem.contains(words), "{problem}");
        }
    }
}
