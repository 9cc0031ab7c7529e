//! What people see of a device: its page, `[page]`, and its log, `[log]`. Which settings can be.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use super::Problem;
use super::check::path_problem;

/// Where the page is, unless a config says otherwise: on loopback, port 8480.
pub const PAGE_LISTEN: &str = "127.0.0.1:8480";
/// A shorter password for the page is refused, bytes.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// The most modules with a level of their own.
pub const LOG_LEVELS_MAX: usize = 32;

/// The live page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Address and port to listen on.
    #[serde(default = "listen")]
    pub listen: String,
    /// Path of a file with the password; must be there when the page is not on loopback alone.
    pub password_file: Option<String>,
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least that is logged; as the program says when absent.
    pub level: Option<LogLevel>,
    /// How a line is written.
    #[serde(default)]
    pub format: LogFormat,
    /// Modules with a level of their own, such as `runtime::source`.
    #[serde(default)]
    pub levels: BTreeMap<String, LogLevel>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed and needs somebody.
    Error,
    /// What is not as it should be, and goes on.
    Warn,
    /// What an operator wants to know once.
    Info,
    /// What a developer wants to know of each event.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl Page {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        match self.listen.parse::<SocketAddr>() {
            Ok(address) if !address.ip().is_loopback() && self.password_file.is_none() => {
                let problem = format!("is missing: {address} is not loopback alone");
                let remedy = format!("name a file with a password, or listen on `{PAGE_LISTEN}`");
                problems.push(Problem::new("page.password_file", problem, remedy));
            }
            Ok(_) => {}
            Err(_) => {
                let remedy = format!("write `{PAGE_LISTEN}`, or the address of one network card");
                problems.push(Problem::new("page.listen", "is no address with a port", remedy));
            }
        }
        problems.extend(self.password_file.as_ref().and_then(|path| path_problem("page.password_file", path)));
    }
}

impl Log {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        if self.levels.len() > LOG_LEVELS_MAX {
            let problem = format!("lists {} modules, more than {LOG_LEVELS_MAX}", self.levels.len());
            problems.push(Problem::new("log.levels", problem, "a module's level holds for those inside of it"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':');
        for name in self.levels.keys() {
            if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
                let remedy = "write its path in quotes, such as `\"runtime::source\" = \"debug\"`";
                problems.push(Problem::new("log.levels", format!("has `{name}`, which is no module"), remedy));
            }
        }
    }
}

fn listen() -> String {
    PAGE_LISTEN.into()
}
