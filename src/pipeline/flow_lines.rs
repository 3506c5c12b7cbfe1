//! A capture's flows as the lines of the flow log, for whoever wants nothing else of it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::Verdicts;
use super::detect::Detector;
use super::flow_log;
use super::offline::{Offline, OfflineError};
use super::shard::Stage;
use crate::capture::{CaptureFile, FileError, PacketSource, Progress};
use crate::features::Profile;
use crate::flow::{FlowPolicy, FlowRecord};
use crate::model::Model;
use crate::packet::{Frame, Tunnels};

/// Lines of one capture.
#[derive(Debug)]
pub struct FlowLines {
    /// One JSON line a flow, in the order of `replay --flows`.
    pub lines: Vec<u8>,
    /// Verdicts by label.
    pub verdicts: Verdicts,
    /// Flows unlike anything benign.
    pub novel: u64,
    /// What stopped the capture before its end; what was read up to there stands in the lines.
    pub incomplete: Option<FileError>,
}

/// Why there are no lines.
#[derive(Debug, thiserror::Error)]
pub enum FlowLinesError {
    /// More than was asked for.
    #[error("the capture has more flows than fit in {0} bytes of lines")]
    TooMany(usize),
    /// The pipeline stopped.
    #[error(transparent)]
    Pipeline(#[from] OfflineError<FileError>),
}

/// The flows of a capture by the rules of the daemon, each with its verdict; at most `limit` bytes of lines.
///
/// # Errors
/// There are more, or a thread died. A capture that ends early is no error.
pub fn flow_lines(model: &Model, capture: CaptureFile, limit: usize) -> Result<FlowLines, FlowLinesError> {
    let profile = Profile::Standard;
    let policy = FlowPolicy::standard();
    let offline =
        Offline { profile, policy, workers: 1, max_flows: MAX_FLOWS, batch: BATCH, tunnels: Tunnels::default() };
    let written = AtomicU64::new(0);
    let source = Stoppable { capture, written: &written, limit: limit as u64 };
    let mut stages = vec![Lines { detector: Detector::new(model, profile), novel: 0, spare: Vec::new() }];
    let mut lines = Vec::new();
    let (_, outcome) = offline.run(source, &mut stages, |_, line: Vec<u8>| {
        let all = written.fetch_add(line.len() as u64, Ordering::Relaxed).saturating_add(line.len() as u64);
        if all <= limit as u64 {
            lines.extend_from_slice(&line);
        }
        Some(line)
    });
    if written.into_inner() > limit as u64 {
        return Err(FlowLinesError::TooMany(limit));
    }
    let incomplete = match outcome {
        Ok(()) => None,
        Err(OfflineError::Source(error)) => Some(error),
        Err(other) => return Err(other.into()),
    };
    let mut told = FlowLines { lines, verdicts: Verdicts::new(model.labels().len()), novel: 0, incomplete };
    for stage in &stages {
        told.verdicts.add(&stage.detector.verdicts());
        told.novel = told.novel.saturating_add(stage.novel);
    }
    Ok(told)
}

/// A capture that ends where its lines have become too many.
struct Stoppable<'a> {
    capture: CaptureFile,
    written: &'a AtomicU64,
    limit: u64,
}

impl PacketSource for Stoppable<'_> {
    type Error = FileError;

    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, deliver: F) -> Result<Progress, FileError> {
        if self.written.load(Ordering::Relaxed) > self.limit {
            return Ok(Progress::End);
        }
        self.capture.read(max, deliver)
    }
}

/// Makes a line of each ended flow.
struct Lines<'m> {
    detector: Detector<'m>,
    novel: u64,
    /// Lines that were delivered.
    spare: Vec<Vec<u8>>,
}

impl Stage for Lines<'_> {
    type Item = Vec<u8>;

    fn ended(&mut self, record: &FlowRecord) -> Option<Vec<u8>> {
        let verdict = self.detector.ended(record);
        self.novel = self.novel.saturating_add(u64::from(verdict.novel));
        let mut line = self.spare.pop().unwrap_or_default();
        line.clear();
        flow_log::write_line(
            &mut line,
            record,
            self.detector.features(),
            Profile::Standard,
            self.detector.model(),
            &verdict,
        );
        Some(line)
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Vec<u8>> {
        None
    }

    fn recycle(&mut self, line: Vec<u8>) {
        if self.spare.len() < MOST_SPARE {
            self.spare.push(line);
        }
    }
}

/// Live flows of one capture, 32 MiB of them: more lines than are taken come of a capture that has more.
const MAX_FLOWS: usize = 65_536;
/// Packets between two looks at what was written.
const BATCH: usize = 1024;
/// Lines whose memory is kept to be used again.
const MOST_SPARE: usize = 64;
