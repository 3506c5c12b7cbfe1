//! Faults that were found and mended, one named test each.

use flowshrike::flow::{EndReason, FlowEvent, FlowPolicy, FlowTable};
use flowshrike::packet::{Address, Dissector, Frame, LinkType, PacketMeta, Reading, TcpFlags, protocol};
use flowshrike::time::Micros;

/// Found by fuzzing: on a chain of IPv6 extension headers that is cut short, etherparse's iterator reads beyond the
/// frame (0.21.0, after its lax reading). The standard library's own checks make that a panic in this build.
#[test]
fn an_ipv6_extension_chain_that_is_cut_short_is_read_no_further() {
    let mut packet = vec![0x60, 0, 0, 0, 0, 16, 0, 64];
    packet.extend([0xfd; 32]);
    packet.extend([43, 0, 1, 4, 0, 0, 0, 0]); // hop-by-hop options; routing follows
    packet.extend([44, 9, 0, 0, 0, 0, 0, 0]); // routing, ten units long: beyond the end
    for end in 0..=packet.len() {
        let frame = Frame { time: Micros(1), data: &packet[..end], wire_len: 56, link: LinkType::RawIp };
        for reading in [Reading::Standard, Reading::Reference] {
            if let Ok(packet) = Dissector::new(reading).dissect(&frame) {
                assert!(packet.payload_len <= frame.wire_len, "{reading:?}, {end} bytes: {packet:?}");
            }
        }
    }
}

/// Found by fuzzing: the timer wheel looks an eighth of a second late, so a flow whose idle timeout had just passed
/// ended as `idle_timeout` or as `forced`, by what else its shard had seen.
#[test]
fn a_flush_ends_what_was_due_before_it_by_its_own_reason() {
    let packet = PacketMeta {
        src: Address::v4([10, 0, 0, 1]),
        dst: Address::v4([10, 0, 0, 2]),
        time: Micros::from_secs(1_000),
        src_port: 5_000,
        dst_port: 53,
        payload_len: 40,
        wire_len: 82,
        seq: 0,
        ack: 0,
        window: 0,
        header_len: 8,
        interface: 0,
        protocol: protocol::UDP,
        flags: TcpFlags::default(),
    };
    let mut table = FlowTable::new(FlowPolicy::standard(), 10, 1);
    table.packet(&packet, packet.time, &mut |_| {}).expect("the table has room");
    let mut ended = Vec::new();
    let just_after = packet.time + Micros::from_secs(60) + Micros::from_millis(42);
    table.flush(EndReason::Forced, just_after, &mut |event| {
        if let FlowEvent::Ended(record) = event {
            ended.push(record.end);
        }
    });
    assert_eq!(ended, [EndReason::IdleTimeout]);
}
