//! The reference page of the configuration, from the table of keys.

use std::fmt::Write;

use super::keys::{Form, KEYS};
use super::units::{format_bytes, format_duration};

/// The reference page, Markdown.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(HEAD);
    let mut open = "";
    for key in KEYS {
        let (section, name) = key.section_and_name();
        if section != open {
            open = section;
            // Writing to a `String` cannot fail.
            write!(page, "\n## `{section}`\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n").ok();
        }
        let default = if key.default.is_empty() { "none".to_owned() } else { format!("`{}`", key.default) };
        let (form, allowed) = (key.form.name(), key.form.allowed());
        let separator = if allowed.is_empty() { "" } else { ": " };
        writeln!(page, "| `{name}` | {form}{separator}{allowed} | {default} | {} |", key.about).ok();
    }
    page
}

impl Form {
    /// What kind of value it is.
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::List => "list",
            Self::Switch => "`true` or `false`",
            Self::Choice(_) => "one of",
            Self::Integer { .. } => "number",
            Self::Bytes { .. } => "bytes",
            Self::Duration { .. } => "duration",
            Self::Address => "address and port",
            Self::Fractions => "names with numbers: 0 to 1",
        }
    }

    /// The range or the words, for the page and for messages; empty where anything goes.
    pub(super) fn allowed(self) -> String {
        let or = |word: Option<&str>| word.map(|word| format!(", or `{word}`")).unwrap_or_default();
        match self {
            Self::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Integer { min, max, or: word } => format!("{min} to {max}{}", or(word)),
            Self::Bytes { min, max } => format!("{} to {}", format_bytes(min), format_bytes(max)),
            Self::Duration { min, max, or: word } => {
                format!("{} to {}{}", format_duration(min), format_duration(max), or(word))
            }
            Self::Text | Self::List | Self::Switch | Self::Address | Self::Fractions => String::new(),
        }
    }
}

const HEAD: &str = "\
# Configuration

<!-- Generated from the table of keys (src/config/keys.rs): UPDATE_DOCS=1 cargo test --test reference_pages -->

Three places, the later ones winning key by key: one YAML file (`--config FILE`), environment variables, flags.
A key `section.name` is written in the file as

```yaml
capture:
  interfaces: [eth0, 'cali.*']
  buffer: 64MiB
alert:
  thresholds:
    recon: 0.8
```

and in the environment as `FLOWSHRIKE_SECTION_NAME`: `FLOWSHRIKE_CAPTURE_INTERFACES=eth0,cali.*`,
`FLOWSHRIKE_ALERT_THRESHOLDS=recon=0.8,exploit=0.9`. A list or a map replaces the one before; a flag that may be
repeated adds to its own. An empty variable says nothing. Unknown keys and `FLOWSHRIKE_` variables are errors, but
for those that Kubernetes sets for a Service named `flowshrike`.

Durations have a unit: `us`, `ms`, `s`, `m`, `h`. Bytes may have one: `B`, `kB`, `MB`, `GB` (powers of 1,000), `KiB`,
`MiB`, `GiB` (powers of 1,024).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_on_the_page() {
        let page = reference_page();
        for key in KEYS {
            let row = format!("| `{}` |", key.section_and_name().1);
            assert!(page.contains(&row) && !key.about.contains('|'), "{}", key.path);
        }
    }
}
