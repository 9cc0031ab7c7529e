//! A lorry loses its load over the lanes and stops beyond it.

use rand::RngExt;

use super::Incident;
use crate::source::sim::scene::{Scene, Thing};
use crate::source::sim::vehicle::{Body, Vehicle};

impl Incident {
    pub(super) fn spill(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        match self.act.0 {
            0 => {
                // The load falls while it drives: bring a lorry unless one is coming.
                if let Some(id) = self.cast(scene, Some(Body::Flatbed), true) {
                    if let Some(v) = scene.traffic.get(id) {
                        v.load = 9;
                    }
                    self.go(1, t);
                }
            }
            1 => {
                let id = self.actors[0];
                let Some(v) = scene.traffic.get(id) else {
                    return;
                };
                let dir = v.heading.cos();
                let past = dir * (v.s - place.stage);
                // Slow past the stage, then stop beyond it.
                let wish: f32 = if past < 2.0 {
                    7.0
                } else if past < 16.0 {
                    4.5
                } else {
                    0.0
                };
                v.roll(((wish - v.v) * 1.2).clamp(-4.5, 1.5), 0.0);
                v.v = v.v.max(0.0);
                v.hazards = past > 6.0;
                let v = v.clone();
                let due = ((past + 2.0) / 1.1).clamp(0.0, 11.0) as u32;
                while self.dropped < due {
                    self.dropped += 1;
                    let side = if self.dropped.is_multiple_of(2) { 1.0 } else { -1.0 };
                    let thing = self.cargo(&v, side);
                    scene.things.push(thing);
                    if let Some(v) = scene.traffic.get(id) {
                        v.load = v.load.saturating_sub(1);
                    }
                }
                for k in 0..scene.things.len() {
                    let (s, d) = (scene.things[k].at[0], scene.things[k].at[1]);
                    self.show(&place, s, d, 1.0);
                    // Nothing rolls off the pavement's far side.
                    let limit = road.paved + 0.5;
                    if d.abs() > limit {
                        scene.things[k].v[1] = 0.0;
                        scene.things[k].at[1] = limit * d.signum();
                    }
                }
                if v.v < 0.1 && self.errands.is_empty() {
                    self.bystander(scene, v.s - dir * (v.size[0] * 0.5 + 1.2), v.d);
                }
                if t > self.until {
                    self.go(2, t);
                }
            }
            _ => {
                self.clear(scene, true);
            }
        }
    }

    pub(super) fn cargo(&mut self, from: &Vehicle, side: f32) -> Thing {
        let dir = from.heading.cos();
        let mut r = |low: f32, high: f32| self.rng.random_range(low..high);
        let size = r(0.7, 1.25);
        let colour = match (r(0.0, 1.0) * 5.0) as u32 {
            0 => [0.85, 0.82, 0.74],
            1 => [0.16, 0.32, 0.62],
            _ => [0.66, 0.48, 0.28],
        };
        Thing {
            at: [from.s - dir * (from.size[0] * 0.5 + 0.4), from.d + side * 0.6, 1.5],
            v: [dir * r(0.1, 0.5) * from.v, side * r(0.3, 3.6), r(0.5, 2.0)],
            size: [size, size * r(0.7, 1.0), size * r(0.6, 1.0)],
            yaw: (r(0.0, 3.0), r(-4.0, 4.0)),
            colour,
            opacity: 1.0,
            blocks: true,
        }
    }
}
