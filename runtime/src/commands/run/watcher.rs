//! Who looks after all cameras of a run: outputs, people and systemd are told when a camera's health changes, the heartbeat
//! is kept going, and the test button is looked at.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime::health::shedding::Shed;
use runtime::health::supervision::WAIT_MAX;
use runtime::health::systemd::Systemd;
use runtime::health::{Clock, Health};
use runtime::output::gpio::button::TestButton;
use runtime::output::{HealthState, Outputs};
use runtime::pipeline::watch::{Shared, lock};

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(250);

/// What it looks at, and who is told.
pub struct Watcher<'a> {
    healths: &'a [Shared<Health>],
    outputs: &'a Shared<Outputs>,
    shed: &'a Shared<Shed>,
    button: Option<TestButton>,
    systemd: Systemd,
}

impl<'a> Watcher<'a> {
    /// One that has told nothing yet.
    pub fn new(
        healths: &'a [Shared<Health>],
        outputs: &'a Shared<Outputs>,
        shed: &'a Shared<Shed>,
        button: Option<TestButton>,
    ) -> Self {
        Self { healths, outputs, shed, button, systemd: Systemd::from_env(WAIT_MAX) }
    }

    /// Look until it is `done`.
    pub fn watch(&mut self, clock: &dyn Clock, done: &AtomicBool) {
        while !done.load(Ordering::Relaxed) {
            self.look(clock.now());
            std::thread::sleep(PERIOD);
        }
    }

    fn look(&mut self, now: Duration) {
        let fault = lock(self.outputs).fault();
        let shed = lock(self.shed).clone();
        let mut well = true;
        for health in self.healths {
            well &= self.look_at(health, now, fault.clone(), &shed) != HealthState::Degraded;
        }
        lock(self.outputs).beat(well).iter().for_each(|error| log::error!("{error}"));
        match self.button.as_mut().map_or(Ok(None), |button| button.poll(now)) {
            Ok(None) => {}
            Ok(Some(event)) => {
                super::say(&event);
                lock(self.outputs).alarm(&event).iter().for_each(|error| log::error!("{}: {error}", event.camera));
            }
            Err(error) => log::error!("{error}"),
        }
        self.systemd.look(now, self.healths);
    }

    /// How one camera is; a change is told.
    fn look_at(&self, health: &Mutex<Health>, now: Duration, fault: Option<String>, shed: &Shed) -> HealthState {
        let mut health = lock(health);
        health.outputs(fault);
        if health.live() {
            health.load(shed.reason.as_deref());
        }
        let change = health.check(now);
        let state = health.state();
        drop(health);
        if let Some(event) = change {
            match event.state {
                HealthState::Ok => log::info!("{}: ok", event.camera),
                HealthState::Reduced => log::warn!("{}: reduced: {}", event.camera, event.reason),
                HealthState::Degraded => log::error!("{}: degraded: {}", event.camera, event.reason),
            }
            lock(self.outputs).health(&event).iter().for_each(|error| log::error!("{}: {error}", event.camera));
        }
        state
    }
}
