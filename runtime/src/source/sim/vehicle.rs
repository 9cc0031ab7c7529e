//! One vehicle: what it is, where it is, and how it moves when an incident steers it.

use std::f32::consts::{PI, TAU};

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::traffic::TICK_S;
use super::world::{Road, turn};

/// What sort of vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A saloon or hatchback.
    Car,
    /// A panel van.
    Van,
    /// A lorry with a box body.
    Lorry,
    /// A lorry with an open bed.
    Flatbed,
    /// A bus.
    Bus,
    /// A motorcycle and its rider.
    Motorcycle,
}

/// One vehicle.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a lamp, a door or a state of its own")]
pub struct Vehicle {
    /// Its number, never used twice.
    pub id: u32,
    /// What sort.
    pub body: Body,
    /// Length, width and height, metres.
    pub size: [f32; 3],
    /// Paint, 0 to 1.
    pub colour: [f32; 3],
    /// Its middle, metres along.
    pub s: f32,
    /// Its middle, metres across.
    pub d: f32,
    /// Speed along its heading, metres per second.
    pub v: f32,
    /// Radians to the right of the road's direction.
    pub heading: f32,
    /// Its lane.
    pub lane: usize,
    /// Brake lights are on.
    pub braking: bool,
    /// Hazard lights are on.
    pub hazards: bool,
    /// Headlights are flashed.
    pub flashing: bool,
    /// Doors stand open.
    pub doors: bool,
    /// Crates on an open bed.
    pub load: u32,
    /// 1, or less while it is being removed.
    pub opacity: f32,
    /// How far it has burnt, 0 to 1.
    pub burnt: f32,
    /// An incident moves it.
    pub scripted: bool,
    /// Where across the road the driver wants to be, metres.
    pub(super) target: f32,
    /// The speed the driver wants, metres per second.
    pub(super) wish: f32,
    /// The time the driver leaves to the one ahead, seconds.
    pub(super) headway: f32,
    /// Sets one driver's wander apart from another's, radians.
    pub(super) phase: f32,
    /// For how long it has stood, seconds.
    pub stopped_s: f32,
}

impl Vehicle {
    /// A new vehicle of this sort at the start of nothing: the caller places it.
    pub fn new(id: u32, body: Body, lane: usize, road: &Road, rng: &mut Pcg64Mcg) -> Self {
        let size = match body {
            Body::Car => [rng.random_range(4.0..4.8), rng.random_range(1.72..1.9), rng.random_range(1.42..1.72)],
            Body::Van => [rng.random_range(5.0..5.9), 2.0, rng.random_range(2.2..2.6)],
            Body::Lorry => [rng.random_range(8.0..11.5), 2.5, rng.random_range(3.3..3.8)],
            Body::Flatbed => [rng.random_range(7.5..9.0), 2.45, 2.8],
            Body::Bus => [rng.random_range(10.5..12.0), 2.5, 3.1],
            Body::Motorcycle => [2.1, 0.8, 1.6],
        };
        let palette = match body {
            Body::Bus => BUS_COLOURS,
            _ => COLOURS,
        };
        let shade = rng.random_range(0.85..1.1);
        let colour = palette[rng.random_range(0..palette.len())].map(|c| (c * shade).min(1.0));
        let at = road.lanes[lane];
        let slow = if matches!(body, Body::Lorry | Body::Flatbed | Body::Bus) { 0.85 } else { 1.0 };
        Self {
            id,
            body,
            size,
            colour,
            s: 0.0,
            d: at.centre,
            v: 0.0,
            heading: if at.dir > 0.0 { 0.0 } else { PI },
            lane,
            braking: false,
            hazards: false,
            flashing: false,
            doors: false,
            load: if body == Body::Flatbed { rng.random_range(4..9) } else { 0 },
            opacity: 1.0,
            burnt: 0.0,
            scripted: false,
            target: at.centre,
            wish: road.speed * slow * rng.random_range(0.85..1.12),
            headway: rng.random_range(1.0..1.7),
            phase: rng.random_range(0.0..TAU),
            stopped_s: 0.0,
        }
    }

    /// Half of what it takes up along and across the road, heading considered, metres.
    pub fn extent(&self) -> (f32, f32) {
        let (sin, cos) = self.heading.sin_cos();
        let (l, w) = (self.size[0] * 0.5, self.size[1] * 0.5);
        (l * cos.abs() + w * sin.abs(), l * sin.abs() + w * cos.abs())
    }

    /// Move along the heading for one tick.
    pub fn roll(&mut self, acceleration: f32, turn_rate: f32) {
        let before = self.v;
        self.v += acceleration * TICK_S;
        self.braking = acceleration < -0.6 || self.v.abs() < 0.3;
        let v = 0.5 * (before + self.v);
        self.heading += turn_rate * TICK_S;
        self.s += v * self.heading.cos() * TICK_S;
        self.d += v * self.heading.sin() * TICK_S;
    }

    /// Give it back to normal traffic, in `lane`.
    pub fn release(&mut self, lane: usize, road: &Road) {
        self.scripted = false;
        self.hazards = false;
        self.doors = false;
        self.lane = lane;
        self.v = (self.v * turn(self.heading, direction(road, lane)).cos()).max(0.0);
        self.target = road.lanes[lane].centre;
        self.stopped_s = 0.0;
    }
}

/// The heading of a lane's traffic.
pub fn direction(road: &Road, lane: usize) -> f32 {
    if road.lanes[lane].dir > 0.0 { 0.0 } else { PI }
}

const COLOURS: &[[f32; 3]] = &[
    [0.92, 0.92, 0.90],
    [0.86, 0.87, 0.88],
    [0.62, 0.64, 0.66],
    [0.42, 0.44, 0.47],
    [0.12, 0.12, 0.13],
    [0.17, 0.18, 0.20],
    [0.14, 0.22, 0.42],
    [0.22, 0.38, 0.62],
    [0.58, 0.10, 0.10],
    [0.72, 0.16, 0.12],
    [0.16, 0.32, 0.24],
    [0.55, 0.47, 0.36],
    [0.76, 0.74, 0.66],
    [0.80, 0.58, 0.12],
];
const BUS_COLOURS: &[[f32; 3]] =
    &[[0.80, 0.14, 0.12], [0.88, 0.70, 0.12], [0.85, 0.86, 0.88], [0.14, 0.40, 0.64], [0.20, 0.52, 0.32]];
