//! One key's value, written or default, through the same checks: form first, then range.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;

use super::error::{ConfigError, Origin};
use super::keys::{Form, Key};
use super::units;
use super::written::{Value, Written};
use crate::time::Micros;

/// Reads one key's value, written or default, through the same checks.
pub(super) struct Reader {
    key: &'static Key,
    value: Value,
    pub(super) origin: Origin,
}

impl Reader {
    pub(super) fn new(written: &Written, path: &'static str) -> Result<Self, ConfigError> {
        let key = Key::named(path).ok_or_else(|| ConfigError::UnknownKey {
            origin: Origin::Default,
            key: path.to_owned(),
            nearest: None,
        })?;
        Ok(written.get(key).map_or_else(
            || Self { key, value: Value::Text(key.default.to_owned()), origin: Origin::Default },
            |entry| Self { key, value: entry.value.clone(), origin: entry.origin.clone() },
        ))
    }

    pub(super) fn wrong(&self, message: String) -> ConfigError {
        ConfigError::Value { origin: self.origin.clone(), key: self.key.path, message }
    }

    fn one(&self) -> Result<&str, ConfigError> {
        match &self.value {
            Value::Text(text) => Ok(text.trim()),
            Value::List(_) | Value::Map(_) => Err(self.wrong("one value is expected".to_owned())),
        }
    }

    pub(super) fn text(&self) -> Result<Option<String>, ConfigError> {
        self.one().map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    pub(super) fn list(&self) -> Result<Vec<String>, ConfigError> {
        match &self.value {
            Value::List(items) if items.iter().any(|item| item.trim().is_empty()) => {
                Err(self.wrong("an item is empty".to_owned()))
            }
            Value::List(items) => Ok(items.clone()),
            Value::Text(_) | Value::Map(_) => Ok(self.text()?.into_iter().collect()),
        }
    }

    pub(super) fn fractions(&self) -> Result<BTreeMap<String, f32>, ConfigError> {
        let Value::Map(pairs) = &self.value else {
            return Ok(BTreeMap::new());
        };
        let number = |(name, text): &(String, String)| {
            let number = units::parse_fraction(text).map_err(|wrong| self.wrong(format!("{name}: {wrong}")))?;
            Ok((name.clone(), number))
        };
        pairs.iter().map(number).collect()
    }

    pub(super) fn switch(&self) -> Result<bool, ConfigError> {
        let text = self.one()?;
        text.parse().map_err(|_| self.wrong(format!("`{text}` is neither true nor false")))
    }

    pub(super) fn choice<T: FromStr>(&self) -> Result<T, ConfigError> {
        let text = self.one()?;
        let listed = matches!(self.key.form, Form::Choice(words) if words.contains(&text));
        let parsed = text.parse().ok().filter(|_| listed);
        parsed.ok_or_else(|| self.wrong(format!("`{text}` is none of {}", self.key.form.allowed())))
    }

    pub(super) fn address(&self) -> Result<SocketAddr, ConfigError> {
        let text = self.one()?;
        let hint = "it is an IP address and a port, as 127.0.0.1:9469 or [::1]:9469";
        text.parse().map_err(|_| self.wrong(format!("`{text}` is no address: {hint}")))
    }

    pub(super) fn optional_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        self.text()?.map(|_| self.address()).transpose()
    }

    pub(super) fn bytes(&self) -> Result<u64, ConfigError> {
        let bytes = units::parse_bytes(self.one()?).map_err(|wrong| self.wrong(wrong))?;
        let within = matches!(self.key.form, Form::Bytes { min, max } if (min..=max).contains(&bytes));
        if within { Ok(bytes) } else { Err(self.out_of_range()) }
    }

    pub(super) fn optional_duration(&self) -> Result<Option<Micros>, ConfigError> {
        let text = self.one()?;
        let Form::Duration { min, max, or } = self.key.form else {
            return Err(self.out_of_range());
        };
        if or == Some(text) {
            return Ok(None);
        }
        let span = units::parse_duration(text).map_err(|wrong| self.wrong(wrong))?;
        if (min..=max).contains(&span) { Ok(Some(span)) } else { Err(self.out_of_range()) }
    }

    pub(super) fn duration(&self) -> Result<Micros, ConfigError> {
        self.optional_duration()?.ok_or_else(|| self.out_of_range())
    }

    pub(super) fn optional_number<T: TryFrom<u64>>(&self) -> Result<Option<T>, ConfigError> {
        let text = self.one()?;
        let Form::Integer { min, max, or } = self.key.form else {
            return Err(self.out_of_range());
        };
        if or == Some(text) {
            return Ok(None);
        }
        let number = units::parse_integer(text).map_err(|wrong| self.wrong(wrong))?;
        let number = Some(number).filter(|number| (min..=max).contains(number)).and_then(|n| T::try_from(n).ok());
        number.map(Some).ok_or_else(|| self.out_of_range())
    }

    pub(super) fn number<T: TryFrom<u64>>(&self) -> Result<T, ConfigError> {
        self.optional_number()?.ok_or_else(|| self.out_of_range())
    }

    fn out_of_range(&self) -> ConfigError {
        let text = self.one().unwrap_or_default();
        self.wrong(format!("`{text}` is out of range: {}", self.key.form.allowed()))
    }
}
