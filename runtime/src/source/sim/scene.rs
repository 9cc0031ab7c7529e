//! The moving world: ticks in; vehicles, people, things and smoke out. It is cheap to move and to copy, draws nothing,
//! and until an incident is set off it moves exactly as without one.

use std::f32::consts::TAU;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::camera::V3;
use super::incident::Incident;
use super::spec::SimSpec;
use super::traffic::{TICK_S, Traffic};
use super::world::{Place, Road};

/// A person on foot.
#[derive(Clone, Debug)]
pub struct Person {
    /// Metres along.
    pub s: f32,
    /// Metres across.
    pub d: f32,
    /// Walking speed along and across, metres per second.
    pub v: (f32, f32),
    /// Height, metres.
    pub height: f32,
    /// Where in the stride, radians.
    pub stride: f32,
    /// Jacket and trousers.
    pub colours: [[f32; 3]; 2],
    /// Arms are waved.
    pub waving: bool,
    /// 1, or less while appearing or leaving.
    pub opacity: f32,
    /// Belongs to the incident.
    pub involved: bool,
}

impl Person {
    /// A person of random looks.
    pub fn new(s: f32, d: f32, rng: &mut Pcg64Mcg) -> Self {
        let mut colour = || {
            let grey = rng.random_range(0.1..0.7_f32);
            [grey, grey, grey].map(|g: f32| (g + rng.random_range(-0.2..0.3)).clamp(0.06, 0.95))
        };
        let colours = [colour(), colour().map(|c| c * 0.5)];
        Self {
            s,
            d,
            v: (0.0, 0.0),
            height: rng.random_range(1.6..1.88),
            stride: rng.random_range(0.0..TAU),
            colours,
            waving: false,
            opacity: 1.0,
            involved: false,
        }
    }

    /// Walk for one tick.
    pub fn walk(&mut self) {
        self.s += self.v.0 * TICK_S;
        self.d += self.v.1 * TICK_S;
        self.stride += self.v.0.hypot(self.v.1) * 4.2 * TICK_S;
    }
}

/// A box, a sack, a bit of wreck on the road.
#[derive(Clone, Debug)]
pub struct Thing {
    /// Its middle along, across and up, metres.
    pub at: [f32; 3],
    /// Its speed, likewise.
    pub v: [f32; 3],
    /// Length, width, height.
    pub size: [f32; 3],
    /// Its turn about the vertical, and how fast that changes.
    pub yaw: (f32, f32),
    /// Its colour.
    pub colour: [f32; 3],
    /// 1, or less while it is being removed.
    pub opacity: f32,
    /// Whether traffic avoids it.
    pub blocks: bool,
}

impl Thing {
    fn step(&mut self) {
        let floor = self.size[2] * 0.5;
        for k in 0..3 {
            self.at[k] += self.v[k] * TICK_S;
        }
        self.v[2] -= 9.8 * TICK_S;
        self.yaw.0 += self.yaw.1 * TICK_S;
        if self.at[2] <= floor {
            self.at[2] = floor;
            self.v[2] = if self.v[2] < -1.5 { -0.25 * self.v[2] } else { 0.0 };
            let slide = self.v[0].hypot(self.v[1]);
            let keep = ((slide - 4.5 * TICK_S) / slide.max(1e-3)).max(0.0);
            self.v[0] *= keep;
            self.v[1] *= keep;
            self.yaw.1 *= 0.9;
        }
    }
}

/// A ball of smoke or steam.
#[derive(Clone, Debug)]
pub struct Puff {
    /// Where, in the world.
    pub at: V3,
    /// Its speed.
    pub v: V3,
    /// Age and length of life, seconds.
    pub age: (f32, f32),
    /// Radius now and its growth per second, metres.
    pub radius: (f32, f32),
    /// Grey value, 0 (soot) to 1 (steam).
    pub grey: f32,
    /// Opacity when fresh.
    pub density: f32,
}

/// Everything that moves.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The place.
    pub place: Arc<Place>,
    /// Ticks gone since the first frame.
    pub tick: u64,
    /// Vehicles.
    pub traffic: Traffic,
    /// People, on pavements and where they should not be.
    pub people: Vec<Person>,
    /// Things on the road.
    pub things: Vec<Thing>,
    /// Smoke.
    pub puffs: Vec<Puff>,
    /// What goes wrong, if anything.
    pub incident: Option<Incident>,
}

impl Scene {
    /// The world of `spec` at its first frame.
    pub fn new(spec: &SimSpec, place: Arc<Place>) -> Self {
        let road = &place.road;
        let mut rng = Pcg64Mcg::seed_from_u64(spec.seed ^ 0x00be_0b1e);
        let mut people = Vec::new();
        if road.pavement > 0.0 {
            for _ in 0..rng.random_range(2..10) {
                people.push(stroller(road, &mut rng));
            }
        }
        let traffic = Traffic::new(spec.seed, &place);
        let incident = spec.incident.map(|kind| Incident::new(kind, spec));
        Self { tick: 0, traffic, people, things: Vec::new(), puffs: Vec::new(), incident, place }
    }

    /// Seconds since the first frame.
    pub fn seconds(&self) -> f32 {
        self.tick as f32 * TICK_S
    }

    /// One tick on.
    pub fn step(&mut self) {
        self.tick += 1;
        let t = self.seconds();
        let place = Arc::clone(&self.place);
        self.traffic.step(&place.road, t);
        for person in self.people.iter_mut().filter(|p| !p.involved) {
            person.walk();
            if person.s > 110.0 || person.s < -6.0 {
                person.s = person.s.clamp(-6.0, 110.0);
                person.v.0 = -person.v.0;
            }
        }
        for thing in &mut self.things {
            thing.step();
        }
        for puff in &mut self.puffs {
            puff.age.0 += TICK_S;
            puff.at = puff.at.plus(puff.v.times(TICK_S));
            puff.v.y *= 0.994;
            puff.radius.0 += puff.radius.1 * TICK_S;
        }
        self.puffs.retain(|p| p.age.0 < p.age.1);
        if let Some(mut incident) = self.incident.take() {
            incident.step(self, t);
            self.incident = Some(incident);
        }
        self.things.retain(|thing| thing.opacity > 0.0);
        self.people.retain(|person| person.opacity > 0.0);
    }
}

fn stroller(road: &Road, rng: &mut Pcg64Mcg) -> Person {
    let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    let d = side * (road.paved + road.pavement * rng.random_range(0.35..0.8));
    let s = rng.random_range(5.0..90.0);
    let mut person = Person::new(s, d, rng);
    person.v.0 = rng.random_range(0.9..1.6) * if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    person
}
