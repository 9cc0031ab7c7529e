//! Whose certificates are believed, and by what date: those of an authority in a file, or of the web's own when a config names none, as long
//! as the [`Calendar`] says. The cryptography is ring's throughout.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::certificates::Dated;
use crate::health::calendar::Calendar;
use crate::{Error, Result};

/// The certificates of a PEM file.
///
/// # Errors
/// Of kind `InvalidInput` when it cannot be read or holds none.
pub fn authority(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let subject = file.display().to_string();
    let refused =
        |problem: String| Error::invalid(&subject, problem, "name a PEM file with the authority's certificate");
    let pem = std::fs::read(file).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| refused(format!("is no PEM: {error}")))?;
    if found.is_empty() { Err(refused("holds no certificate".into())) } else { Ok(found) }
}

/// What a client that believes `authority`, or the web's own, connects with; servers' certificates are judged by `calendar`.
///
/// # Errors
/// Of kind `InvalidInput` when a certificate is none.
pub fn client(authority: Option<Vec<CertificateDer<'static>>>, calendar: &Arc<Calendar>) -> Result<Arc<ClientConfig>> {
    let roots = Arc::new(roots(authority)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let bug = |error: &dyn std::fmt::Display| Error::failed("TLS", error.to_string(), "report this as a bug");
    let verifier: Arc<dyn ServerCertVerifier> =
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().map_err(|e| bug(&e))?;
    let builder = ClientConfig::builder_with_details(provider, Arc::clone(calendar) as _)
        .with_safe_default_protocol_versions()
        .map_err(|e| bug(&e))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Dated::new(verifier, calendar)));
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Who vouches for servers: `authority`, or the web's own.
///
/// # Errors
/// Of kind `InvalidInput` when a certificate is none.
pub fn roots(authority: Option<Vec<CertificateDer<'static>>>) -> Result<RootCertStore> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(certificates) = authority {
        roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| {
                Error::invalid("ca", format!("holds what is no authority: {error}"), "name the authority's PEM file")
            })?;
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_and_the_web_is_believed_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(authority(&file).unwrap_err().to_string().contains("cannot be read"));
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(authority(&file).unwrap_err().to_string().contains("holds no certificate"));
        client(None, &Arc::new(Calendar::open(&folder.path().join("date")))).unwrap();
        assert!(roots(Some(vec![CertificateDer::from(vec![1, 2, 3])])).is_err());
    }
}
