//! hawkBit's Direct Device Integration API, as far as a device needs it: what the server says and is told, as types. [`client`] carries
//! them. The API: <https://eclipse.dev/hawkbit/rest-api/ddi-api-guide/>.
//!
//! Unknown fields are passed over: servers grow. What is missing, or is no plain id, is an error.

pub mod client;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The ending of a bundle's file.
const ENDING: &str = ".tadpole";

/// The answer to a poll: what the server wants of the device.
#[derive(Clone, Debug, Deserialize)]
pub struct Poll {
    config: PollConfig,
    /// What waits.
    #[serde(rename = "_links", default)]
    pub links: Links,
}

#[derive(Clone, Debug, Deserialize)]
struct PollConfig {
    polling: Polling,
}

#[derive(Clone, Debug, Deserialize)]
struct Polling {
    sleep: String,
}

/// What waits for the device, each where it is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// A deployment.
    pub deployment_base: Option<Link>,
    /// A deployment is to be given up.
    pub cancel_action: Option<Link>,
    /// The device's attributes.
    pub config_data: Option<Link>,
}

/// Where something is.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// Its URL.
    pub href: String,
}

/// A deployment that is under way.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// The action's id.
    pub id: String,
    deployment: Plan,
}

#[derive(Clone, Debug, Deserialize)]
struct Plan {
    download: Handling,
    update: Handling,
    #[serde(default)]
    chunks: Vec<Chunk>,
}

/// What the server lets the device do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Handling {
    /// Nothing, until a maintenance window opens.
    Skip,
    /// When it suits the device.
    Attempt,
    /// At once.
    Forced,
}

#[derive(Clone, Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    artifacts: Vec<Artifact>,
}

/// A file of a deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct Artifact {
    filename: String,
    hashes: Hashes,
    /// Its length in bytes.
    pub size: u64,
    #[serde(rename = "_links")]
    links: Downloads,
}

#[derive(Clone, Debug, Deserialize)]
struct Hashes {
    sha256: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Downloads {
    download: Option<Link>,
    download_http: Option<Link>,
}

/// A deployment is to be given up.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancel {
    /// The id of this wish.
    pub id: String,
    cancel_action: Stop,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stop {
    stop_id: String,
}

/// What a server is told of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// How far it is.
    pub execution: Execution,
    /// How it ended, if it has.
    pub finished: Finished,
    /// In words.
    pub detail: String,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Execution {
    /// It is over.
    Closed,
    /// The bundle is fetched.
    Download,
    /// It goes on.
    Proceeding,
    /// A wish to give it up is not granted.
    Rejected,
    /// It waits for its time.
    Scheduled,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finished {
    /// It has not.
    None,
    /// As it should.
    Success,
    /// Not as it should.
    Failure,
}

impl Poll {
    /// When the server wants to be asked again; nothing when it says what is no time.
    pub fn sleep(&self) -> Option<Duration> {
        let parts: Vec<u64> =
            self.config.polling.sleep.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let [hours, minutes, seconds] = parts[..] else { return None };
        (hours < 1000 && minutes < 60 && seconds < 60)
            .then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
    }
}

impl Deployment {
    /// Whether the bundle may be fetched now.
    pub fn may_download(&self) -> bool {
        self.deployment.download != Handling::Skip
    }

    /// Whether the bundle may be activated now.
    pub fn may_update(&self) -> bool {
        self.deployment.update != Handling::Skip
    }

    /// Its bundle: the one file whose name ends in `.tadpole`; others are none of the firmware's.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there is none, or more than one.
    pub fn bundle(&self) -> Result<&Artifact> {
        let files = self.deployment.chunks.iter().flat_map(|chunk| &chunk.artifacts);
        let bundles: Vec<_> = files.filter(|file| file.filename.ends_with(ENDING)).collect();
        let &[bundle] = &bundles[..] else {
            let problem = format!("holds {} files whose names end in `{ENDING}`", bundles.len());
            return Err(Error::invalid("deployment", problem, "let the distribution set hold one bundle"));
        };
        Ok(bundle)
    }
}

impl Artifact {
    /// Its SHA-256, hexadecimal in small letters.
    pub fn sha256(&self) -> String {
        self.hashes.sha256.to_ascii_lowercase()
    }

    /// Where it is fetched.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the server does not say.
    pub fn url(&self) -> Result<&str> {
        let link = self.links.download.as_ref().or(self.links.download_http.as_ref());
        link.map(|link| link.href.as_str()).ok_or_else(|| {
            Error::invalid(&self.filename, "has no download link", "look at the server's artifact settings")
        })
    }
}

impl Cancel {
    /// The id of the action that is to be given up.
    pub fn action(&self) -> &str {
        &self.cancel_action.stop_id
    }
}

/// An id that can stand in a URL and in a file.
///
/// # Errors
/// Of kind `Corrupt` when it is something else.
pub(super) fn plain_id(id: &str) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(Error::corrupt("hawkbit", "the server's answer holds an id that is none", "look at what answers there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(sleep: &str) -> Poll {
        serde_json::from_value(serde_json::json!({"config": {"polling": {"sleep": sleep}}})).unwrap()
    }

    fn deployment(files: &[&str]) -> Deployment {
        let artifact = |name: &&str| {
            serde_json::json!({"filename": name, "size": 7, "hashes": {"sha256": "AB", "md5": "", "sha1": ""},
                "_links": {"download-http": {"href": "http://there/file"}, "md5sum-http": {"href": "-"}}})
        };
        let artifacts: Vec<_> = files.iter().map(artifact).collect();
        let plan = serde_json::json!({"download": "forced", "update": "skip", "maintenanceWindow": "unavailable",
            "chunks": [{"part": "os", "name": "n", "version": "1"}, {"part": "bApp", "artifacts": artifacts}]});
        serde_json::from_value(serde_json::json!({"id": "8", "deployment": plan, "actionHistory": {}})).unwrap()
    }

    #[test]
    fn times_are_hours_minutes_and_seconds() {
        assert_eq!(poll("00:05:30").sleep(), Some(Duration::from_secs(330)));
        for wrong in ["", "5", "00:61:00", "-1:00:00", "00:00:00:00", "99999999999999999:00:00"] {
            assert_eq!(poll(wrong).sleep(), None, "{wrong}");
        }
    }

    #[test]
    fn a_deployment_holds_one_bundle_among_whatever_else() {
        let one = deployment(&["notes.txt", "road.tadpole"]);
        assert!(one.may_download() && !one.may_update());
        let bundle = one.bundle().unwrap();
        assert_eq!((bundle.sha256().as_str(), bundle.url().unwrap()), ("ab", "http://there/file"));
        for wrong in [&[][..], &["notes.txt"], &["a.tadpole", "b.tadpole"]] {
            assert!(deployment(wrong).bundle().unwrap_err().to_string().contains("files whose names end"), "{wrong:?}");
        }
    }

    #[test]
    fn an_id_stays_where_it_is_put() {
        assert_eq!(plain_id("42").unwrap(), "42");
        for wrong in ["", "../7", "7?x", "ä", &"7".repeat(65)] {
            assert!(plain_id(wrong).is_err(), "{wrong}");
        }
    }
}
