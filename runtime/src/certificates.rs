//! Certificates, judged by the date that this device knows: rustls' own verifiers come in, with a [`Calendar`], and go out such that the
//! machine's clock alone decides nothing. For clients of the control service, and for the servers that a fleet's device talks to.
//!
//! Whatever rustls refuses is refused, but a certificate that has not begun yet while the clock was never set.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::health::calendar::Calendar;

/// A verifier that goes by the calendar.
#[derive(Debug)]
pub struct Dated<V: ?Sized> {
    verifier: Arc<V>,
    calendar: Arc<Calendar>,
}

impl<V: ?Sized> Dated<V> {
    /// Let `verifier` go by `calendar`.
    pub fn new(verifier: Arc<V>, calendar: &Arc<Calendar>) -> Self {
        Self { verifier, calendar: Arc::clone(calendar) }
    }

    /// The date to judge this chain by.
    fn date(&self, end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> UnixTime {
        let begins = |certificate: &CertificateDer<'_>| {
            let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
            u64::try_from(certificate.validity().not_before.timestamp()).ok()
        };
        let newest = intermediates.iter().chain([end_entity]).filter_map(begins).max().unwrap_or(0);
        unix(self.calendar.today().for_one_that_begins(newest))
    }
}

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.today().at))
    }
}

fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// What is no matter of dates: as the verifier within has it.
macro_rules! the_rest_as_within {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            self.verifier.verify_tls12_signature(message, certificate, signed)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            self.verifier.verify_tls13_signature(message, certificate, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.verifier.supported_verify_schemes()
        }
    };
}

#[cfg(feature = "control")]
mod clients {
    use rustls::DistinguishedName;
    use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};

    use super::{CertificateDer, Dated, DigitallySignedStruct, HandshakeSignatureValid, SignatureScheme, UnixTime};

    impl ClientCertVerifier for Dated<dyn ClientCertVerifier> {
        fn verify_client_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            intermediates: &[CertificateDer<'_>],
            _now: UnixTime,
        ) -> Result<ClientCertVerified, rustls::Error> {
            self.verifier.verify_client_cert(end_entity, intermediates, self.date(end_entity, intermediates))
        }

        fn root_hint_subjects(&self) -> &[DistinguishedName] {
            self.verifier.root_hint_subjects()
        }

        the_rest_as_within!();
    }
}

#[cfg(feature = "fleet")]
mod servers {
    use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::ServerName;

    use super::{CertificateDer, Dated, DigitallySignedStruct, HandshakeSignatureValid, SignatureScheme, UnixTime};

    impl ServerCertVerifier for Dated<dyn ServerCertVerifier> {
        fn verify_server_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            intermediates: &[CertificateDer<'_>],
            name: &ServerName<'_>,
            ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            let date = self.date(end_entity, intermediates);
            self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, date)
        }

        the_rest_as_within!();
    }
}
