//! People walk into the lanes and loiter there.

use rand::RngExt;

use super::Incident;
use crate::source::sim::scene::Scene;
use crate::source::sim::traffic::TICK_S;

impl Incident {
    pub(super) fn pedestrians(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        if self.act.0 == 0 {
            let count = 2 + (self.draw[0] * 3.0) as u32;
            let side = if self.draw[1] < 0.5 { 1.0 } else { -1.0 };
            for k in 0..count {
                let s = place.stage + self.rng.random_range(-3.5..3.5);
                let d = side * (road.edge + 0.4 + 0.6 * k as f32);
                self.bystander(scene, s, d);
            }
            self.go(1, t);
        }
        let leaving = t > self.until;
        for (k, person) in scene.people.iter_mut().filter(|p| p.involved).enumerate() {
            let (s, d, pause) = self.errands[k];
            let (to_s, to_d) = (s - person.s, d - person.d);
            let far = to_s.hypot(to_d);
            if leaving {
                let outward = if person.d < 0.0 { -1.0 } else { 1.0 };
                person.v = (0.0, 1.7 * outward);
                person.waving = false;
                if person.d.abs() > road.paved + 1.0 {
                    person.opacity -= TICK_S;
                }
            } else if pause > t {
                person.v = (0.0, 0.0);
            } else if far < 0.3 {
                person.waving = self.rng.random_bool(0.4);
                let d = self.rng.random_range(-1.0..1.0) * (road.edge - 0.8);
                let s = place.stage + self.rng.random_range(-4.0..5.0);
                self.errands[k] =
                    (s, d, if self.rng.random_bool(0.5) { t + self.rng.random_range(0.5..2.5) } else { t });
            } else {
                let pace = 1.25 / far;
                person.v = (to_s * pace, to_d * pace);
            }
            person.walk();
            if road.in_lanes(person.d) || person.d.abs() < road.edge {
                self.evidence.push((road.point(person.s, person.d, 0.9), 1.7));
            }
        }
    }
}
