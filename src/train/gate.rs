//! A gate: bounds that a model's figures must keep to before it takes another one's place.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One bound of one figure, as `NAME >= NUMBER` or `NAME <= NUMBER`.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// The figure, by the name that cards and tracking have for it.
    pub figure: String,
    /// Which side of the bound it must be on; on the bound is well.
    pub side: Side,
    /// The bound.
    pub bound: f64,
}

/// A side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At least the bound.
    AtLeast,
    /// At most the bound.
    AtMost,
}

/// Why a gate stays shut.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GateError {
    /// A line that is no requirement.
    #[error("`{0}` is no requirement: a figure's name, >= or <=, and a number are needed")]
    Words(String),
    /// Nothing is asked of these figures.
    #[error("nothing is required of a figure that begins with `{0}`")]
    Nothing(&'static str),
    /// A figure that there is none of.
    #[error("there is no figure `{figure}`; {}", like(known))]
    Unknown {
        /// What was asked for.
        figure: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// Figures on the wrong side of their bounds.
    #[error("{}", .0.join("; "))]
    Unmet(Vec<String>),
}

/// The requirements of a file: one a line; what follows a `#` is said to people.
///
/// # Errors
/// The first line that is none.
pub fn requirements(text: &str) -> Result<Vec<Requirement>, GateError> {
    let said = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    text.lines().map(said).filter(|line| !line.is_empty()).map(|line| line.parse()).collect()
}

/// Holds figures against those requirements whose figure begins with `prefix`, and says how many there were.
///
/// # Errors
/// That there are none, which figure is not there, or which figures are on the wrong side, all of them.
pub fn hold(
    requirements: &[Requirement],
    prefix: &'static str,
    figures: &BTreeMap<String, f64>,
) -> Result<usize, GateError> {
    let own: Vec<_> = requirements.iter().filter(|required| required.figure.starts_with(prefix)).collect();
    if own.is_empty() {
        return Err(GateError::Nothing(prefix));
    }
    let mut unmet = Vec::new();
    for required in &own {
        let Some(&value) = figures.get(&required.figure) else {
            let known = figures.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
            return Err(GateError::Unknown { figure: required.figure.clone(), known });
        };
        if !required.is_met(value) {
            unmet.push(format!("{} is {value:.4}, and not {} {}", required.figure, required.side, required.bound));
        }
    }
    if unmet.is_empty() { Ok(own.len()) } else { Err(GateError::Unmet(unmet)) }
}

impl Requirement {
    fn is_met(&self, value: f64) -> bool {
        match self.side {
            Side::AtLeast => value >= self.bound,
            Side::AtMost => value <= self.bound,
        }
    }
}

impl FromStr for Requirement {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let no = || GateError::Words(text.trim().to_owned());
        let sides = [(">=", Side::AtLeast), ("<=", Side::AtMost)];
        let parted = |(sign, side)| text.split_once(sign).map(|(figure, bound)| (figure.trim(), side, bound.trim()));
        let (figure, side, bound) = sides.into_iter().find_map(parted).ok_or_else(no)?;
        let bound: f64 = bound.parse().ok().filter(|bound: &f64| bound.is_finite()).ok_or_else(no)?;
        if figure.is_empty() || figure.contains(char::is_whitespace) {
            return Err(no());
        }
        Ok(Self { figure: figure.to_owned(), side, bound })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
        })
    }
}

/// Which figures there are, the first few.
fn like(known: &[String]) -> String {
    match known {
        [] => "there are none of its kind".to_owned(),
        some if some.len() <= TOLD => format!("there are {}", some.join(", ")),
        some => format!("there are {} and {} more", some[..TOLD].join(", "), some.len() - TOLD),
    }
}

/// Figures that are named where one is not found.
const TOLD: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_for_figures_on_the_right_side_alone() {
        let asked = requirements(
            "# kept since May\nvalidation.f1 >= .9\n\n evaluation.f1>=0.8 # enough\nevaluation.rate <= 1e-2",
        );
        let asked = asked.expect("requirements");
        let figures = |f1: f64, rate: f64| {
            BTreeMap::from([("evaluation.f1".to_owned(), f1), ("evaluation.rate".to_owned(), rate)])
        };
        assert_eq!(hold(&asked, "evaluation.", &figures(0.8, 0.01)), Ok(2));
        let shut = hold(&asked, "evaluation.", &figures(0.79, 0.02)).expect_err("both are missed").to_string();
        assert_eq!(
            shut,
            "evaluation.f1 is 0.7900, and not at least 0.8; evaluation.rate is 0.0200, and not at most 0.01"
        );
        assert!(hold(&asked, "evaluation.", &figures(f64::NAN, 0.0)).is_err(), "what is no number meets nothing");
        let unknown = hold(&asked, "validation.", &figures(1.0, 0.0)).expect_err("no such figure").to_string();
        assert!(unknown.contains("no figure `validation.f1`") && unknown.contains("none of its kind"), "{unknown}");
        assert_eq!(hold(&asked, "learn.", &figures(1.0, 0.0)), Err(GateError::Nothing("learn.")));
    }

    #[test]
    fn what_is_no_requirement_is_shown() {
        for text in ["f1", "f1 > 1", ">= 1", "f1 >= one", "f1 >= inf", "f1 of all >= 1", "f1 >= 1 <= 2"] {
            assert_eq!(requirements(text), Err(GateError::Words(text.to_owned())));
        }
    }
}
