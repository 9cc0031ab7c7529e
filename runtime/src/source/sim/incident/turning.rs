//! A vehicle turns round across the lanes: out, back, forth again until its time is up, then away.

use std::f32::consts::{FRAC_PI_2, PI};

use super::Incident;
use crate::source::sim::scene::Scene;
use crate::source::sim::vehicle::{Body, direction};
use crate::source::sim::world::turn;

impl Incident {
    pub(super) fn illegal_turn(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        let id = match (self.act.0, self.actors.first()) {
            (0, _) => {
                if self.cast(scene, Some(Body::Car), true).is_some() {
                    self.go(1, t);
                }
                return;
            }
            (_, Some(id)) => *id,
            _ => return,
        };
        let Some(v) = scene.traffic.get(id) else {
            return;
        };
        let straight = direction(road, v.lane);
        let turned = -turn(v.heading, straight);
        let (long, _) = v.extent();
        let since = t - self.act.1;
        // Half of the vehicle over the edge of the lanes is as far as it goes.
        let limit = road.paved + 0.2;
        let nose_d = v.d + v.heading.sin() * v.size[0] * 0.5;
        let tail_d = v.d - v.heading.sin() * v.size[0] * 0.5;
        let mut next = None;
        match self.act.0 {
            1 => {
                let left = road.lanes[v.lane].dir * (place.stage - v.s);
                let needed = (v.v * v.v - 5.0) / (2.0 * left.max(0.7));
                v.roll(if needed > 2.5 { -needed.min(6.5) } else { 0.3 }, 0.0);
                if left < 0.5 || v.v < 2.8 && left < 4.0 {
                    next = Some(2);
                }
            }
            // Round across the lanes, until nearly square to the road or at its edge.
            2 => {
                let speed = if turned < 0.4 { 2.2 } else { 1.5 };
                v.roll((speed - v.v) * 1.5, -v.v / 4.2);
                if turned > 1.35 || turned > 0.7 && nose_d.abs() > limit && nose_d * v.heading.sin() > 0.0 {
                    next = Some(3);
                }
            }
            3 | 5 => {
                v.roll(-v.v * 4.0, 0.0);
                if since > 1.3 {
                    next = Some(if self.act.0 == 3 {
                        4
                    } else if t < self.until - 5.0 {
                        6
                    } else {
                        7
                    });
                }
            }
            // Back, and forth again, across the lanes.
            4 => {
                v.roll((-1.0 - v.v) * 1.5, if turned < 1.75 { -0.10 } else { 0.0 });
                let stuck = tail_d.abs() > limit && tail_d * v.heading.sin() < 0.0;
                if since > 2.6 || stuck {
                    next = Some(5);
                }
            }
            6 => {
                v.roll((1.0 - v.v) * 1.5, if turned > FRAC_PI_2 { 0.12 } else { -0.05 });
                if since > 2.4 || nose_d.abs() > limit && nose_d * v.heading.sin() > 0.0 {
                    next = Some(3);
                }
            }
            // Round the rest and away.
            7 => {
                let left = PI - turned;
                v.roll((2.4 - v.v) * 1.2, -(left * 1.2).min(v.v / 3.6));
                if left < 0.12 {
                    next = Some(8);
                }
            }
            _ => {
                if v.scripted {
                    let ahead = v.heading.cos();
                    let lane = (0..road.lanes.len())
                        .filter(|i| road.lanes[*i].dir * ahead > 0.0)
                        .min_by(|a, b| {
                            (road.lanes[*a].centre - v.d).abs().total_cmp(&(road.lanes[*b].centre - v.d).abs())
                        })
                        .unwrap_or(v.lane);
                    v.release(lane, road);
                }
                return;
            }
        }
        v.hazards = self.act.0 >= 3;
        let (s, d) = (v.s, v.d);
        if turned > 0.25 || self.act.0 > 2 {
            self.show(&place, s, d, long.max(2.0) * 2.0);
        }
        if let Some(act) = next {
            self.go(act, t);
        }
    }
}
