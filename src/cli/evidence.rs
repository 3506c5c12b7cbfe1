//! `flowshrike model evidence`: thresholds of evidence for a model, learnt on labelled flows that say who talked to whom and when.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::labelled::Labelled;
use super::output::{spare, write_whole};
use super::progress::Bars;
use super::{model_file, signals};
use crate::dataset::Dataset;
use crate::model::Model;
use crate::train::HeldBack;
use crate::train::evidence::{EvidenceLearnt, child, columns, learn, learnt_text};

/// Options of `model evidence`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model; it stays as it is
    model: PathBuf,
    #[command(flatten)]
    flows: Labelled,
    /// Name of the new model [default: the old one's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Version of the new model [default: the old one's with `+evidence.1`, then `+evidence.2`]
    #[arg(long, value_name = "VERSION")]
    model_version: Option<String>,
    /// One line about the flows, for the model's card
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// Also write the report as JSON
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Where the new model goes
    #[arg(long, short, value_name = "MODEL")]
    output: PathBuf,
}

/// Learns thresholds and writes the model that has them; the report goes to stderr.
///
/// # Errors
/// What is wrong with the model or the files.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let outputs = [Some(&args.output), args.report.as_ref()].into_iter().flatten();
    let inputs = args.flows.data.iter().chain([&args.model]);
    spare(outputs.map(PathBuf::as_path), inputs.map(PathBuf::as_path))?;
    let model = model_file::read(&args.model)?;
    signals::end_whole()?;
    let bars = Bars::new();
    let learnt = learn_on(&model, &args.flows, None, args.about.as_deref(), &bars)?;
    drop(bars);
    let named = (args.name.as_deref(), args.model_version.as_deref());
    let new = child(&model, &learnt, Some(named))?;
    write_whole(&args.output, &new.to_bytes()?)?;
    if let Some(path) = &args.report {
        let mut json = serde_json::to_vec_pretty(&learnt).context("the report")?;
        json.push(b'\n');
        write_whole(path, &json)?;
    }
    eprint!("{}", learnt_text(&learnt));
    eprintln!("wrote     {} {}, SHA-256 {}", new.name(), new.version(), new.sha256());
    Ok(())
}

/// What flows teach a model's evidence, by its own verdicts or by those of fits that had not seen the flows' captures.
///
/// # Errors
/// What is wrong with the files.
pub(super) fn learn_on(
    model: &Model,
    flows: &Labelled,
    held_back: Option<(&Dataset, &HeldBack)>,
    about: Option<&str>,
    bars: &Bars,
) -> anyhow::Result<EvidenceLearnt> {
    let data = flows.read_identified(&columns(model), bars)?;
    let about = about.map(|about| format!(": {about}")).unwrap_or_default();
    if let Some((judged, _)) = held_back {
        let is_same = judged.labels() == data.labels() && judged.scenarios() == data.scenarios();
        ensure!(
            is_same,
            "the files say other rows when they are read for addresses and times: mend bad rows first (--on-bad-row fail)"
        );
    }
    Ok(learn(model, &data, held_back.map(|(_, verdicts)| verdicts), &about)?)
}
