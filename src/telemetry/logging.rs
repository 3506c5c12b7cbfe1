//! Logs: to the standard error, as text for people or JSON for machines. The standard output belongs to data.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::fmt::MakeWriter;

/// The least urgent messages that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What stopped the program or lost data.
    Error,
    /// What may.
    Warn,
    /// What it does.
    #[default]
    Info,
    /// How.
    Debug,
    /// All of it.
    Trace,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text, in colours on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends the program's logs to the standard error, from now on and for all threads.
///
/// # Errors
/// Logs were set up before.
pub fn init(level: LogLevel, format: LogFormat) -> Result<(), SetGlobalDefaultError> {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing::subscriber::set_global_default(subscriber(level, format, colours, io::stderr))
}

/// What [`init`] installs, on any writer.
fn subscriber<W>(level: LogLevel, format: LogFormat, colours: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_max_level(level.filter()).with_ansi(colours).with_writer(writer);
    match format {
        LogFormat::Text => Box::new(builder.with_target(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).finish()),
    }
}

impl LogLevel {
    /// Every level, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No level or format has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such value `{0}`")]
pub struct UnknownName(pub String);

impl FromStr for LogLevel {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| UnknownName(name.to_owned()))
    }
}

impl FromStr for LogFormat {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownName(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic while held").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, format: LogFormat, colours: bool) -> String {
        let buffer = Shared::default();
        let writer = buffer.clone();
        let subscriber = subscriber(level, format, colours, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(lost = 3, "too quiet");
            tracing::warn!(lost = 4, "loud");
        });
        let bytes = buffer.0.lock().expect("no panic while held").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn text_has_colours_only_where_asked() {
        let plain = logged(LogLevel::Warn, LogFormat::Text, false);
        assert_eq!(plain.lines().count(), 1);
        assert!(plain.ends_with("WARN loud lost=4\n") && !plain.contains('\u{1b}'), "{plain}");
        assert!(logged(LogLevel::Warn, LogFormat::Text, true).contains('\u{1b}'));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(LogLevel::Info, LogFormat::Json, false);
        let first = text.lines().next().expect("a line");
        let value: serde_json::Value = serde_json::from_str(first).expect("JSON");
        assert_eq!(
            (&value["level"], &value["message"], &value["lost"]),
            (&"INFO".into(), &"too quiet".into(), &3.into())
        );
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn names_are_read_back() {
        for level in LogLevel::ALL {
            assert_eq!(level.name().parse(), Ok(level));
        }
        assert_eq!("loud".parse::<LogLevel>(), Err(UnknownName("loud".into())));
    }
}
