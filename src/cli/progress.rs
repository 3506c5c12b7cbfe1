//! How far a training run or an evaluation has come, on stderr where that is a terminal.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::train::Progress;

/// A bar for each piece of work, and a spinner where nobody knows how much of it there is; nothing in a pipe.
#[derive(Debug)]
pub(super) struct Bars {
    bar: ProgressBar,
    /// Steps that the bar does not show yet.
    waiting: Cell<u64>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let is_watched = std::io::stderr().is_terminal();
        let bar = if is_watched { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if is_watched {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, waiting: Cell::new(0) }
    }

    /// Rows are read, with no end in sight.
    pub(super) fn begin_rows(&self) {
        self.begin("reading", None);
        self.style("{spinner} {msg} {human_pos} rows, {per_sec}");
    }

    /// Prints to stderr, out of the bar's way.
    pub(super) fn say(&self, text: &str) {
        if !text.is_empty() {
            self.bar.suspend(|| eprint!("{text}"));
        }
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }
}

impl Progress for Bars {
    fn begin(&self, work: &str, steps: Option<u64>) {
        self.waiting.set(0);
        self.bar.reset();
        let template = match steps {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} {eta}",
            None => "{spinner} {msg} {elapsed}",
        };
        self.style(template);
        self.bar.set_length(steps.unwrap_or(0));
        self.bar.set_message(work.to_owned());
    }

    fn step(&self, steps: u64) {
        let waiting = self.waiting.get().saturating_add(steps);
        let is_due = waiting >= EVERY || self.bar.length().is_some_and(|all| all < EVERY);
        self.waiting.set(if is_due { 0 } else { waiting });
        if is_due {
            self.bar.inc(waiting);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A verdict takes less time than the bar's clock.
const EVERY: u64 = 256;
