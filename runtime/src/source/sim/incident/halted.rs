//! A vehicle stands where none should: in a live lane with its hazard lights on, or on fire.

use super::Incident;
use crate::source::sim::scene::Scene;
use crate::source::sim::traffic::TICK_S;

impl Incident {
    pub(super) fn occupation(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        match self.act.0 {
            0 => {
                if self.cast(scene, None, true).is_some() {
                    self.go(1, t);
                }
            }
            1 | 2 => {
                let id = self.actors[0];
                let aside = (self.draw[0] - 0.5) * 0.8;
                let rests = Self::brake_to(scene, id, place.stage, aside);
                if rests && self.act.0 == 1 {
                    self.go(2, t);
                }
                let since = if self.act.0 == 2 { self.since(t) } else { 0.0 };
                let Some(v) = scene.traffic.get(id) else {
                    return;
                };
                v.hazards = v.v < 5.0;
                v.doors = since > 2.0 && self.draw[1] < 0.7;
                let v = v.clone();
                if v.v < 2.0 {
                    self.show(&place, v.s, v.d, 4.0);
                }
                if since > 3.0 && self.errands.is_empty() && self.draw[1] < 0.7 {
                    let dir = v.heading.cos();
                    self.bystander(scene, v.s - dir * (v.size[0] * 0.5 + 0.9), v.d - dir * 0.6);
                }
                if t > self.until {
                    self.go(3, t);
                }
            }
            _ => {
                self.clear(scene, true);
            }
        }
    }

    pub(super) fn fire(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        match self.act.0 {
            0 => {
                if self.cast(scene, None, true).is_some() {
                    self.go(1, t);
                }
            }
            1 | 2 => {
                let id = self.actors[0];
                let aside = if self.draw[2] < 0.5 { 0.9 } else { 0.0 };
                if Self::brake_to(scene, id, place.stage, aside) && self.act.0 == 1 {
                    self.go(2, t);
                }
                let since = if self.act.0 == 2 { self.since(t) } else { 0.0 };
                let Some(v) = scene.traffic.get(id) else {
                    return;
                };
                v.burnt = (since / 6.0).min(1.0);
                v.doors = since > 2.0;
                let v = v.clone();
                let front = v.heading.cos() * v.size[0] * 0.25;
                let at = road.point(v.s + front, v.d, v.size[2] * 0.7);
                let strength = (0.25 + since / 5.0).min(1.0);
                if ((t / TICK_S) as u32).is_multiple_of(7 - (3.0 * strength) as u32) {
                    let grey = 0.5 - 0.38 * strength;
                    let puff = self.puff(at, grey, 0.35 + 0.3 * strength, 0.7 + 0.9 * strength, 3.0 + 3.0 * strength);
                    scene.puffs.push(puff);
                }
                self.show(&place, v.s, v.d, 4.0);
                if since > 3.0 && self.errands.is_empty() {
                    let outward = if v.d < 0.0 { -1.0 } else { 1.0 };
                    self.bystander(scene, v.s - 5.0, outward * (road.paved + 0.6));
                }
                if t > self.until {
                    self.go(3, t);
                }
            }
            _ => {
                self.clear(scene, false);
            }
        }
    }
}
