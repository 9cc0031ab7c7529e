//! Normal traffic: time in, vehicles on the road out. Each driver follows the one ahead by the Intelligent Driver Model
//! (Treiber, Hennecke, Helbing 2000), keeps a lane with a little wander, and steers round what blocks the way.
//!
//! Vehicles in the hands of an incident are `scripted`: they are seen and avoided here, but not moved.

use std::f32::consts::{PI, TAU};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::vehicle::{Body, Vehicle};
use super::world::{Place, ROAD, Road, turn};

/// Seconds of one tick.
pub const TICK_S: f32 = 1.0 / super::spec::RATE_HZ as f32;

/// Something on the ground that traffic avoids.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Metres along.
    pub s: f32,
    /// Metres across.
    pub d: f32,
    /// Radius, metres.
    pub radius: f32,
}

/// All vehicles, and what else traffic must avoid.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The vehicles.
    pub vehicles: Vec<Vehicle>,
    /// What else is in the way now; set by others at each tick.
    pub blocks: Vec<Block>,
    rng: Pcg64Mcg,
    next_spawn_s: Vec<f32>,
    mean_gap_s: Vec<f32>,
    next_id: u32,
    surge: (f32, f32, f32),
}

impl Traffic {
    /// The traffic of this seed, already spread over the road.
    pub fn new(seed: u64, place: &Place) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x7aff_1c00);
        let busy: f32 = rng.random_range(0.0..1.0);
        let mut mean_gap_s = Vec::new();
        let mut next_spawn_s = Vec::new();
        for _ in &place.road.lanes {
            let mean = (3.2 + 9.0 * (1.0 - busy)) * rng.random_range(0.8..1.3);
            mean_gap_s.push(mean);
            next_spawn_s.push(rng.random_range(0.0..mean));
        }
        // Now and then the whole stream slows down, as at a light out of view; it never stops.
        let depth = if rng.random_bool(0.35) { rng.random_range(0.3..0.5) } else { 0.1 };
        let surge = (depth, rng.random_range(25.0..60.0), rng.random_range(0.0..TAU));
        let mut traffic =
            Self { vehicles: Vec::new(), blocks: Vec::new(), rng, next_spawn_s, mean_gap_s, next_id: 1, surge };
        for tick in 0..1000 {
            traffic.step(&place.road, (tick - 1000) as f32 * TICK_S);
        }
        traffic
    }

    /// A number for a vehicle that others add.
    pub fn new_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// The vehicle of this number, while it is on the road.
    pub fn get(&mut self, id: u32) -> Option<&mut Vehicle> {
        self.vehicles.iter_mut().find(|v| v.id == id)
    }

    /// One tick on; it is `t` seconds now.
    pub fn step(&mut self, road: &Road, t: f32) {
        self.spawn(road, t);
        let (depth, period, phase) = self.surge;
        for i in 0..self.vehicles.len() {
            if self.vehicles[i].scripted {
                continue;
            }
            let slow = if road.lanes[self.vehicles[i].lane].dir > 0.0 { 0.0 } else { 2.0 };
            let surge = 1.0 - depth * (0.5 + 0.5 * (t / period * TAU + phase + slow).sin());
            self.drive(i, road, t, surge);
        }
        self.vehicles.retain(|v| ROAD.contains(&v.s) && v.opacity > 0.0);
    }

    fn spawn(&mut self, road: &Road, t: f32) {
        for (lane, at) in road.lanes.iter().enumerate() {
            self.next_spawn_s[lane] -= TICK_S;
            if self.next_spawn_s[lane] > 0.0 {
                continue;
            }
            let entry = if at.dir > 0.0 { ROAD.start + 0.5 } else { ROAD.end - 0.5 };
            let body = match self.rng.random_range(0..100) {
                0..=73 => Body::Car,
                74..=83 => Body::Van,
                84..=88 => Body::Lorry,
                89..=91 => Body::Flatbed,
                92..=94 => Body::Bus,
                _ => Body::Motorcycle,
            };
            let mut new = Vehicle::new(self.next_id + 1, body, lane, road, &mut self.rng);
            let gap: f32 = -self.mean_gap_s[lane] * self.rng.random_range(0.02_f32..1.0).ln();
            new.v = new.wish * 0.95;
            let (mut room, mut ahead_v) = (f32::MAX, new.v);
            for v in self.vehicles.iter().filter(|v| (v.d - at.centre).abs() < road.lane_width * 0.6) {
                let distance = at.dir * (v.s - entry) - v.extent().0 - new.size[0] * 0.5;
                if distance < room {
                    (room, ahead_v) = (distance, v.v);
                }
            }
            if room < 6.0 + new.v * 1.1 {
                self.next_spawn_s[lane] = 0.4;
                continue;
            }
            if room < 40.0 {
                new.v = new.v.min(ahead_v + 1.0);
            }
            new.s = entry;
            new.phase += t * 0.01;
            self.next_id += 1;
            self.next_spawn_s[lane] = 1.4 + gap * 0.75;
            self.vehicles.push(new);
        }
    }

    /// The free way ahead of vehicle `i` if it drove at `d`: metres, the speed along the way of what ends it, and
    /// whether that is something out of the ordinary.
    pub fn ahead(&self, i: usize, d: f32, dir: f32) -> (f32, f32, bool) {
        let me = &self.vehicles[i];
        let half = me.size[1] * 0.5 + 0.25;
        let (low, high) = (d.min(me.d.mul_add(0.5, d * 0.5)) - half, d.max(me.d.mul_add(0.5, d * 0.5)) + half);
        let nose = me.size[0] * 0.5;
        let mut best = (f32::MAX, 0.0, false);
        for (j, v) in self.vehicles.iter().enumerate() {
            let distance = dir * (v.s - me.s);
            if j == i || distance <= 0.0 || distance > 90.0 {
                continue;
            }
            let (long, wide) = v.extent();
            if v.d + wide < low || v.d - wide > high {
                continue;
            }
            let gap = distance - long - nose;
            if gap < best.0 {
                best = (gap, v.v * v.heading.cos() * dir, v.scripted);
            }
        }
        for b in &self.blocks {
            let distance = dir * (b.s - me.s);
            if distance <= 0.0 || b.d + b.radius < low || b.d - b.radius > high {
                continue;
            }
            let gap = distance - b.radius - nose - 1.5;
            if gap < best.0 {
                best = (gap, 0.0, true);
            }
        }
        best
    }

    fn drive(&mut self, i: usize, road: &Road, t: f32, surge: f32) {
        let lane = self.vehicles[i].lane;
        let dir = road.lanes[lane].dir;
        let here = self.ahead(i, self.vehicles[i].target, dir);
        let troubled = here.2 && here.0 < 45.0 && here.1 < 2.5
            || self.vehicles[i].stopped_s > 2.5 && here.0 < 12.0 && here.1 < 0.5
            || (self.vehicles[i].target - road.lanes[lane].centre).abs() > 0.3;
        if troubled && ((t * 2.5) as i64 + i as i64) % 2 == 0 {
            self.steer_round(i, road, dir);
        }
        let target = self.vehicles[i].target;
        let (gap, ahead_v, odd) = self.ahead(i, target, dir);
        // Drivers slow down to look at what is out of the ordinary near them.
        let wary = self.wariness(i, dir);

        let me = &mut self.vehicles[i];
        let wish = (me.wish * surge).min(wary).max(1.5);
        let gap_min = if odd { 3.5 } else { 2.2 };
        let (a, b) = (1.6_f32, 2.2_f32);
        let closing = me.v - ahead_v.max(-8.0);
        let desired = gap_min + (me.v * me.headway + me.v * closing / (2.0 * (a * b).sqrt())).max(0.0);
        let pull = 1.0 - (me.v / wish).powi(4).min(3.0);
        let push = if gap > 150.0 { 0.0 } else { (desired / gap.max(0.3)).powi(2) };
        let acceleration = (a * (pull - push)).clamp(-8.0, a);
        me.v = (me.v + acceleration * TICK_S).max(0.0);
        me.braking = acceleration < -0.7 || me.v < 0.2;
        me.stopped_s = if me.v < 0.4 { me.stopped_s + TICK_S } else { 0.0 };
        me.hazards = odd && me.v < 1.0 && gap < 12.0 && me.phase > 2.0;
        me.flashing = odd && ahead_v < -1.0 && gap < 60.0;

        let wander = 0.16 * (t * 0.31 + me.phase * 3.0).sin() + 0.08 * (t * 0.83 + me.phase).sin();
        let limit = (0.30 * me.v + if me.stopped_s > 0.0 { 0.0 } else { 0.12 }).min(1.5);
        let aside = ((target + wander - me.d) * 0.9).clamp(-limit, limit);
        me.s += dir * me.v * TICK_S;
        me.d += aside * TICK_S;
        let straight = if dir > 0.0 { 0.0 } else { PI };
        let wanted = straight + dir * aside.atan2(me.v.max(2.5));
        me.heading += turn(wanted, me.heading) * (me.v * 0.35 * TICK_S + 0.02).min(0.25);
    }

    /// The most speed a driver dares near what is out of the ordinary.
    fn wariness(&self, i: usize, dir: f32) -> f32 {
        let me = &self.vehicles[i];
        let mut most = f32::MAX;
        let mut look = |s: f32, d: f32| {
            let ahead = dir * (s - me.s);
            if (-4.0..30.0).contains(&ahead) {
                let aside = (d - me.d).abs();
                if aside < 5.0 {
                    most = most.min(4.5 + 0.22 * ahead.max(0.0));
                } else if aside < 11.0 {
                    most = most.min(7.5 + 0.22 * ahead.max(0.0));
                }
            }
        };
        for v in self.vehicles.iter().filter(|v| v.scripted) {
            look(v.s, v.d);
        }
        for b in &self.blocks {
            look(b.s, b.d);
        }
        most
    }

    /// Choose the line that leads furthest, the own lane for choice.
    fn steer_round(&mut self, i: usize, road: &Road, dir: f32) {
        let me = &self.vehicles[i];
        let half = me.size[1] * 0.5;
        let centre = road.lanes[me.lane].centre;
        let mut best = (me.target, me.lane, f32::MIN);
        let mut consider = |d: f32, lane: usize, cost: f32| {
            let (gap, ahead_v, _) = self.ahead(i, d, dir);
            // Someone beside or close behind on that line?
            let taken = self.vehicles.iter().enumerate().any(|(j, v)| {
                let behind = dir * (me.s - v.s);
                let (long, wide) = v.extent();
                let room = if v.v > me.v { 3.0 + (v.v - me.v) * 2.0 } else { 1.5 };
                j != i
                    && behind > -long - me.size[0] * 0.5
                    && behind < long + me.size[0] * 0.5 + room
                    && (v.d - d).abs() < wide + half + 0.2
            });
            if taken && (d - me.d).abs() > 0.3 {
                return;
            }
            let free = if ahead_v < -2.0 { gap - 60.0 } else { gap };
            let worth = free.min(40.0) - cost;
            if worth > best.2 {
                best = (d, lane, worth);
            }
        };
        consider(centre, me.lane, 0.0);
        for (lane, at) in road.lanes.iter().enumerate() {
            if at.dir == dir && lane != me.lane {
                consider(at.centre, lane, 5.0);
            }
        }
        for offset in [-2.8_f32, -2.0, -1.3, -0.7, 0.7, 1.3, 2.0, 2.8] {
            let d = centre + offset;
            let own_side = dir * d - half;
            if dir * d + half > road.paved - 0.1 || road.median > 0.0 && own_side < road.median {
                continue;
            }
            // Over the middle only where nobody comes.
            let cost = 3.0 + 3.0 * offset.abs() + if own_side < 0.0 { 6.0 } else { 0.0 };
            consider(d, me.lane, cost);
        }
        let me = &mut self.vehicles[i];
        (me.target, me.lane) = (best.0, best.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_traffic_neither_stops_nor_touches() {
        for seed in 0..12 {
            let place = Place::draw(seed, (640, 360));
            let mut traffic = Traffic::new(seed, &place);
            let mut most = 0;
            for tick in 0..2500 {
                traffic.step(&place.road, tick as f32 * TICK_S);
                most = most.max(traffic.vehicles.len());
                for (i, a) in traffic.vehicles.iter().enumerate() {
                    assert!(a.v > 1.0, "seed {seed}: {:?} stands at {}", a.body, a.s);
                    for b in &traffic.vehicles[..i] {
                        let (la, wa) = a.extent();
                        let (lb, wb) = b.extent();
                        assert!(
                            (a.s - b.s).abs() > la + lb || (a.d - b.d).abs() > wa + wb,
                            "seed {seed} tick {tick}: {a:?} meets {b:?}"
                        );
                    }
                }
            }
            assert!(most >= 3, "seed {seed}: the road is empty");
        }
    }
}
