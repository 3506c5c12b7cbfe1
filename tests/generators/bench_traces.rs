//! Writes the traces of the benchmarks: `cargo run --release --example bench-traces -- FOLDER [--scale N] [--seed N] [KIND...]`.
//!
//! A trace that is there already is kept, unless this program is newer or another seed or scale is asked for. It links
//! nothing of the library, so that it is built in seconds in release too.

#[path = "cluster/dns.rs"]
mod dns;
mod traces;
#[path = "../util"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "shared with tests, which use other parts")]
mod util {
    pub mod capture_file;
    pub mod random;
    pub mod traffic;
}

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use traces::Kind;

/// Writes the traces of the benchmarks
#[derive(clap::Parser)]
struct Options {
    /// Where KIND.pcap is written
    folder: PathBuf,
    /// Which traces [default: all]
    #[arg(value_parser = kind)]
    kinds: Vec<Kind>,
    /// Multiplies the number of conversations
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Another seed, other traffic of the same kind
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let kinds = if options.kinds.is_empty() { Kind::ALL.to_vec() } else { options.kinds.clone() };
    let written =
        fs::create_dir_all(&options.folder).and_then(|()| kinds.into_iter().try_for_each(|kind| options.write(kind)));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write below {}: {error}", options.folder.display());
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn write(&self, kind: Kind) -> io::Result<()> {
        let path = self.folder.join(kind.name()).with_extension("pcap");
        // What the file holds; written last, so that a trace which was cut short is not taken for whole.
        let label = path.with_extension("txt");
        let wanted = format!("seed {}, scale {}", self.seed, self.scale);
        if fs::read_to_string(&label).is_ok_and(|held| held.starts_with(&format!("{wanted}:"))) && is_newer(&label)? {
            eprintln!("{} is there", path.display());
            return Ok(());
        }
        if label.exists() {
            fs::remove_file(&label)?;
        }
        let output = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let totals = kind.write(self.seed, self.scale, output)?;
        let held = format!(
            "{wanted}: {} packets of {} bytes on average, {} conversations\n",
            totals.packets,
            totals.bytes / totals.packets.max(1),
            totals.flows
        );
        eprint!("{}: {held}", path.display());
        fs::write(label, held)
    }
}

/// Whether a file is younger than this program.
fn is_newer(file: &Path) -> io::Result<bool> {
    let modified = |path: &Path| fs::metadata(path)?.modified();
    Ok(modified(file)? > modified(&std::env::current_exe()?)?)
}

fn kind(name: &str) -> Result<Kind, String> {
    let known = Kind::ALL.map(Kind::name).join(", ");
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("the traces are {known}"))
}
