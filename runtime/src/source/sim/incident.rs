//! What goes wrong: at the onset this takes hold of vehicles on the stage, or brings some, and plays its part; at the end
//! it hands them back or has them taken away. Its random numbers are its own, and before the onset it does nothing, so
//! that the footage until then is that of the same seed without an incident.
//!
//! [`Incident::evident`] says whether the picture shows something abnormal at this tick: that is the ground truth.

use std::f32::consts::{FRAC_PI_2, PI};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::camera::{V3, v3};
use super::scene::{Person, Puff, Scene, Thing};
use super::spec::{IncidentKind, SimSpec};
use super::traffic::{Block, Body, TICK_S, Vehicle, direction};
use super::world::{Place, turn};

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

/// Where in the act a vehicle is to be found.
enum Found {
    Vehicle(u32),
    NotYet,
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

    /// Take hold of the vehicle that can first come to rest on the stage; with none near, bring one in at the near edge
    /// of the picture, where traffic drives away.
    fn cast(&mut self, scene: &mut Scene, wanted: Option<Body>, may_come: bool) -> Found {
        let place = &scene.place;
        let road = &place.road;
        let mut best: Option<(f32, u32)> = None;
        for v in &scene.traffic.vehicles {
            let dir = road.lanes[v.lane].dir;
            let distance = dir * (place.stage - v.s);
            let fits = wanted.map_or(v.body != Body::Motorcycle && v.body != Body::Bus, |body| v.body == body);
            if v.scripted || !fits || !may_come && dir < 0.0 || v.v < 1.0 {
                continue;
            }
            // Near enough to be seen soon, far enough to come to rest.
            let in_sight = dir < 0.0 || v.s > place.near_edge(road.lanes[v.lane].centre) - 10.0;
            if distance < 2.0 + v.v * v.v / 9.0 || distance > v.v * 4.5 || !in_sight {
                continue;
            }
            if best.is_none_or(|(least, _)| distance / v.v < least) {
                best = Some((distance / v.v, v.id));
            }
        }
        let id = match best {
            Some((_, id)) => id,
            None => match self.bring(scene, wanted.unwrap_or(Body::Car), None, 4.0) {
                Found::Vehicle(id) => id,
                Found::NotYet => return Found::NotYet,
            },
        };
        if let Some(v) = scene.traffic.get(id) {
            v.scripted = true;
        }
        self.actors.push(id);
        Found::Vehicle(id)
    }

    /// Bring in a vehicle just outside the near edge of the picture, in a lane where traffic drives away.
    fn bring(&mut self, scene: &mut Scene, body: Body, lane: Option<usize>, outside: f32) -> Found {
        let place = &scene.place;
        let road = &place.road;
        let away: Vec<usize> = (0..road.lanes.len()).filter(|i| road.lanes[*i].dir > 0.0).collect();
        let lane = lane.unwrap_or(away[(self.draw[3] * away.len() as f32) as usize % away.len()]);
        let at = road.lanes[lane].centre;
        let mut new = Vehicle::new(0, body, lane, road, &mut self.rng);
        new.s = place.near_edge(at) - outside - new.size[0] * 0.5;
        new.v = (5.0 * (place.stage - new.s)).max(9.0).sqrt().min(road.speed);
        let near = place.near_edge(at);
        let in_the_way = |v: &Vehicle| {
            let (long, wide) = v.extent();
            (v.d - at).abs() < wide + 1.3 && (v.s - new.s).abs() < long + new.size[0] * 0.5 + 4.0
        };
        // Whoever is in the way and out of the picture was never there.
        let hidden = |v: &Vehicle| !v.scripted && v.s + v.extent().0 < near - 1.0;
        if scene.traffic.vehicles.iter().any(|v| in_the_way(v) && !hidden(v)) {
            return Found::NotYet;
        }
        scene.traffic.vehicles.retain(|v| !in_the_way(v));
        new.id = scene.traffic.new_id();
        let id = new.id;
        scene.traffic.vehicles.push(new);
        Found::Vehicle(id)
    }

    /// Brake actor `id` so that it rests at `s`, in its lane moved by `aside`; true once it rests.
    fn brake_to(scene: &mut Scene, id: u32, s: f32, aside: f32) -> bool {
        let road = &scene.place.road;
        let Some(v) = scene.traffic.get(id) else { return true };
        let dir = road.lanes[v.lane].dir;
        let left = (dir * (s - v.s)).max(0.05);
        let needed = v.v * v.v / (2.0 * left);
        let target = road.lanes[v.lane].centre + dir * aside;
        let wanted = direction(road, v.lane) + (dir * (target - v.d) * 0.25).clamp(-0.25, 0.25);
        let rate = turn(wanted, v.heading) * (v.v * 0.4).min(2.0);
        if v.v < 0.25 {
            v.v = 0.0;
            v.braking = true;
            return true;
        }
        let acceleration = if needed > 1.8 || left < 1.0 { -needed.clamp(0.5, 8.0) } else { 0.2 };
        v.roll(acceleration, rate);
        false
    }

    /// Clear the road: what cannot drive off fades away; true when that is done.
    fn clear(&mut self, scene: &mut Scene, drives: bool) -> bool {
        let fade = TICK_S / 3.0;
        for thing in &mut scene.things {
            thing.opacity = (thing.opacity - fade).max(0.0);
        }
        for person in scene.people.iter_mut().filter(|p| p.involved) {
            person.opacity = (person.opacity - fade).max(0.0);
        }
        let place = scene.place.clone();
        let mut gone = true;
        for id in self.actors.clone() {
            let Some(v) = scene.traffic.get(id) else { continue };
            if drives {
                if v.scripted {
                    let ahead = v.heading.cos();
                    let lane = place
                        .road
                        .lanes
                        .iter()
                        .enumerate()
                        .filter(|(_, l)| l.dir * ahead >= 0.0)
                        .min_by(|(_, a), (_, b)| (a.centre - v.d).abs().total_cmp(&(b.centre - v.d).abs()))
                        .map_or(v.lane, |(i, _)| i);
                    v.release(lane, &place.road);
                }
            } else {
                v.opacity -= fade;
                gone &= v.opacity <= 0.0;
                let (s, d) = (v.s, v.d);
                self.show(&place, s, d, 4.0);
            }
        }
        if let Some((s, d)) = scene.things.first().map(|thing| (thing.at[0], thing.at[1])) {
            gone = false;
            self.show(&place, s, d, 1.0);
        }
        gone
    }

    fn puff(&mut self, at: V3, grey: f32, density: f32, size: f32, life: f32) -> Puff {
        let wind = v3(0.5 * (self.draw[0] - 0.5) + 0.4, 0.0, 0.8 * (self.draw[1] - 0.5));
        let mut jitter = |r: f32| self.rng.random_range(-r..r);
        let lift = 1.0 + size * 1.4;
        let v = v3(wind.x + jitter(0.3), lift + jitter(0.35), wind.z + jitter(0.3));
        let at = at.plus(v3(jitter(0.4), jitter(0.15), jitter(0.4)));
        Puff { at, v, age: (0.0, life), radius: (0.35 * size, 0.42 * size), grey, density }
    }

    fn shard(&mut self, s: f32, d: f32, along: f32) -> Thing {
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

    fn bystander(&mut self, scene: &mut Scene, s: f32, d: f32) {
        let mut person = Person::new(s, d, &mut self.rng);
        person.involved = true;
        self.errands.push((s, d, 0.0));
        scene.people.push(person);
    }

    fn collision(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        match self.act.0 {
            0 => {
                // The one that is hit: prefer a lane where traffic drives away, so that a second one can be brought.
                if let Found::Vehicle(_) = self.cast(scene, None, false) {
                    self.go(1, t);
                }
            }
            1 => {
                let first = self.actors[0];
                Self::brake_to(scene, first, place.stage, 0.0);
                let Some(a) = scene.traffic.get(first).cloned() else { return };
                // The one that runs into it: whoever follows, or one brought from outside the picture.
                let behind = scene
                    .traffic
                    .vehicles
                    .iter()
                    .filter(|v| !v.scripted && v.body != Body::Motorcycle && (v.d - a.d).abs() < 1.2 && v.s < a.s)
                    .filter(|v| a.s - v.s < 45.0)
                    .max_by(|p, q| p.s.total_cmp(&q.s))
                    .map(|v| v.id);
                let second = behind.or_else(|| if a.s < place.stage - 5.0 { None } else { match self.bring(scene, Body::Car, Some(a.lane), 2.0) {
                    Found::Vehicle(id) => Some(id),
                    Found::NotYet => None,
                } });
                if let Some(v) = second.and_then(|id| scene.traffic.get(id)) {
                    v.scripted = true;
                    self.actors.push(v.id);
                    self.go(2, t);
                }
            }
            2 => {
                let (first, second) = (self.actors[0], self.actors[1]);
                Self::brake_to(scene, first, place.stage, 0.0);
                let Some(a) = scene.traffic.get(first).cloned() else { return };
                let Some(b) = scene.traffic.get(second) else { return };
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
                    for v in [first, second].into_iter().filter_map(|id| scene.traffic.get(id).map(|v| v.id)).collect::<Vec<_>>() {
                        if let Some(v) = scene.traffic.get(v) {
                            v.v = if v.id == first { speed * 0.62 } else { speed * 0.38 };
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
                    let Some(v) = scene.traffic.get(id) else { continue };
                    let (sign, most) = if k == 0 { (side, 0.7 + 0.7 * self.draw[0]) } else { (-side, 0.35 + 0.7 * self.draw[1]) };
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
                        let Some((s, d)) = scene.traffic.get(id).map(|v| (v.s, v.d)) else { continue };
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

    fn illegal_turn(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        let id = match (self.act.0, self.actors.first()) {
            (0, _) => {
                if let Found::Vehicle(_) = self.cast(scene, Some(Body::Car), true) {
                    self.go(1, t);
                }
                return;
            }
            (_, Some(id)) => *id,
            _ => return,
        };
        let Some(v) = scene.traffic.get(id) else { return };
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
                    next = Some(if self.act.0 == 3 { 4 } else if t < self.until - 5.0 { 6 } else { 7 });
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

    fn occupation(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        match self.act.0 {
            0 => {
                if let Found::Vehicle(_) = self.cast(scene, None, true) {
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
                let Some(v) = scene.traffic.get(id) else { return };
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

    fn wrong_way(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        let apart = self.actors.last().and_then(|id| scene.traffic.get(*id)).map_or(f32::MAX, |v| {
            if v.heading.cos() > 0.0 { v.s } else { place.stage + 40.0 - v.s }
        });
        if (t < self.until - 9.0 || self.actors.is_empty()) && (self.actors.is_empty() || apart > place.stage + 14.0) && self.actors.len() < 60 {
            let comes = self.draw[0] < 0.35;
            let body = if self.rng.random_bool(0.8) { Body::Car } else { Body::Van };
            let lanes: Vec<usize> =
                (0..road.lanes.len()).filter(|i| (road.lanes[*i].dir > 0.0) == comes).collect();
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
            let Some(i) = scene.traffic.vehicles.iter().position(|v| v.id == id) else { continue };
            let dir = scene.traffic.vehicles[i].heading.cos().signum();
            let lane = road.lanes[scene.traffic.vehicles[i].lane];
            let (gap, ahead_v, _) = scene.traffic.ahead(i, scene.traffic.vehicles[i].d, dir);
            // Hold to the outside of the lane when someone comes; creep past.
            let v = &mut scene.traffic.vehicles[i];
            let outward = lane.centre.signum();
            let aside = if gap < 35.0 { (road.paved - v.size[1] * 0.5 - 0.2 - lane.centre.abs()).clamp(0.0, 1.6) } else { 0.0 };
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

    fn pedestrians(&mut self, scene: &mut Scene, t: f32) {
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
                self.errands[k] = (s, d, if self.rng.random_bool(0.5) { t + self.rng.random_range(0.5..2.5) } else { t });
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

    fn spill(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        match self.act.0 {
            0 => {
                // The load falls while it drives: bring a lorry unless one is coming.
                if let Found::Vehicle(id) = self.cast(scene, Some(Body::Flatbed), true) {
                    if let Some(v) = scene.traffic.get(id) {
                        v.load = 9;
                    }
                    self.go(1, t);
                }
            }
            1 => {
                let id = self.actors[0];
                let Some(v) = scene.traffic.get(id) else { return };
                let dir = v.heading.cos();
                let past = dir * (v.s - place.stage);
                // Slow past the stage, then stop beyond it.
                let wish: f32 = if past < 2.0 { 7.0 } else if past < 16.0 { 4.5 } else { 0.0 };
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

    fn cargo(&mut self, from: &Vehicle, side: f32) -> Thing {
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

    fn fire(&mut self, scene: &mut Scene, t: f32) {
        let place = scene.place.clone();
        let road = &place.road;
        match self.act.0 {
            0 => {
                if let Found::Vehicle(_) = self.cast(scene, None, true) {
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
                let Some(v) = scene.traffic.get(id) else { return };
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
