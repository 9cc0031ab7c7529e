//! Who is who: what the device proves itself with, whose clients it lets in, and as what. A folder of PEM files comes in; TLS 1.3
//! settings go out, and of a client's certificate its name and role.
//!
//! The role is the organisational unit of the certificate's subject. Refused: certificates of another authority, made for servers,
//! expired by the [`Calendar`]; one without a role is a guest whose every request is refused.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::certificates::Dated;
use crate::health::calendar::Calendar;
use crate::{Error, Result};

/// The device's certificate, its own first.
const DEVICE: &str = "device.crt";
/// The device's private key.
const KEY: &str = "device.key";
/// The authority that vouches for clients.
const CLIENTS: &str = "clients.crt";
/// What is said when one of them is not as it should be.
const MAKE: &str = "make them with `tadpole-trainer site device` and copy them there, for the service to read";

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look: `OU=tadpole-view`.
    View,
    /// Bring and choose models too: `OU=tadpole-push`.
    Push,
}

/// Who sends requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The common name of its certificate, for logs and rates.
    pub name: String,
    /// What it may do; nothing at all when absent.
    pub role: Option<Role>,
}

impl Client {
    /// Who shows this certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return Self { name: "?".into(), role: None };
        };
        let subject = certificate.subject();
        let name = subject.iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or("?");
        let role = |unit: &str| match unit {
            "tadpole-view" => Some(Role::View),
            "tadpole-push" => Some(Role::Push),
            _ => None,
        };
        let units = subject.iter_organizational_unit().filter_map(|unit| unit.as_str().ok());
        Self { name: name.chars().filter(|c| !c.is_control()).take(64).collect(), role: units.filter_map(role).max() }
    }
}

/// TLS for the service: 1.3, clients with a certificate, and no session that would outlive one.
///
/// # Errors
/// Of kind `InvalidInput` when a file is missing or no such thing, or key and certificate do not belong together.
pub fn server_config(folder: &Path, calendar: &Arc<Calendar>) -> Result<ServerConfig> {
    let chain = certificates(&folder.join(DEVICE))?;
    let key_file = folder.join(KEY);
    let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|error| refused(&key_file, &error))?;
    let clients_file = folder.join(CLIENTS);
    let mut roots = RootCertStore::empty();
    for authority in certificates(&clients_file)? {
        roots.add(authority).map_err(|error| refused(&clients_file, &error))?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| refused(&clients_file, &error))?;
    let verifier = Arc::new(Dated::new(verifier, calendar));
    let mut config = ServerConfig::builder_with_details(provider, Arc::clone(calendar) as _)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| refused(folder, &error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| refused(&folder.join(DEVICE), &error))?;
    // A session that is taken up again is not judged again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether a folder's files will do, on any day.
///
/// # Errors
/// As [`server_config`].
pub fn check(folder: &Path) -> Result<()> {
    server_config(folder, &Arc::new(Calendar::open(&folder.join("no date is kept here")))).map(|_| ())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| refused(file, &error))?;
    if certificates.is_empty() { Err(refused(file, &"it holds no certificate")) } else { Ok(certificates) }
}

fn refused(file: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::invalid(file.display().to_string(), format!("will not do for TLS: {why}"), MAKE)
}
