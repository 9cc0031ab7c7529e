//! HTTPS for requests of ours: an agent's settings and TLS of [`tls::client`](super::tls::client) come in, an agent goes out that speaks
//! TLS by these and no others. ureq's own connector makes its TLS itself, and that asks the machine's clock what day it is.
//!
//! A proxy of the environment is gone through as ureq does it. Refused: a host that can have no certificate.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, TcpConnector,
    Transport, TransportAdapter,
};
use ureq::{Agent, Error};

/// An agent that speaks TLS by `tls`.
pub fn agent(config: Config, tls: &Arc<ClientConfig>) -> Agent {
    let connector =
        ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(Tls(Arc::clone(tls)));
    Agent::with_parts(config, connector, DefaultResolver::default())
}

/// Wraps a connection in TLS where its address asks for that.
#[derive(Debug)]
struct Tls(Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(plain) = chained else { return Ok(None) };
        if !details.needs_tls() || plain.is_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| Error::Tls("no certificate can name such a host"))?;
        let mut conn = ClientConnection::new(Arc::clone(&self.0), name)?;
        let plain: Box<dyn Transport> = Box::new(plain);
        let mut sock = TransportAdapter::new(plain, Arc::clone(&details.current_time));
        sock.set_timeout(details.timeout);
        conn.complete_io(&mut sock)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Encrypted { buffers, stream: StreamOwned { conn, sock } })))
    }
}

/// A connection in TLS, and what is on its way to and from it.
struct Encrypted {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection};

    use super::super::tls;
    use super::*;
    use crate::health::calendar::Calendar;
    use crate::health::date::Seconds;

    /// 1 January of 2026, when the firmware was built, and of years after it.
    const Y2026: Seconds = 1_767_225_600;
    const Y2027: Seconds = 1_798_761_600;
    const Y2028: Seconds = 1_830_297_600;
    const Y2029: Seconds = 1_861_920_000;

    /// A server on loopback, whose certificate is good from 1 January of a year until that of another; where it is, and the authority
    /// that vouches for it.
    fn server(years: (i32, i32)) -> (String, CertificateDer<'static>) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                // Whoever does not like the certificate hangs up.
                if stream.read(&mut [0; 4096]).is_ok_and(|heard| heard > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
                    let _ = stream.write_all(answer).and_then(|()| stream.flush());
                }
            }
        });
        (url, authority)
    }

    /// What a device hears that was built in 2026, from a server whose certificate is good in these years.
    fn ask(clock: fn() -> Seconds, kept: &Path, years: (i32, i32)) -> Result<String, Error> {
        let (url, authority) = server(years);
        let calendar = Arc::new(Calendar::by(clock, Y2026, kept));
        let tls = tls::client(Some(vec![authority]), &calendar).unwrap();
        let agent = agent(Agent::config_builder().proxy(None).build(), &tls);
        agent.get(&url).call()?.body_mut().read_to_string()
    }

    #[test]
    fn servers_are_judged_by_the_latest_date_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("date");
        let good = |clock: fn() -> Seconds, years: (i32, i32)| match ask(clock, &kept, years) {
            Ok(body) => body == "hi",
            Err(error) => {
                assert!(error.to_string().contains("certificate"), "{error}");
                false
            }
        };
        assert!(good(|| Y2027, (2026, 2028)));
        assert!(!good(|| Y2029, (2026, 2028)), "ended");
        assert!(!good(|| Y2027, (2028, 2030)), "not begun");
        // The clock was never set.
        assert!(good(|| 12, (2025, 2027)), "good when the firmware was built");
        assert!(good(|| 12, (2027, 2028)), "begun since then, as far as anybody can tell");
        assert!(!good(|| 12, (2020, 2025)), "it had ended when the firmware was built");
        // What was kept says that it is later.
        (0..30).for_each(|_| Calendar::by(|| Y2028, Y2026, &kept).keep());
        assert!(!good(|| 12, (2025, 2027)), "it had ended at the date that was kept");
        assert!(good(|| 12, (2025, 2029)));
    }

    #[test]
    fn an_authority_that_is_not_believed_and_another_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let calendar = Arc::new(Calendar::by(|| Y2027, Y2026, &folder.path().join("date")));
        let ((url, authority), (_, other)) = (server((2026, 2028)), server((2026, 2028)));
        let ask = |authority, url: &str| {
            let tls = tls::client(Some(vec![authority]), &calendar).unwrap();
            let config = Agent::config_builder().proxy(None).build();
            agent(config, &tls).get(url).call().map(|answer| answer.status().as_u16()).map_err(|e| e.to_string())
        };
        assert_eq!(ask(authority.clone(), &url), Ok(200));
        assert!(ask(other, &url).unwrap_err().contains("certificate"));
        let localhost = url.replace("127.0.0.1", "localhost");
        assert!(ask(authority, &localhost).unwrap_err().contains("certificate"));
    }
}
