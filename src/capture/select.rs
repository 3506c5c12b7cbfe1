//! Which interfaces to capture on: [`select`] turns what the user wrote into names, by the facts of the host alone.
//!
//! Pure, so that every rule is a row of a table of tests. [`super::auto`] holds the rule behind `auto`,
//! [`super::observation`] what is worth saying about the outcome. The daemon calls it again as pods come and go.

use regex::Regex;
use serde::Serialize;

use super::auto;
use super::interfaces::{Interface, Kind};
use super::observation::{Observation, same_packets};

/// The interfaces to open, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// In the order asked for; those found by a pattern in the order of their numbers. Never empty.
    pub interfaces: Vec<Chosen>,
    /// One sentence: why these.
    pub reason: String,
    /// What the user should know about what this choice shows.
    pub warnings: Vec<Observation>,
    /// No interface that may come later would change it; else it is worth choosing again as pods come and go.
    #[serde(skip)]
    pub settled: bool,
}

/// One interface to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// Its name, or `any`.
    pub name: String,
    /// The words that found it: the label for metrics, which must not name each pod's device.
    pub spec: String,
    /// Open it in promiscuous mode whatever the setting: `auto` found a bridge, which otherwise does not show
    /// what passes between its own ports.
    pub promiscuous: bool,
}

/// Why no interface was chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Nothing was asked for.
    #[error("no interface named; give a name, /regex/, any or auto")]
    Nothing,
    /// A name that no interface has.
    #[error("no interface '{name}'; there are: {available}")]
    Unknown {
        /// As written.
        name: String,
        /// Those that exist.
        available: String,
    },
    /// A pattern that finds none.
    #[error("{pattern} matches no interface that is up; there are: {available}")]
    NoMatch {
        /// As written.
        pattern: String,
        /// Those that exist.
        available: String,
    },
    /// A pattern that is none.
    #[error("{pattern} is not a regular expression: {reason}")]
    Pattern {
        /// As written.
        pattern: String,
        /// In one line.
        reason: String,
    },
    /// `any` with exclusions.
    #[error("any is every interface and takes no exclusions; use /./ to leave some out")]
    AnyExcluded,
    /// The exclusions leave none of the interfaces asked for.
    #[error("the exclusions leave none of the interfaces asked for")]
    AllExcluded,
    /// `auto` found none.
    #[error(
        "auto found no interface: no bridge, tunnel or pod's link is up and there is no default route; there are: {available}"
    )]
    NoAuto {
        /// Those that exist.
        available: String,
    },
}

/// Chooses interfaces.
///
/// A spec is a name, `/regex/` (finds anywhere in the name; among interfaces that are up), `any` or `auto`;
/// an exclusion is a name or `/regex/` and wins over every spec.
///
/// # Errors
/// Each in one line that says what there is to choose from.
pub fn select<S: AsRef<str>>(specs: &[S], exclusions: &[S], available: &[Interface]) -> Result<Selection, SelectError> {
    if specs.is_empty() {
        return Err(SelectError::Nothing);
    }
    if specs.iter().any(|spec| spec.as_ref() == ANY) {
        if !exclusions.is_empty() {
            return Err(SelectError::AnyExcluded);
        }
        return any(&specs.iter().map(AsRef::as_ref).filter(|spec| *spec != ANY).collect::<Vec<_>>(), available);
    }
    let exclusions = exclusions.iter().map(|text| Matcher::new(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let kept: Vec<&Interface> =
        available.iter().filter(|i| !exclusions.iter().any(|exclusion| exclusion.matches(&i.name))).collect();

    let mut choice = Choice::default();
    for spec in specs {
        let spec = spec.as_ref();
        match Matcher::new(spec)? {
            Matcher::Name(AUTO) => {
                let found = auto::choose(&kept).ok_or_else(|| SelectError::NoAuto { available: names(available) })?;
                for interface in &found.interfaces {
                    choice.add(interface, spec, interface.kind == Kind::Bridge);
                }
                choice.unsettled |= !found.settled;
                choice.reasons.push(found.reason);
                choice.warnings.extend(found.warning);
            }
            Matcher::Name(name) => {
                if !available.iter().any(|interface| interface.name == name) {
                    return Err(SelectError::Unknown { name: name.to_owned(), available: names(available) });
                }
                if let Some(interface) = kept.iter().find(|interface| interface.name == name) {
                    choice.add(interface, spec, false);
                    choice.reasons.push(format!("{name} by its name"));
                }
            }
            Matcher::Pattern(pattern) => {
                let found: Vec<_> = kept.iter().filter(|i| i.up && pattern.is_match(&i.name)).collect();
                if found.is_empty() {
                    return Err(SelectError::NoMatch { pattern: spec.to_owned(), available: names(available) });
                }
                for interface in &found {
                    choice.add(interface, spec, false);
                }
                choice.unsettled = true;
                choice.reasons.push(format!("{} found by {spec}", found.len()));
            }
        }
    }
    choice.finish(available)
}

/// Every interface by `any`, and some by themselves besides: promiscuous, or with losses of their own.
fn any(others: &[&str], available: &[Interface]) -> Result<Selection, SelectError> {
    let any = Chosen { name: ANY.to_owned(), spec: ANY.to_owned(), promiscuous: false };
    let reason = "every interface, as asked for".to_owned();
    let warnings = vec![Observation::AnyShowsCopies];
    let mut selection = Selection { interfaces: vec![any], reason, warnings, settled: true };
    if !others.is_empty() {
        let beside = select(others, &[], available)?;
        selection.reason = format!("{}, and {}", selection.reason, beside.reason);
        selection.interfaces.extend(beside.interfaces);
        // That all of them show copies is said already.
        selection.warnings.extend(beside.warnings.into_iter().filter(|warning| !warning.shows_copies()));
        selection.settled = beside.settled;
    }
    Ok(selection)
}

/// What has been chosen so far.
#[derive(Default)]
struct Choice<'a> {
    facts: Vec<&'a Interface>,
    interfaces: Vec<Chosen>,
    reasons: Vec<String>,
    warnings: Vec<Observation>,
    unsettled: bool,
}

impl<'a> Choice<'a> {
    fn add(&mut self, interface: &'a Interface, spec: &str, promiscuous: bool) {
        if self.facts.iter().any(|known| known.index == interface.index) {
            return;
        }
        self.facts.push(interface);
        self.interfaces.push(Chosen { name: interface.name.clone(), spec: spec.to_owned(), promiscuous });
    }

    fn finish(mut self, available: &[Interface]) -> Result<Selection, SelectError> {
        if self.interfaces.is_empty() {
            return Err(SelectError::AllExcluded);
        }
        for (facts, chosen) in self.facts.iter().zip(&self.interfaces) {
            if !facts.up {
                self.warnings.push(Observation::NotUp { interface: facts.name.clone() });
            }
            let has_ports = available.iter().any(|port| port.master.as_deref() == Some(facts.name.as_str()));
            if facts.kind == Kind::Bridge && has_ports && !chosen.promiscuous {
                self.warnings.push(Observation::BridgeNotPromiscuous { interface: facts.name.clone() });
            }
        }
        self.warnings.extend(same_packets(&self.facts));
        let (reason, settled) = (self.reasons.join("; "), !self.unsettled);
        Ok(Selection { interfaces: self.interfaces, reason, warnings: self.warnings, settled })
    }
}

/// A name, or a pattern between slashes.
enum Matcher<'a> {
    Name(&'a str),
    Pattern(Regex),
}

impl<'a> Matcher<'a> {
    fn new(text: &'a str) -> Result<Self, SelectError> {
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let Some(inner) = inner else { return Ok(Self::Name(text)) };
        Regex::new(inner).map(Self::Pattern).map_err(|error| {
            let message = error.to_string();
            let reason = message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            SelectError::Pattern { pattern: text.to_owned(), reason }
        })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(exact) => *exact == name,
            Self::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

fn names(available: &[Interface]) -> String {
    let names: Vec<_> = available.iter().map(|interface| interface.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// libpcap's pseudo-interface for all of them, and the word for it.
pub const ANY: &str = "any";
/// Asks for the rule of [`auto`].
const AUTO: &str = "auto";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::{device, lo, named, port_of, veth};

    fn chosen(specs: &[&str], exclusions: &[&str], available: &[Interface]) -> Result<Vec<String>, String> {
        select(specs, exclusions, available)
            .map(|selection| selection.interfaces.into_iter().map(|chosen| chosen.name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_patterns_and_exclusions() {
        let down = Interface { up: false, running: false, ..veth("veth9") };
        let host = [lo(), device("eth0"), device("eth1"), veth("veth1"), veth("veth2"), down];
        let all = "lo, eth0, eth1, veth1, veth2, veth9";
        for (specs, exclusions, expected) in [
            (&["eth1", "eth0"][..], &[][..], Ok(vec!["eth1", "eth0"])),
            (&["eth0", "eth0", "/eth0/"], &[], Ok(vec!["eth0"])),
            (&["/^veth/"], &[], Ok(vec!["veth1", "veth2"])),
            (&["/eth/"], &["/^v/"], Ok(vec!["eth0", "eth1"])),
            (&["/./"], &["lo", "veth2"], Ok(vec!["eth0", "eth1", "veth1"])),
            (&["veth9"], &[], Ok(vec!["veth9"])),
            (&["any"], &[], Ok(vec!["any"])),
            (&["eth9"], &[], Err(format!("no interface 'eth9'; there are: {all}"))),
            (&["/^cali/"], &[], Err(format!("/^cali/ matches no interface that is up; there are: {all}"))),
            (&["/(/"], &[], Err("/(/ is not a regular expression: unclosed group".to_owned())),
            (&["eth0"], &["eth0"], Err("the exclusions leave none of the interfaces asked for".to_owned())),
            (&["any", "eth0"], &[], Ok(vec!["any", "eth0"])),
            (&["eth0", "any", "any"], &[], Ok(vec!["any", "eth0"])),
            (&["any"], &["eth0"], Err(SelectError::AnyExcluded.to_string())),
            (&[], &[], Err(SelectError::Nothing.to_string())),
        ] {
            let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(chosen(specs, exclusions, &host), expected, "{specs:?} without {exclusions:?}");
        }
    }

    #[test]
    fn a_choice_keeps_the_words_that_found_it() {
        let host = [lo(), device("eth0"), veth("veth1")];
        let selection = select(&["/^veth/", "eth0"], &[], &host).unwrap();
        let specs: Vec<_> = selection.interfaces.iter().map(|c| (c.name.as_str(), c.spec.as_str())).collect();
        assert_eq!(specs, [("veth1", "/^veth/"), ("eth0", "eth0")]);
        assert_eq!(selection.reason, "1 found by /^veth/; eth0 by its name");
    }

    #[test]
    fn what_a_choice_hides_is_said() {
        let bridge = Interface { kind: Kind::Bridge, ..named("br7") };
        let down = Interface { up: false, running: false, ..device("eth1") };
        let host = [lo(), bridge, port_of("br7", veth("veth1")), down];
        let select = |specs: &[&str]| select(specs, &[], &host).unwrap();
        assert_eq!(select(&["any"]).warnings, [Observation::AnyShowsCopies]);
        let quiet = Observation::BridgeNotPromiscuous { interface: "br7".to_owned() };
        assert_eq!(select(&["br7"]).warnings, [quiet]);
        assert_eq!(select(&["eth1"]).warnings, [Observation::NotUp { interface: "eth1".to_owned() }]);
        let auto = select(&["auto"]);
        assert_eq!((auto.warnings, auto.interfaces[0].promiscuous), (vec![], true), "auto opens the bridge wide");
    }
}
