//! The place: a seed in; the road, where the camera hangs, and the stage (the stretch of road where an incident is well
//! seen) out. Traffic keeps to the right.

use std::f32::consts::PI;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::camera::{Camera, V3, v3};

/// One lane.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Its middle, metres right of the road's middle.
    pub centre: f32,
    /// 1 where traffic drives away along z, -1 where it comes.
    pub dir: f32,
}

/// What lies beside the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Kerbs, pavements, houses.
    Town,
    /// Verges, trees, fields.
    Country,
}

/// A road along z, bent gently to one side.
#[derive(Clone, Debug)]
pub struct Road {
    /// The lanes, from left to right.
    pub lanes: Vec<Lane>,
    /// Width of a lane, metres.
    pub lane_width: f32,
    /// Half the width of the median; 0 when only paint divides the directions.
    pub median: f32,
    /// Half the width between the edge lines.
    pub edge: f32,
    /// Half the width of the paved road.
    pub paved: f32,
    /// Width of the pavement beyond the kerb; 0 in the country.
    pub pavement: f32,
    /// Bend: the road's middle is at x = bend z² / 2.
    pub bend: f32,
    /// Town or country.
    pub setting: Setting,
    /// Traffic's wish, metres per second.
    pub speed: f32,
}

/// Where the road begins and ends for traffic, metres along.
pub const ROAD: std::ops::Range<f32> = -30.0..190.0;

impl Road {
    fn draw(rng: &mut Pcg64Mcg) -> Self {
        let dual = rng.random_bool(0.4);
        let setting = if rng.random_bool(if dual { 0.4 } else { 0.65 }) { Setting::Town } else { Setting::Country };
        let per_direction = if dual || rng.random_bool(0.4) { 2 } else { 1 };
        let lane_width = rng.random_range(3.2..3.7);
        let median: f32 = if dual { rng.random_range(0.8..2.0) } else { 0.0 };
        let edge = median + per_direction as f32 * lane_width;
        let shoulder = match (dual, setting) {
            (true, Setting::Country) => rng.random_range(1.8..2.8),
            (false, Setting::Country) => rng.random_range(0.5..1.2),
            (_, Setting::Town) => rng.random_range(0.3..0.8),
        };
        let mut lanes = Vec::new();
        for i in 0..per_direction {
            let centre = median + (i as f32 + 0.5) * lane_width;
            lanes.push(Lane { centre, dir: 1.0 });
            lanes.insert(0, Lane { centre: -centre, dir: -1.0 });
        }
        Self {
            lanes,
            lane_width,
            median,
            edge,
            paved: edge + shoulder,
            pavement: if setting == Setting::Town { rng.random_range(1.8..3.5) } else { 0.0 },
            bend: rng.random_range(-0.0022..0.0022_f32) * if rng.random_bool(0.5) { 1.0 } else { 0.2 },
            setting,
            speed: if dual { rng.random_range(14.0..20.0) } else { rng.random_range(9.0..13.0) },
        }
    }

    /// The world point `s` along, `d` to the right of the road's middle, `y` up.
    pub fn point(&self, s: f32, d: f32, y: f32) -> V3 {
        v3(d + 0.5 * self.bend * s * s, y, s)
    }

    /// The road's direction at `s`: radians to the right of z.
    pub fn heading(&self, s: f32) -> f32 {
        (self.bend * s).atan()
    }

    /// Along and across, of a point of the ground.
    pub fn along_across(&self, p: V3) -> (f32, f32) {
        (p.z, p.x - 0.5 * self.bend * p.z * p.z)
    }

    /// Whether `d` is where vehicles drive.
    pub fn in_lanes(&self, d: f32) -> bool {
        d.abs() < self.edge && d.abs() >= self.median
    }
}

/// The place, drawn from the seed.
#[derive(Clone, Debug)]
pub struct Place {
    /// The road.
    pub road: Road,
    /// The view on it.
    pub camera: Camera,
    /// How far along the stage is, metres.
    pub stage: f32,
}

impl Place {
    /// The place of this seed, in pictures of `size` pixels.
    pub fn draw(seed: u64, size: (u32, u32)) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x01ac_e000);
        let road = Road::draw(&mut rng);
        let width = size.0 as f32;
        let focal = width * rng.random_range(0.82..1.15);
        let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let x = match rng.random_range(0..10) {
            0..=5 => side * (road.paved + rng.random_range(0.8..5.5)),
            6..=7 => side * road.edge * 0.5,
            _ => side * rng.random_range(0.0..0.8),
        };
        let stage: f32 = rng.random_range(19.0..27.0) * focal / width;
        let high: f32 = rng.random_range(5.8..9.5);
        let below: f32 = rng.random_range(0.02..0.12) * size.1 as f32;
        let pitch = ((high / stage.hypot(x)).atan() - (below / focal).atan()).clamp(0.10, 0.38);
        let aim = road.point(stage, 0.0, 0.0);
        let yaw = (aim.x - x).atan2(aim.z) + rng.random_range(-0.07..0.07);
        let roll = rng.random_range(-0.012..0.012);
        Self { camera: Camera::new(v3(x, high, 0.0), yaw, pitch, roll, focal, size), road, stage }
    }

    /// The nearest point of a lane that the picture shows, metres along.
    pub fn near_edge(&self, d: f32) -> f32 {
        let mut s = -10.0;
        while s < self.stage {
            if let Some((x, y, _)) = self.camera.project(self.road.point(s, d, 0.5))
                && self.camera.inside(x, y, 0.0)
            {
                break;
            }
            s += 0.5;
        }
        s
    }
}

/// The smaller difference between two directions, radians.
pub fn turn(a: f32, b: f32) -> f32 {
    let d = (a - b).rem_euclid(2.0 * PI);
    if d > PI { d - 2.0 * PI } else { d }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_well_seen_from_every_viewpoint() {
        for seed in 0..300 {
            let place = Place::draw(seed, (640, 360));
            for lane in &place.road.lanes {
                let p = place.road.point(place.stage, lane.centre, 0.7);
                let (x, y, scale) = place.camera.project(p).unwrap();
                assert!(place.camera.inside(x, y, 10.0), "seed {seed}: {x} {y}");
                assert!(scale * 4.5 > 0.08 * 640.0, "seed {seed}: a car is {} pixels", scale * 4.5);
                assert!(place.near_edge(lane.centre) < place.stage - 2.0, "seed {seed}");
            }
        }
    }

    #[test]
    fn along_and_across_undo_point() {
        let road = Place::draw(3, (640, 360)).road;
        let (s, d) = road.along_across(road.point(40.0, -2.0, 0.0));
        assert!((s - 40.0).abs() < 1e-4 && (d + 2.0).abs() < 1e-4);
    }
}
