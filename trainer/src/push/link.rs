//! A camera's control service as a [`Link`].

use std::path::Path;

use runtime::{Error, Result};

use super::camera::{Link, Standing};
use super::targets::Target;
use crate::site::client::{Arrived, Client, Credentials, Failure, Package, Running, StoreStatus};

/// Who asks: a client of the site, the only one when it is not named.
///
/// # Errors
/// Of kind `InvalidInput` when there is none of that name, or not exactly one.
pub fn credentials(site: &Path, client: Option<&str>) -> Result<Credentials> {
    if let Some(client) = client {
        return Credentials::read(site, client);
    }
    let folder = site.join("clients");
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut names: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|ending| ending == "crt"))
        .filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    match names.as_slice() {
        [only] => Credentials::read(site, only),
        [] => Err(Error::invalid(
            folder.display().to_string(),
            "holds no client's certificate",
            "make one: `tadpole-trainer site client SITE YOU --role push`",
        )),
        several => Err(Error::invalid(
            folder.display().to_string(),
            format!("holds several clients: {}", several.join(", ")),
            "say who is asking: `--client NAME`",
        )),
    }
}

/// A way to one camera.
pub struct Dialled(Client);

impl Dialled {
    /// To `target`; nothing is sent yet.
    ///
    /// # Errors
    /// Of kind `InvalidInput` when its name is none.
    pub fn new(credentials: &Credentials, target: &Target) -> Result<Self> {
        Client::new(credentials, &target.name, &target.address).map(Self)
    }

    /// What people said of its alarms, from byte `from` on; see [`Client::marks`].
    ///
    /// # Errors
    /// Of kind `Unavailable` for what may pass.
    pub fn marks(&self, from: u64) -> Result<Vec<u8>> {
        self.0.marks(from).map_err(|failure| self.error(failure))
    }

    /// What may pass is `Unavailable`, whatever else it is.
    fn error(&self, failure: Failure) -> Error {
        let passes = failure.may_pass() || matches!(&failure, Failure::Refused(refusal) if refusal.kind == "offset");
        let error = failure.of(self.0.device());
        if passes { Error::unavailable(error.subject, error.problem, error.remedy) } else { error }
    }
}

impl Link for Dialled {
    fn standing(&self) -> Result<Standing> {
        let status = self.0.status().map_err(|failure| self.error(failure))?;
        let Some(store) = status.store else {
            return Err(Error::invalid(
                self.0.device(),
                "has no store of models, or cannot read it",
                "name a folder as `[model] bundle` in its config",
            ));
        };
        // Confirmed is a model that runs; what is only written down as current waits for a start.
        Ok(Standing { current: Some(status.model.id), trial: on_trial(&store), past: past(store) })
    }

    fn arrived(&self, bundle: &Package) -> Result<Option<u64>> {
        self.0.arrived(bundle).map(missing).map_err(|failure| self.error(failure))
    }

    fn send(&self, bundle: &Package, at: u64, piece: &[u8]) -> Result<Option<u64>> {
        self.0.put(bundle, at, piece).map(missing).map_err(|failure| self.error(failure))
    }

    fn activate(&self, id: &str) -> Result<()> {
        self.0.activate(id).map(|_| ()).map_err(|failure| self.error(failure))
    }
}

fn missing(arrived: Arrived) -> Option<u64> {
    (!arrived.whole).then_some(arrived.bytes)
}

fn on_trial(store: &StoreStatus) -> Option<(String, String)> {
    let trial = store.trial.as_ref()?;
    let model = if trial.stage == "unconfirmed" { &store.current } else { &store.candidate };
    model.as_ref().map(|Running { id, .. }| (id.clone(), trial.stage.clone()))
}

fn past(store: StoreStatus) -> Vec<(String, String, String)> {
    store.past.into_iter().map(|end| (end.model.id, end.end, end.reason)).collect()
}
