//! Interfaces for the tables of tests.

use super::interfaces::{Interface, Kind};

/// An interface that is up; its number comes from its name, so that two are never the same.
pub(super) fn named(name: &str) -> Interface {
    let index = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(131).wrapping_add(u32::from(byte)));
    Interface { name: name.to_owned(), index, up: true, running: true, hardware: 1, ..Interface::default() }
}

pub(super) fn lo() -> Interface {
    Interface { kind: Kind::Loopback, hardware: 772, ..named("lo") }
}

pub(super) fn device(name: &str) -> Interface {
    named(name)
}

pub(super) fn bridge(name: &str) -> Interface {
    Interface { kind: Kind::Bridge, ..named(name) }
}

/// The host's end of a pod's link.
pub(super) fn veth(name: &str) -> Interface {
    Interface { kind: Kind::Veth, peer_elsewhere: true, ..named(name) }
}

pub(super) fn tunnel(name: &str) -> Interface {
    Interface { kind: Kind::Tunnel("vxlan".to_owned()), ..named(name) }
}

pub(super) fn port_of(master: &str, interface: Interface) -> Interface {
    Interface { master: Some(master.to_owned()), ..interface }
}
