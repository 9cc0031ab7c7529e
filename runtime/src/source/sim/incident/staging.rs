//! What all incidents need: taking hold of vehicles, bringing them to rest, clearing the road; smoke and bystanders.
//! Only vehicles that are out of the picture appear or vanish at once.

use rand::RngExt;

use super::Incident;
use crate::source::sim::camera::{V3, v3};
use crate::source::sim::scene::{Person, Puff, Scene};
use crate::source::sim::traffic::TICK_S;
use crate::source::sim::vehicle::{Body, Vehicle, direction};
use crate::source::sim::world::turn;

impl Incident {
    /// Take hold of the vehicle that can first come to rest on the stage; with none near, bring one in at the near edge
    /// of the picture, where traffic drives away.
    pub(super) fn cast(&mut self, scene: &mut Scene, wanted: Option<Body>, may_come: bool) -> Option<u32> {
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
            None => self.bring(scene, wanted.unwrap_or(Body::Car), None, 4.0)?,
        };
        if let Some(v) = scene.traffic.get(id) {
            v.scripted = true;
        }
        self.actors.push(id);
        Some(id)
    }

    /// Bring in a vehicle just outside the near edge of the picture, in a lane where traffic drives away.
    pub(super) fn bring(&mut self, scene: &mut Scene, body: Body, lane: Option<usize>, outside: f32) -> Option<u32> {
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
            return None;
        }
        scene.traffic.vehicles.retain(|v| !in_the_way(v));
        new.id = scene.traffic.new_id();
        let id = new.id;
        scene.traffic.vehicles.push(new);
        Some(id)
    }

    /// Brake actor `id` so that it rests at `s`, in its lane moved by `aside`; true once it rests.
    pub(super) fn brake_to(scene: &mut Scene, id: u32, s: f32, aside: f32) -> bool {
        let road = &scene.place.road;
        let Some(v) = scene.traffic.get(id) else {
            return true;
        };
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
    pub(super) fn clear(&mut self, scene: &mut Scene, drives: bool) -> bool {
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
            let Some(v) = scene.traffic.get(id) else {
                continue;
            };
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

    pub(super) fn puff(&mut self, at: V3, grey: f32, density: f32, size: f32, life: f32) -> Puff {
        let wind = v3(0.5 * (self.draw[0] - 0.5) + 0.4, 0.0, 0.8 * (self.draw[1] - 0.5));
        let mut jitter = |r: f32| self.rng.random_range(-r..r);
        let lift = 1.0 + size * 1.4;
        let v = v3(wind.x + jitter(0.3), lift + jitter(0.35), wind.z + jitter(0.3));
        let at = at.plus(v3(jitter(0.4), jitter(0.15), jitter(0.4)));
        Puff { at, v, age: (0.0, life), radius: (0.35 * size, 0.42 * size), grey, density }
    }

    pub(super) fn bystander(&mut self, scene: &mut Scene, s: f32, d: f32) {
        let mut person = Person::new(s, d, &mut self.rng);
        person.involved = true;
        self.errands.push((s, d, 0.0));
        scene.people.push(person);
    }
}
