//! A site: the authority that its cameras and its people believe, and the certificates that it gives them. Names come in; a folder goes
//! out, which stays on the workstation, and the files that go onto each device.
//!
//! ```text
//! SITE/ca.crt, ca.key              the authority; whoever has ca.key is everybody
//! SITE/clients/NAME.crt, NAME.key  those who ask cameras and push models to them
//! SITE/devices/NAME/               device.crt, device.key, clients.crt: a device's [control] tls
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`authority`] | makes and signs |
//! | [`client`] | talks to a device's control service |
//!
//! Keys are ECDSA P-256, readable by their owner alone. Refused: overwriting anything.

pub mod authority;
pub mod client;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use runtime::Result;

use crate::progress::say;
use authority::{Authority, CLIENT_DAYS};

/// The certificates by which cameras and those who push models to them know each other.
#[derive(Subcommand, Debug)]
pub enum SiteCommand {
    /// Make a site: an authority that signs all its certificates.
    ///
    /// Keep the folder to yourself and off the cameras: whoever has its ca.key can make a certificate for anything.
    New(NewArgs),
    /// Make the certificate of somebody who asks cameras or pushes models to them.
    Client(ClientArgs),
    /// Make the certificate of a device, and the folder that becomes its `[control] tls`.
    ///
    /// `provision --site` does it by itself.
    Device(DeviceArgs),
}

/// Arguments of `site new`.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// The folder to make.
    site: PathBuf,
}

/// Arguments of `site client`.
#[derive(Args, Debug)]
pub struct ClientArgs {
    /// The site's folder.
    site: PathBuf,
    /// A name: 1 to 63 small letters, digits and `-`. Cameras log it.
    name: String,
    /// What the client may do.
    #[arg(long, value_enum)]
    role: Role,
    /// How long, in days. Nothing but its end takes a certificate back.
    #[arg(long, default_value_t = CLIENT_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Look.
    View,
    /// Look, and bring and choose models.
    Push,
}

impl Role {
    /// What stands for it in a certificate's subject, as the organisational unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::View => "tadpole-view",
            Self::Push => "tadpole-push",
        }
    }
}

/// Arguments of `site device`.
#[derive(Args, Debug)]
pub struct DeviceArgs {
    /// The site's folder.
    site: PathBuf,
    /// The device's name: 1 to 63 small letters, digits and `-`.
    name: String,
    /// An address at which others than `tadpole-trainer` know it, such as browsers; may be given several times.
    #[arg(long = "address", value_name = "IP")]
    addresses: Vec<IpAddr>,
}

/// Do what was asked.
///
/// # Errors
/// Of kind `InvalidInput` when something is there already or a name is none, `Failed` when it cannot be made.
pub fn run(command: &SiteCommand) -> Result<()> {
    match command {
        SiteCommand::New(NewArgs { site }) => {
            Authority::create(site)?;
            say(&format!(
                "{} is a site. Next: `tadpole-trainer site client {0} YOU --role push`, and for each camera \
                 `tadpole-trainer provision --site {0}` or `site device`",
                site.display()
            ))
        }
        SiteCommand::Client(ClientArgs { site, name, role, days }) => {
            let file = Authority::open(site)?.client(name, *role, *days)?;
            say(&format!("{}: {name} is in for {days} days as {}", file.display(), role.unit()))
        }
        SiteCommand::Device(DeviceArgs { site, name, addresses }) => {
            let folder = Authority::open(site)?.device(name, addresses)?;
            say(&format!("{}: copy its files to {name}, into the folder that `[control] tls` names", folder.display()))
        }
    }
}
