//! What a camera says to a network and hears from it: the control service `[control]`, an update server `[hawkbit]`,
//! an MQTT broker `[output.mqtt]`, and a web server `[output.webhook]`. Which settings can be.

use std::net::SocketAddr;

use serde::Deserialize;

use super::Problem;
use super::check::path_problem;

/// Where the control service listens, unless a config says otherwise: every address, port 8443.
pub const CONTROL_LISTEN: &str = "0.0.0.0:8443";
/// Where a device's certificates are, unless a config says otherwise.
pub const TLS_FOLDER: &str = "/etc/tadpole/tls";

/// The control service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Address and port to listen on.
    #[serde(default = "listen")]
    pub listen: String,
    /// Folder with `device.crt`, `device.key` and `clients.crt`, PEM: what the device proves itself with, and the
    /// authority whose clients it lets in.
    #[serde(default = "tls")]
    pub tls: String,
}

/// A hawkBit server that models are pulled from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hawkbit {
    /// Its address, `https://host:port`.
    pub server: String,
    /// The tenant.
    #[serde(default = "tenant")]
    pub tenant: String,
    /// The name by which the server knows this device, its controller id.
    pub device: String,
    /// Path of a file with the device's security token.
    pub token_file: String,
    /// Path of a file with the authority that signed the server's certificate, PEM; the web's own when absent.
    pub ca: Option<String>,
}

/// A broker that is told of presence, and rings when something new waits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Its address, `mqtt://host:1883` or, encrypted, `mqtts://host:8883`.
    pub broker: String,
    /// What every topic of this device begins with, such as `tadpole/pole-12`.
    pub topic: String,
    /// The name to log in with.
    pub user: Option<String>,
    /// Path of a file with the password.
    pub password_file: Option<String>,
    /// Path of a file with the authority that signed the broker's certificate, PEM; the web's own when absent.
    pub ca: Option<String>,
    /// What every topic of Home Assistant's discovery begins with, `homeassistant` by its own default; nothing is announced
    /// when absent.
    pub discovery: Option<String>,
}

/// A web server that is told of events, in signed JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is posted to.
    pub url: String,
    /// Path of a file with the secret that signs it.
    pub secret_file: String,
    /// Path of a file with the authority that signed the server's certificate, PEM; the web's own when absent.
    pub ca: Option<String>,
}

impl Control {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        match self.listen.parse::<SocketAddr>() {
            Ok(address) if address.port() == u16::MAX => {
                let problem = "is port 65535, and the health probe listens one port higher";
                problems.push(Problem::new("control.listen", problem, "write a lower port"));
            }
            Ok(_) => {}
            Err(_) => {
                let remedy = format!("write `{CONTROL_LISTEN}`, or the address of one network card");
                problems.push(Problem::new("control.listen", "is no address with a port", remedy));
            }
        }
        problems.extend(path_problem("control.tls", &self.tls));
    }
}

impl Hawkbit {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        let host = self.server.strip_prefix("https://").or_else(|| self.server.strip_prefix("http://"));
        if host.is_none_or(|host| !is_host(host.trim_end_matches('/'))) {
            let remedy = "write `https://hawkbit.example.org:8443`, without a path";
            problems.push(Problem::new("hawkbit.server", "is no server's address", remedy));
        }
        for (key, name) in [("hawkbit.tenant", &self.tenant), ("hawkbit.device", &self.device)] {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
                let remedy = "use 1 to 64 letters, digits, `-`, `_` or `.`";
                problems.push(Problem::new(key, "is not a plain name", remedy));
            }
        }
        problems.extend(path_problem("hawkbit.token_file", &self.token_file));
        problems.extend(self.ca.as_ref().and_then(|ca| path_problem("hawkbit.ca", ca)));
    }
}

impl Mqtt {
    /// Whether the connection is encrypted, and the broker's `host:port`; nothing when that cannot be.
    pub fn address(&self) -> Option<(bool, &str)> {
        let plain = self.broker.strip_prefix("mqtt://").map(|host| (false, host));
        let (encrypted, host) = plain.or_else(|| self.broker.strip_prefix("mqtts://").map(|host| (true, host)))?;
        (is_host(host) && host.rsplit_once(':').is_some()).then_some((encrypted, host))
    }

    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        if self.address().is_none() {
            let remedy = "write `mqtts://broker.example.org:8883`, or `mqtt://host:1883` without encryption";
            problems.push(Problem::new("output.mqtt.broker", "is no broker's address", remedy));
        }
        let whole = |level: &str| !level.is_empty() && !level.contains(['+', '#', '\0']);
        if self.topic.len() > 128 || !self.topic.split('/').all(whole) {
            let remedy = "write 1 to 128 bytes such as `tadpole/pole-12`, without `+`, `#` or empty levels";
            problems.push(Problem::new("output.mqtt.topic", "cannot begin a topic", remedy));
        }
        if self.discovery.as_ref().is_some_and(|prefix| prefix.len() > 128 || !prefix.split('/').all(whole)) {
            let remedy = "write `homeassistant`, or what Home Assistant is set to";
            problems.push(Problem::new("output.mqtt.discovery", "cannot begin a topic", remedy));
        }
        if self.password_file.is_some() && self.user.is_none() {
            problems.push(Problem::new("output.mqtt.user", "is missing beside a password", "say who logs in"));
        }
        for (key, path) in [("output.mqtt.password_file", &self.password_file), ("output.mqtt.ca", &self.ca)] {
            problems.extend(path.as_ref().and_then(|path| path_problem(key, path)));
        }
    }
}

impl Webhook {
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let plain = |b: u8| b.is_ascii_graphic() && b != b'#';
        let good = rest.is_some_and(|rest| {
            is_host(rest.split(['/', '?']).next().unwrap_or_default()) && rest.len() <= 1024 && rest.bytes().all(plain)
        });
        if !good {
            let remedy = "write `https://alarms.example.org/tadpole`, without name and password";
            problems.push(Problem::new("output.webhook.url", "is no web address", remedy));
        }
        problems.extend(path_problem("output.webhook.secret_file", &self.secret_file));
        problems.extend(self.ca.as_ref().and_then(|ca| path_problem("output.webhook.ca", ca)));
    }
}

/// A host name or address, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'[' | b']' | b':');
    !host.is_empty()
        && host.bytes().all(plain)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn listen() -> String {
    CONTROL_LISTEN.into()
}

fn tls() -> String {
    TLS_FOLDER.into()
}

fn tenant() -> String {
    "DEFAULT".into()
}
