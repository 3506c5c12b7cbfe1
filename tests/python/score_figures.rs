//! Figures of given scores: one JSON object a line in, one out. `tests/python/compare.py` asks it; so may any other program.
//!
//! In: `{"classes": 3, "truth": [0, 2], "predicted": [0, 1], "scores": [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3]]}`.

use std::io::{BufRead, Write, stdin, stdout};

use flowshrike::train::Figures;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    classes: usize,
    truth: Vec<usize>,
    predicted: Vec<usize>,
    scores: Vec<Vec<f64>>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line?)?;
        let names: Vec<String> = (0..case.classes).map(|class| class.to_string()).collect();
        let flows: Vec<(usize, usize)> = case.truth.into_iter().zip(case.predicted).collect();
        let figures = Figures::of_scores(&names, &flows, &case.scores.concat(), 1);
        serde_json::to_writer(&mut out, &figures)?;
        writeln!(out)?;
    }
    Ok(())
}
