//! | file | what |
//! |---|---|
//! | here | a device, a hawkBit server, and a relay between them that can be cut |
//! | `deployments` | what becomes of deployments |
//! | `network` | the server is away, downloads are cut, the thread and its doorbell |

mod deployments;
mod network;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hawkbit_mock::ddi::{ChunkProtocol, Deployment, DeploymentBuilder, Server, ServerBuilder, Target};

use super::*;
use crate::store::tests::{adopt, packed, release, sha256, trust};
use firmware_config::config::Hawkbit;

/// The device's name at the server.
const POLE: &str = "pole-1";
/// The server's id of the action.
const ACTION: &str = "10";

/// A server, and a device whose store runs release 1.
struct Site {
    folder: tempfile::TempDir,
    server: Server,
    target: Target,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = ServerBuilder::default().build();
        let target = server.add_target(POLE);
        let site = Self { folder, server, target };
        adopt(&site.store(), 1);
        site
    }

    fn store(&self) -> Store {
        Store::new(self.folder.path().join("store"))
    }

    /// A device that starts now, and asks the server at `url`.
    fn device_at(&self, url: &str) -> Pull {
        let config = Hawkbit {
            server: url.into(),
            tenant: "DEFAULT".into(),
            device: POLE.into(),
            token_file: "unused".into(),
            ca: None,
        };
        let calendar = Arc::new(Calendar::open(&self.folder.path().join("date")));
        let client = Client::new(&config, &format!("Key{POLE}"), &tls::client(None, &calendar).unwrap());
        let model = Running { id: "-".into(), name: "-".into(), release: 0 };
        let device = Device { engine: "tract".into(), cameras: vec!["north".into(), "south".into()], model };
        Pull::new(client, self.store(), trust(), device, Bell::default())
    }

    fn device(&self) -> Pull {
        self.device_at(&self.server.base_url())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A release of the model, signed with key `by`, as a file; and its SHA-256.
    fn bundle(&self, number: u64, by: u8) -> (PathBuf, String) {
        let bytes = packed(&release(number), by);
        (self.file(&format!("release-{number}.tadpole"), &bytes), sha256(&bytes))
    }
}

/// A deployment of one file that is to be this SHA-256.
fn deployment(id: &str, update: hawkbit::ddi::Type, file: PathBuf, sha256: &str) -> Deployment {
    DeploymentBuilder::new(id, hawkbit::ddi::Type::Forced, update)
        .chunk(ChunkProtocol::BOTH, "bApp", "1", "model", vec![(file, "-", "-", sha256)])
        .build()
}

/// A proxy between a device and its server, in whose answers the server goes by the proxy's address: lets so many bytes of them
/// through and then cuts every connection.
struct Relay {
    url: String,
    left: Arc<AtomicI64>,
}

impl Relay {
    fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let url = format!("http://{here}");
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let (there, budget) = (server.base_url().trim_start_matches("http://").to_owned(), Arc::clone(&left));
        std::thread::spawn(move || {
            for device in listener.incoming() {
                let device = device.unwrap();
                if budget.load(Ordering::SeqCst) > 0 {
                    let names = (there.clone(), here.clone());
                    carry(device, TcpStream::connect(&there).unwrap(), names, Arc::clone(&budget));
                }
            }
        });
        Self { url, left }
    }

    /// Let so many bytes through from now on.
    fn allow(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

fn carry(device: TcpStream, server: TcpStream, (there, here): (String, String), left: Arc<AtomicI64>) {
    assert_eq!(there.len(), here.len(), "ports of one length, so that no length in an answer changes");
    let (mut asks, mut hears) = (device.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || _ = std::io::copy(&mut asks, &mut hears));
    let (mut from, mut to) = (server, device);
    std::thread::spawn(move || {
        let mut piece = [0; 16 << 10];
        while let Ok(got) = from.read(&mut piece) {
            while let Some(at) = piece.windows(there.len()).position(|window| window == there.as_bytes()) {
                piece[at..at + here.len()].copy_from_slice(here.as_bytes());
            }
            let may = left.fetch_sub(got as i64, Ordering::SeqCst).clamp(0, got as i64);
            if got == 0 || to.write_all(&piece[..may as usize]).is_err() || may < got as i64 {
                break;
            }
        }
        // The other half is reading from it.
        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
    });
}
