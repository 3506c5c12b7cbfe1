//! Writes first inputs for the fuzz targets: `cargo run --example fuzz-seeds -- fuzz/corpus`.
//!
//! Frames of every link type and transport for `frame`, after the two bytes that its target reads first (link type,
//! bytes beyond the capture); bytes of several lengths for `flow_table`, which makes its own structure from them; small
//! tables of the text formats, packed and not, for `labelled_flows`.

#[path = "../util/mod.rs"]
mod util;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::GzEncoder;
use util::random::Random;
use util::traffic::{Link, Side, Traffic};
use zip::write::{SimpleFileOptions, ZipWriter};

fn main() -> ExitCode {
    let Some(corpus) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: fuzz-seeds FOLDER");
        return ExitCode::from(2);
    };
    let written = frames(&corpus.join("frame"))
        .and_then(|()| stories(&corpus.join("flow_table")))
        .and_then(|()| tables(&corpus.join("labelled_flows")));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write below {}: {error}", corpus.display());
            ExitCode::FAILURE
        }
    }
}

fn frames(folder: &Path) -> io::Result<()> {
    let mut t = Traffic::new(1);
    for (client, server) in [("10.0.0.1:4000", "10.0.0.2:80"), ("[fd00::1]:4000", "[fd00::2]:80")] {
        t.tcp(client, server).at(1.0).request(20).response(40).close();
        t.tcp(client, server).at(2.0).open().reset_by(Side::Server);
        t.udp(client, server).at(3.0).request(12).response(30);
    }
    t.echo("10.0.0.1", "10.0.0.2").at(4.0).times(1);
    t.echo("fd00::1", "fd00::2").at(5.0).times(1);
    t.raw(6.0, 0x0800, FRAGMENT).raw(7.0, 0x0800, UNREACHABLE).raw(8.0, 0x86dd, EXTENDED).raw(9.0, 0x0806, &[0; 28]);
    // The order of the target's own list of link types.
    let links = [
        (0, Link::Ethernet),
        (0, Link::Vlan(7)),
        (0, Link::QinQ(3, 7)),
        (1, Link::RawIp),
        (2, Link::LinuxSll),
        (3, Link::LinuxSll2),
        (4, Link::Null),
    ];
    fs::create_dir_all(folder)?;
    for (number, link) in links {
        for (index, frame) in t.frames(link).into_iter().enumerate() {
            let input = [&[number, 0], &frame.data[..]].concat();
            fs::write(folder.join(format!("seed-{link:?}-{index:02}").replace(['(', ')', ' ', ','], "-")), input)?;
        }
    }
    Ok(())
}

fn stories(folder: &Path) -> io::Result<()> {
    let mut random = Random::new(2);
    fs::create_dir_all(folder)?;
    for length in [32, 128, 512, 2_048] {
        let story: Vec<u8> = (0..length).map(|_| u8::try_from(random.between(0, 255)).unwrap_or(0)).collect();
        fs::write(folder.join(format!("seed-{length}")), story)?;
    }
    Ok(())
}

fn tables(folder: &Path) -> io::Result<()> {
    let csv = b"Flow Duration,SYN Flag Cnt,Scenario,Label\n1.5E3,1,a,0\nNaN,\"2\",b,2\n";
    let lines = b"{\"flow_duration\":1,\"syn_flag_count\":NaN,\"label\":\"0\"}\n{\"flow_duration\":null,\"syn_flag_count\":2,\"label\":2}\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(csv)?;
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, text) in [("a.csv", &csv[..]), ("b.jsonl", &lines[..])] {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(text)?;
    }
    fs::create_dir_all(folder)?;
    let zip = zip.finish()?.into_inner();
    for (name, bytes) in [("csv", &csv[..]), ("jsonl", &lines[..]), ("gzip", &gzip.finish()?), ("zip", &zip)] {
        fs::write(folder.join(format!("seed-{name}")), bytes)?;
    }
    Ok(())
}

/// The second part of a fragmented UDP datagram.
const FRAGMENT: &[u8] =
    &[0x45, 0, 0, 28, 0, 9, 0x20, 1, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
/// ICMP port unreachable, with the IPv4 and UDP headers that it answers.
const UNREACHABLE: &[u8] = &[
    0x45, 0, 0, 56, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 40, 0, 1, 0,
    0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x0f, 0xa0, 0, 53, 0, 20, 0, 0,
];
/// IPv6 with hop-by-hop options, a routing header, a fragment header and UDP.
const EXTENDED: &[u8] = &[
    0x60, 0, 0, 0, 0, 32, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 2, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 7, 0x0f, 0xa0, 0, 53, 0, 8,
    0, 0,
];
