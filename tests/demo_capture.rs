//! The bundled demo capture: it is what its generator writes, and it holds what the README says of it.

#[path = "generators/cluster.rs"]
mod cluster;
mod util;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

#[test]
fn the_bundled_capture_is_what_the_generator_writes() {
    // The contents are compared, not the compressed bytes: those may change with the compressor's version.
    assert!(bundled() == cluster::capture(), "the demo capture is stale: run `make demo-capture` and commit the file");
}

#[test]
fn the_generator_and_the_compressor_write_the_same_bytes_each_time() {
    let (first, second) = (cluster::capture(), cluster::capture());
    assert!(first == second && util::capture_file::gzip(&first) == util::capture_file::gzip(&second));
}

#[test]
fn the_bundled_capture_is_small_and_holds_every_kind_of_traffic() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    let compressed = std::fs::metadata(&path).expect("the demo capture is there").len();
    assert!(compressed < 300_000, "{compressed} bytes are too many for a repository");

    let mut seen = BTreeMap::new();
    for frame in frames(&bundled()) {
        *seen.entry(kind(frame)).or_insert(0) += 1;
    }
    for kind in
        ["dns", "probe", "probe over IPv6", "web", "database", "api", "ping", "ping over IPv6", "recon", "not IP"]
    {
        assert!(seen.get(kind).is_some_and(|&packets| packets > 1), "no {kind} in the demo capture: {seen:?}");
    }
}

fn kind(frame: &[u8]) -> &'static str {
    let packet = SlicedPacket::from_ethernet(frame).expect("the generator writes whole packets");
    let is_v6 = matches!(packet.net, Some(NetSlice::Ipv6(_)));
    let ports = match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => [tcp.source_port(), tcp.destination_port()],
        Some(TransportSlice::Udp(udp)) => [udp.source_port(), udp.destination_port()],
        Some(TransportSlice::Icmpv4(_)) => return "ping",
        Some(TransportSlice::Icmpv6(_)) => return "ping over IPv6",
        None => return "not IP",
        Some(_) => return "something else",
    };
    match ports {
        ports if ports.contains(&53) => "dns",
        ports if ports.contains(&8080) && is_v6 => "probe over IPv6",
        ports if ports.contains(&8080) => "probe",
        ports if ports.contains(&80) => "web",
        ports if ports.contains(&5432) => "database",
        ports if ports.contains(&6443) => "api",
        ports if ports.contains(&1880) => "recon",
        _ => "something else",
    }
}

/// The frames of a little-endian classic pcap.
fn frames(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = &file[24..];
    let mut frames = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(header[8..12].try_into().expect("four bytes")) as usize;
        let (frame, after) = after.split_at(length);
        frames.push(frame);
        rest = after;
    }
    frames
}

fn bundled() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    let compressed = std::fs::read(&path).expect("the demo capture is there");
    let mut file = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut file).expect("the demo capture is whole");
    file
}

const PATH: &str = "tests/data/demo-cluster.pcap.gz";
