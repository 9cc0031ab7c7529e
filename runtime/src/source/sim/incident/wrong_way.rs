//! Vehicles drive against the traffic, one after another; those they meet brake, flash and make room.

use std::f32::consts::PI;

use rand::RngExt;

use super::Incident;
use crate::source::sim::scene::Scene;
use crate::source::sim::traffic::TICK_S;
use crate::source::sim::vehicle::{Body, Vehicle};
use crate::source::sim::world::turn;

impl Incident {
    pub(super) fn wrong_way(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        let apart = self
            .actors
            .last()
            .and_then(|id| scene.traffic.get(*id))
            .map_or(f32::MAX, |v| if v.heading.cos() > 0.0 { v.s } else { place.stage + 40.0 - v.s });
        if (t < self.until - 9.0 || self.actors.is_empty())
            && (self.actors.is_empty() || apart > place.stage + 14.0)
            && self.actors.len() < 60
        {
            let comes = self.draw[0] < 0.35;
            let body = if self.rng.random_bool(0.8) { Body::Car } else { Body::Van };
            let lanes: Vec<usize> = (0..road.lanes.len()).filter(|i| (road.lanes[*i].dir > 0.0) == comes).collect();
            let lane = lanes[(self.draw[1] * lanes.len() as f32) as usize % lanes.len()];
            let at = road.lanes[lane].centre;
            let mut new = Vehicle::new(0, body, lane, road, &mut self.rng);
            new.s = if comes { place.stage + 30.0 } else { place.near_edge(at) - 4.5 };
            new.heading = if comes { PI } else { 0.0 };
            new.v = 6.0;
            new.scripted = true;
            new.opacity = if comes { 0.05 } else { 1.0 };
            let free = !scene
                .traffic
                .vehicles
                .iter()
                .any(|v| (v.d - at).abs() < v.extent().1 + 1.2 && (v.s - new.s).abs() < v.extent().0 + 6.0);
            if free {
                new.id = scene.traffic.new_id();
                self.actors.push(new.id);
                scene.traffic.vehicles.push(new);
            }
        }
        for id in self.actors.clone() {
            let Some(i) = scene.traffic.vehicles.iter().position(|v| v.id == id) else {
                continue;
            };
            let dir = scene.traffic.vehicles[i].heading.cos().signum();
            let lane = road.lanes[scene.traffic.vehicles[i].lane];
            let (gap, ahead_v, _) = scene.traffic.ahead(i, scene.traffic.vehicles[i].d, dir);
            // Hold to the outside of the lane when someone comes; creep past.
            let v = &mut scene.traffic.vehicles[i];
            let outward = lane.centre.signum();
            let aside =
                if gap < 35.0 { (road.paved - v.size[1] * 0.5 - 0.2 - lane.centre.abs()).clamp(0.0, 1.6) } else { 0.0 };
            // Face to face with someone for a while: out over the edge of the road, past them.
            let v_stuck = gap < 7.0 && v.v < 0.8;
            v.stopped_s = if v_stuck { v.stopped_s + TICK_S } else { (v.stopped_s - 0.3 * TICK_S).max(0.0) };
            let squeeze = v.stopped_s > 1.5;
            v.stopped_s = v.stopped_s.min(3.5);
            let target = if squeeze { outward * (road.paved + 0.8) } else { lane.centre + outward * aside };
            if squeeze && v_stuck {
                v.d += outward * 0.7 * TICK_S * f32::from(v.d * outward < target * outward);
            }
            let near_stage = (v.s - place.stage).abs() < 14.0;
            let wish: f32 = if near_stage { 4.2 } else { 6.5 };
            let stop = if gap < 3.0 { 0.0 } else { ((gap - 2.5) * 1.6).min(wish - ahead_v.min(0.0) * 0.1) };
            let acceleration = ((stop.min(wish) - v.v) * 1.5).clamp(-6.0, 1.5);
            let straight = if dir > 0.0 { 0.0 } else { PI };
            let wanted = straight + dir * ((target - v.d) * 0.2).clamp(-0.3, 0.3);
            v.roll(acceleration, turn(wanted, v.heading) * (v.v * 0.4).min(2.0));
            v.opacity = (v.opacity + TICK_S).min(1.0);
            let (s, d, opacity) = (v.s, v.d, v.opacity);
            if opacity > 0.3 {
                self.show(&place, s, d, 2.0);
            }
        }
    }
}
