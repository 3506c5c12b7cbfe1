//! `models:/NAME@ALIAS` and `models:/NAME/VERSION`: a model as a registry knows it.

use std::fmt;
use std::str::FromStr;

use super::TrackError;
use crate::train::tracking::Registration;

/// Which version of which registered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelReference {
    /// The registered model.
    pub name: String,
    /// Which of its versions.
    pub which: Which,
}

/// A version by what it is called now, or by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// `@ALIAS`
    Alias(String),
    /// `/VERSION`
    Version(u64),
}

impl ModelReference {
    /// Whether a text is meant as one, well written or not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }
}

impl FromStr for ModelReference {
    type Err = TrackError;

    fn from_str(text: &str) -> Result<Self, TrackError> {
        let wrong = || TrackError::Reference(format!("`{text}`: write models:/NAME@ALIAS or models:/NAME/VERSION"));
        let rest = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let (name, which) = if let Some((name, alias)) = rest.rsplit_once('@') {
            (name, Which::Alias(checked_alias(alias)?.to_owned()))
        } else {
            let (name, version) = rest.rsplit_once('/').ok_or_else(wrong)?;
            (name, Which::Version(version.parse().map_err(|_| wrong())?))
        };
        Ok(Self { name: checked_name(name)?.to_owned(), which })
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::Alias(alias) => write!(f, "{PREFIX}{}@{alias}", self.name),
            Which::Version(version) => write!(f, "{PREFIX}{}/{version}", self.name),
        }
    }
}

/// Whether a registry takes the names of an entry.
///
/// # Errors
/// Which name it would not take.
pub(super) fn check(registration: &Registration) -> Result<(), TrackError> {
    checked_name(&registration.model)?;
    registration.aliases.iter().try_for_each(|alias| checked_alias(alias).map(drop))
}

/// A name that is no path, no other address and no part of a filter.
fn checked_name(name: &str) -> Result<&str, TrackError> {
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '@' | '%' | '\'' | '"' | '`');
    if name.is_empty() || name.len() > LONGEST || name.starts_with('.') || name.contains(forbidden) {
        let what = format!(
            "`{name}` is no name of a registered model: up to {LONGEST} characters, none of / \\ : @ % ' \" ` and no dot first"
        );
        return Err(TrackError::Reference(what));
    }
    Ok(name)
}

/// MLflow's own rule: `latest` and `v1` mean something else to it.
fn checked_alias(alias: &str) -> Result<&str, TrackError> {
    let plain = alias.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let number = alias.strip_prefix(['v', 'V']).is_some_and(|rest| rest.parse::<u64>().is_ok());
    if alias.is_empty() || alias.len() > LONGEST || !plain || number || alias.eq_ignore_ascii_case("latest") {
        let what = format!("`{alias}` is no alias: letters, digits, - and _; not `latest`, nor `v` and a number");
        return Err(TrackError::Reference(what));
    }
    Ok(alias)
}

const PREFIX: &str = "models:/";
/// Well within MLflow's 256.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_say_an_alias_or_a_version() {
        for (text, name, which) in [
            ("models:/flows@champion", "flows", Which::Alias("champion".to_owned())),
            ("models:/my flows/12", "my flows", Which::Version(12)),
        ] {
            let reference: ModelReference = text.parse().expect(text);
            assert_eq!(reference, ModelReference { name: name.to_owned(), which });
            assert_eq!(reference.to_string(), text);
        }
        for text in [
            "models:/",
            "models:/a",
            "models:/a@",
            "models:/@b",
            "models:/a/b",
            "models:/../1",
            "models:/a/b/1",
            "models:/a@latest",
            "models:/a@V2",
            "models:/a'/1",
            "models:/a%2f/1",
            "a/1",
            "models:/a@b c",
        ] {
            assert!(matches!(text.parse::<ModelReference>(), Err(TrackError::Reference(_))), "{text}");
        }
    }
}
