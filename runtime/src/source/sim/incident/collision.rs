//! One vehicle runs into another's corner; both spin to rest across the lanes among shards and steam.

use rand::RngExt;

use super::Incident;
use crate::source::sim::scene::{Scene, Thing};
use crate::source::sim::traffic::TICK_S;
use crate::source::sim::vehicle::Body;
use crate::source::sim::world::turn;

impl Incident {
    pub(super) fn collision(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        match self.act.0 {
            0 => {
                // The one that is hit, in a lane where traffic drives away, so that a second one can be brought.
                if self.cast(scene, None, false).is_some() {
                    self.go(1, t);
                }
            }
            1 => {
                let first = self.actors[0];
                Self::brake_to(scene, first, place.stage, 0.0);
                let Some(a) = scene.traffic.get(first).cloned() else {
                    return;
                };
                // The one that runs into it: whoever follows, or one brought from outside the picture.
                let behind = scene
                    .traffic
                    .vehicles
                    .iter()
                    .filter(|v| !v.scripted && v.body != Body::Motorcycle && (v.d - a.d).abs() < 1.2 && v.s < a.s)
                    .filter(|v| a.s - v.s < 45.0)
                    .max_by(|p, q| p.s.total_cmp(&q.s))
                    .map(|v| v.id);
                let second = if behind.is_none() && a.s >= place.stage - 5.0 {
                    self.bring(scene, Body::Car, Some(a.lane), 2.0)
                } else {
                    behind
                };
                if let Some(v) = second.and_then(|id| scene.traffic.get(id)) {
                    v.scripted = true;
                    self.actors.push(v.id);
                    self.go(2, t);
                }
            }
            2 => {
                let (first, second) = (self.actors[0], self.actors[1]);
                Self::brake_to(scene, first, place.stage, 0.0);
                let Some(a) = scene.traffic.get(first).cloned() else {
                    return;
                };
                let Some(b) = scene.traffic.get(second) else {
                    return;
                };
                // A late turn of the wheel: it hits the corner.
                let aside = if self.draw[2] < 0.5 { -0.7 } else { 0.7 };
                let wanted = ((a.d + aside - b.d) * 0.15).clamp(-0.2, 0.2);
                let faster = if b.v < a.v + 6.0 { 2.5 } else { 0.0 };
                b.roll(faster, turn(wanted, b.heading) * 1.5);
                b.braking = a.s - b.s < 9.0;
                let b = b.clone();
                if a.v < 1.0 {
                    self.show(&place, a.s, a.d, 2.0);
                }
                if a.s - b.s < (a.size[0] + b.size[0]) * 0.5 - 0.25 {
                    let speed = b.v.max(5.0);
                    for (id, share) in [(first, 0.62), (second, 0.38)] {
                        if let Some(v) = scene.traffic.get(id) {
                            v.v = speed * share;
                        }
                    }
                    for _ in 0..18 {
                        let shard = self.shard(b.s + b.size[0] * 0.5, 0.5 * (a.d + b.d), speed * 0.6);
                        scene.things.push(shard);
                    }
                    for _ in 0..9 {
                        let at = road.point(b.s + b.size[0] * 0.5, b.d, 0.8);
                        let puff = self.puff(at, 0.75, 0.5, 1.2, 3.0);
                        scene.puffs.push(puff);
                    }
                    self.go(3, t);
                }
            }
            3 => {
                let since = self.since(t);
                let side = if self.draw[2] < 0.5 { 1.0 } else { -1.0 };
                for (k, id) in self.actors.clone().into_iter().enumerate() {
                    let Some(v) = scene.traffic.get(id) else {
                        continue;
                    };
                    let (sign, most) =
                        if k == 0 { (side, 0.7 + 0.7 * self.draw[0]) } else { (-side, 0.35 + 0.7 * self.draw[1]) };
                    // The body spins while the mass goes on as it went.
                    let way: f32 = 0.22 * sign;
                    v.v = (v.v - 5.5 * TICK_S).max(0.0);
                    v.s += v.v * way.cos() * TICK_S;
                    v.d += v.v * way.sin() * TICK_S;
                    let left = sign * most - v.heading;
                    v.heading += left * (v.v * 0.5).min(3.0) * TICK_S;
                    v.hazards = since > 2.0;
                    v.braking = since < 1.5;
                    v.doors = since > 5.0;
                    let (s, d) = (v.s, v.d);
                    self.show(&place, s, d, 4.0);
                    if k == 1 && ((t / TICK_S) as u32).is_multiple_of(7) && since < 25.0 {
                        let at = road.point(s + 1.6, d, 1.0);
                        let puff = self.puff(at, 0.72, 0.34, 0.9, 4.0);
                        scene.puffs.push(puff);
                    }
                }
                if since > 5.0 && self.errands.is_empty() {
                    for id in self.actors.clone() {
                        let Some((s, d)) = scene.traffic.get(id).map(|v| (v.s, v.d)) else {
                            continue;
                        };
                        self.bystander(scene, s - 0.5, d + 1.7);
                    }
                }
                if t > self.until {
                    self.go(4, t);
                }
            }
            _ => {
                self.clear(scene, false);
            }
        }
    }

    pub(super) fn shard(&mut self, s: f32, d: f32, along: f32) -> Thing {
        let mut r = |low: f32, high: f32| self.rng.random_range(low..high);
        let size = r(0.1, 0.38);
        let grey = r(0.05, 0.6);
        Thing {
            at: [s, d, 0.6],
            v: [along * r(0.2, 1.0) + r(-2.0, 2.0), r(-3.5, 3.5), r(0.5, 3.0)],
            size: [size, size * r(0.4, 1.0), size * 0.4],
            yaw: (r(0.0, 3.0), r(-8.0, 8.0)),
            colour: [grey, grey, grey * r(0.8, 1.2)],
            opacity: 1.0,
            blocks: false,
        }
    }
}
