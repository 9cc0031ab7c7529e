//! What goes wrong: at the onset this takes hold of vehicles on the stage, or brings some, and plays its part; at the end
//! it hands them back or has them taken away. Its random numbers are its own, and before the onset it does nothing, so
//! that the footage until then is that of the same seed without an incident.
//!
//! [`Incident::evident`] says whether the picture shows something abnormal at this tick: that is the ground truth.

mod collision;
mod halted;
mod spill;
mod staging;
mod turning;
mod walkers;
mod wrong_way;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::camera::V3;
use super::scene::Scene;
use super::spec::{IncidentKind, SimSpec};
use super::traffic::Block;
use super::world::Place;

/// Smaller than this in the picture is not yet seen, as part of its width.
const SEEN: f32 = 0.03;

/// An incident and how far it has come.
#[derive(Clone, Debug)]
pub struct Incident {
    kind: IncidentKind,
    onset: f32,
    until: f32,
    rng: Pcg64Mcg,
    /// The vehicles that play a part, by number.
    actors: Vec<u32>,
    /// When the present act began, and which it is.
    act: (u32, f32),
    /// Sides and amounts drawn once.
    draw: [f32; 4],
    /// What is abnormal now: points of the world and their size, metres.
    evidence: Vec<(V3, f32)>,
    /// Where each involved person is going, and when.
    errands: Vec<(f32, f32, f32)>,
    dropped: u32,
}

impl Incident {
    /// An incident that waits for its onset.
    pub fn new(kind: IncidentKind, spec: &SimSpec) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(spec.seed ^ 0x1bad_dea1 ^ ((kind as u64) << 40));
        let draw = [0; 4].map(|_| rng.random_range(0.0..1.0));
        Self {
            kind,
            onset: spec.onset_s as f32,
            until: (spec.onset_s + spec.incident_seconds) as f32,
            rng,
            actors: Vec::new(),
            act: (0, 0.0),
            draw,
            evidence: Vec::new(),
            errands: Vec::new(),
            dropped: 0,
        }
    }

    /// Whether the picture shows something abnormal now.
    pub fn evident(&self, place: &Place) -> bool {
        let camera = &place.camera;
        self.evidence.iter().any(|(p, size)| {
            camera
                .project(*p)
                .is_some_and(|(x, y, scale)| camera.inside(x, y, 2.0) && scale * size > SEEN * camera.width)
        })
    }

    /// One tick of the part; it is `t` seconds now.
    pub fn step(&mut self, scene: &mut Scene, t: f32) {
        if t < self.onset {
            return;
        }
        self.evidence.clear();
        match self.kind {
            IncidentKind::Collision => self.collision(scene, t),
            IncidentKind::IllegalTurn => self.illegal_turn(scene, t),
            IncidentKind::IllegalOccupation => self.occupation(scene, t),
            IncidentKind::WrongWay => self.wrong_way(scene, t),
            IncidentKind::PedestrianOnRoad => self.pedestrians(scene, t),
            IncidentKind::SpilledLoad => self.spill(scene, t),
            IncidentKind::Fire => self.fire(scene, t),
        }
        Self::mark(scene);
    }

    /// Tell traffic what to avoid.
    fn mark(scene: &mut Scene) {
        let road = &scene.place.road;
        scene.traffic.blocks.clear();
        for person in scene.people.iter().filter(|p| p.involved && p.d.abs() < road.paved) {
            scene.traffic.blocks.push(Block { s: person.s, d: person.d, radius: 0.6 });
        }
        for thing in scene.things.iter().filter(|thing| thing.blocks) {
            scene.traffic.blocks.push(Block { s: thing.at[0], d: thing.at[1], radius: 0.5 * thing.size[0] });
        }
    }

    fn go(&mut self, act: u32, t: f32) {
        self.act = (act, t);
    }

    fn since(&self, t: f32) -> f32 {
        t - self.act.1
    }

    /// Something abnormal `size` metres large at `s`, `d`.
    fn show(&mut self, place: &Place, s: f32, d: f32, size: f32) {
        self.evidence.push((place.road.point(s, d, 0.8), size));
    }
}
