//! Makes certificates: names come in, PEM files go out, the private halves readable by their owner alone. See [`super`] for where they lie.
//!
//! Refused: overwriting, a folder that is no site, names that a certificate or a network cannot carry.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use runtime::{Error, Result};
use time::{Duration, OffsetDateTime};

use super::Role;
use crate::provision::check_name;

/// How long a client is let in, unless somebody says otherwise.
pub const CLIENT_DAYS: u32 = 397;
/// How long a device is believed: nobody climbs the pole to renew it.
const DEVICE_DAYS: u32 = 25 * 365;
/// How long the authority is.
const AUTHORITY_DAYS: u32 = 30 * 365;
/// Clocks may differ by this much.
const EARLIER: Duration = Duration::DAY;

/// The authority's certificate.
pub const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
/// A device's certificate, its key, and whose clients it lets in.
pub const DEVICE_FILES: [&str; 3] = ["device.crt", "device.key", "clients.crt"];

/// Whoever signs for a site.
pub struct Authority {
    site: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Make a site.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there is one already, `Failed` when it cannot be written.
    pub fn create(site: &Path) -> Result<Self> {
        folder(site)?;
        let mut params = params("Tadpole site", None, AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|error| cannot(site, &error))?;
        let certificate = params.self_signed(&key).map_err(|error| cannot(site, &error))?.pem();
        write(&site.join(AUTHORITY_KEY), &key.serialize_pem(), 0o600)?;
        write(&site.join(AUTHORITY), &certificate, 0o644)?;
        Self::open(site)
    }

    /// The authority of a site.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when the folder is no site.
    pub fn open(site: &Path) -> Result<Self> {
        let (certificate, key) = (read(&site.join(AUTHORITY))?, read(&site.join(AUTHORITY_KEY))?);
        let damaged = |error: rcgen::Error| {
            Error::corrupt(site.display().to_string(), format!("is no whole site: {error}"), "take it from a backup")
        };
        let key = KeyPair::from_pem(&key).map_err(damaged)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(damaged)?;
        Ok(Self { site: site.into(), certificate, issuer })
    }

    /// Make a client's certificate; where it lies, beside its key.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there is one of that name, or the name will not do.
    pub fn client(&self, name: &str, role: Role, days: u32) -> Result<PathBuf> {
        check_name(name)?;
        let mut params = params(name, Some(role.unit()), days);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let clients = self.site.join("clients");
        folder(&clients)?;
        self.sign(&params, &clients.join(format!("{name}.crt")), &clients.join(format!("{name}.key")))
    }

    /// Make a device's folder.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when there is one of that name, or the name will not do.
    pub fn device(&self, name: &str, addresses: &[IpAddr]) -> Result<PathBuf> {
        check_name(name)?;
        let mut params = params(name, None, DEVICE_DAYS);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let dns = name.try_into().map_err(|error| cannot(&self.site, &error))?;
        params.subject_alt_names =
            [SanType::DnsName(dns)].into_iter().chain(addresses.iter().map(|ip| SanType::IpAddress(*ip))).collect();
        let device = self.device_folder(name);
        folder(&self.site.join("devices"))?;
        folder(&device)?;
        let [certificate, key, clients] = DEVICE_FILES.map(|file| device.join(file));
        self.sign(&params, &certificate, &key)?;
        write(&clients, &self.certificate, 0o644)?;
        Ok(device)
    }

    /// Where a device's files are, if they were made.
    pub fn device_folder(&self, name: &str) -> PathBuf {
        self.site.join("devices").join(name)
    }

    fn sign(&self, params: &CertificateParams, certificate: &Path, key_file: &Path) -> Result<PathBuf> {
        let key = KeyPair::generate().map_err(|error| cannot(certificate, &error))?;
        let signed = params.signed_by(&key, &self.issuer).map_err(|error| cannot(certificate, &error))?;
        write(key_file, &key.serialize_pem(), 0o600)?;
        write(certificate, &signed.pem(), 0o644)?;
        Ok(certificate.into())
    }
}

fn params(name: &str, unit: Option<&str>, days: u32) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (now - EARLIER, now + Duration::days(days.into()));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(unit) = unit {
        params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

/// A folder for its owner alone; one that is there will do.
fn folder(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if !path.is_dir() => Err(Error::invalid(
            path.display().to_string(),
            format!("cannot be made: {error}"),
            "check the name and the rights of the folder that it is in",
        )),
        _ => Ok(()),
    }
}

/// A new file, whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let put = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.inspect_err(|_| _ = fs::remove_file(path))
    };
    put().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::invalid(
            path.display().to_string(),
            "is there already, and certificates and keys are never overwritten",
            "take another name, or move it away",
        ),
        _ => Error::failed(path.display().to_string(), format!("cannot be written: {error}"), "check folder and space"),
    })
}

pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| {
        let remedy = "name the folder that `tadpole-trainer site new` made, and who `site client` made";
        Error::unreadable(path.display().to_string(), &error, remedy)
    })
}

fn cannot(path: &Path, error: &rcgen::Error) -> Error {
    Error::failed(path.display().to_string(), format!("cannot be made: {error}"), "try again; else report this")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_site_signs_for_clients_and_devices_and_keys_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        Authority::create(&site).unwrap();
        let authority = Authority::open(&site).unwrap();
        let client = authority.client("anna", Role::Push, 30).unwrap();
        let device = authority.device("pole-12", &["192.0.2.7".parse().unwrap()]).unwrap();
        assert_eq!(fs::read(device.join("clients.crt")).unwrap(), fs::read(site.join(AUTHORITY)).unwrap());
        for key in [site.join(AUTHORITY_KEY), client.with_extension("key"), device.join("device.key")] {
            assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "{}", key.display());
        }
        assert_eq!(fs::metadata(&site).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn nothing_is_overwritten_and_names_must_do() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        let authority = Authority::create(&site).unwrap();
        let key = fs::read(site.join(AUTHORITY_KEY)).unwrap();
        authority.client("anna", Role::View, 1).unwrap();
        authority.device("pole-12", &[]).unwrap();
        let again = [
            Authority::create(&site).map(|_| ()),
            authority.client("anna", Role::Push, 1).map(|_| ()),
            authority.device("pole-12", &[]).map(|_| ()),
        ];
        for refused in again {
            assert!(refused.unwrap_err().problem.contains("never overwritten"));
        }
        assert_eq!(fs::read(site.join(AUTHORITY_KEY)).unwrap(), key);
        for name in ["", "../x", "Anna", "a b"] {
            assert!(authority.client(name, Role::Push, 1).is_err() && authority.device(name, &[]).is_err(), "{name}");
        }
        assert!(Authority::open(folder.path()).is_err());
    }
}
