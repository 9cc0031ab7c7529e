//! A point of the ground in, its colour out: asphalt with worn tracks, paint, kerbs, slabs, grass, under the sun or the
//! lamps, wet or dry.

use crate::source::sim::camera::{V3, v3};
use crate::source::sim::spec::Light;
use crate::source::sim::weather::{Rgb, Weather, lit, mix};
use crate::source::sim::world::Road;

/// A number from 0 to 1 for a cell of the plane.
pub(super) fn hash(x: i32, y: i32, salt: u32) -> f32 {
    let mut h =
        (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77) ^ salt.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    (h >> 8) as f32 / 16_777_216.0
}

/// Smooth noise from 0 to 1 with features of size 1.
pub(super) fn noise(x: f32, y: f32, salt: u32) -> f32 {
    let (xi, yi) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - xi), ease(y - yi));
    let (i, j) = (xi as i32, yi as i32);
    let top = hash(i, j, salt) * (1.0 - u) + hash(i + 1, j, salt) * u;
    let low = hash(i, j + 1, salt) * (1.0 - u) + hash(i + 1, j + 1, salt) * u;
    top * (1.0 - v) + low * v
}

/// The ground of one place, shaded point by point.
pub(super) struct Ground<'a> {
    pub(super) road: &'a Road,
    pub(super) weather: &'a Weather,
    pub(super) salt: u32,
    /// The middle line is yellow.
    pub(super) yellow: bool,
    /// Length of a dash and of the gap after it, metres.
    pub(super) dash: (f32, f32),
    pub(super) asphalt: f32,
    pub(super) concrete_median: bool,
}

impl Ground<'_> {
    fn asphalt(&self, s: f32, d: f32, grain: f32) -> Rgb {
        let patch = noise(s * 0.11, d * 0.35, self.salt) - 0.5;
        let fine = noise(s * 2.3, d * 5.0, self.salt + 1) - 0.5;
        let dust = hash((s * 14.0) as i32, (d * 14.0) as i32, self.salt + 2) - 0.5;
        let mut v = self.asphalt + 0.06 * patch + (0.05 * fine + 0.07 * dust) * grain;
        for lane in &self.road.lanes {
            let across = d - lane.centre;
            // Two worn tracks, and oil between them.
            for track in [-0.8, 0.8] {
                let q = (across - track) / 0.45;
                v += 0.022 * (-q * q).exp();
            }
            let q = across / 0.35;
            v -= 0.022 * (-q * q).exp();
        }
        // Sealed joints across.
        let joint = (s + 0.8 * noise(d * 0.8, s * 0.02, self.salt + 3)).rem_euclid(23.0);
        if joint < 0.09 {
            v -= 0.08 * grain;
        }
        [v, v, v * 1.02]
    }

    fn marking(&self, s: f32, d: f32) -> Option<Rgb> {
        let road = self.road;
        let white = [0.82, 0.82, 0.80];
        let line = |at: f32, half: f32| (d - at).abs() < half;
        let dashed = s.rem_euclid(self.dash.0 + self.dash.1) < self.dash.0;
        let worn = noise(s * 1.3, d * 3.0, self.salt + 9) > 0.16;
        if !worn {
            return None;
        }
        if line(road.edge, 0.08) || line(-road.edge, 0.08) {
            return Some(white);
        }
        if road.median > 0.0 {
            if line(road.median + 0.1, 0.07) || line(-road.median - 0.1, 0.07) {
                return Some(if self.yellow { [0.82, 0.66, 0.22] } else { white });
            }
        } else {
            let paint = if self.yellow { [0.82, 0.64, 0.20] } else { white };
            if road.lanes.len() > 2 {
                if line(0.13, 0.065) || line(-0.13, 0.065) {
                    return Some(paint);
                }
            } else if line(0.0, 0.075) && dashed {
                return Some(paint);
            }
        }
        if road.lanes.len() > 2 && dashed {
            let at = road.median + road.lane_width;
            if line(at, 0.07) || line(-at, 0.07) {
                return Some(white);
            }
        }
        None
    }

    fn albedo(&self, s: f32, d: f32, grain: f32) -> Rgb {
        let road = self.road;
        let side = d.abs();
        let grass = |salt: u32| {
            let big = noise(s * 0.25, d * 0.3, salt);
            let small = noise(s * 3.1, d * 3.1, salt + 1) * grain + 0.5 * (1.0 - grain);
            let tuft = hash((s * 9.0) as i32, (d * 9.0) as i32, salt + 2) * grain + 0.5 * (1.0 - grain);
            let base = mix([0.20, 0.28, 0.12], [0.36, 0.36, 0.20], big);
            base.map(|c| c * (0.62 + 0.42 * small + 0.26 * tuft))
        };
        if side < road.median - 0.08 {
            return if self.concrete_median {
                [0.50 + 0.06 * noise(s * 2.0, d * 4.0, self.salt)].map(|v| [v, v, v * 0.97])[0]
            } else {
                grass(self.salt + 20)
            };
        }
        if side < road.median {
            return [0.58, 0.57, 0.55];
        }
        if side < road.paved {
            return self.marking(s, d).unwrap_or_else(|| self.asphalt(s, d, grain));
        }
        if road.pavement > 0.0 {
            if side < road.paved + 0.22 {
                return if side < road.paved + 0.08 { [0.30, 0.30, 0.30] } else { [0.60, 0.59, 0.57] };
            }
            if side < road.paved + road.pavement {
                let joint = s.rem_euclid(0.9) < 0.04 || (side - road.paved).rem_euclid(0.9) < 0.04;
                let slab = 0.46 + 0.06 * hash((s / 0.9).floor() as i32, (side / 0.9) as i32, self.salt + 5);
                let v =
                    if joint { slab - 0.12 * grain } else { slab } + 0.03 * (noise(s * 4.0, d * 4.0, 3) - 0.5) * grain;
                return [v, v * 0.985, v * 0.95];
            }
        } else if side < road.paved + 1.1 {
            let edge = (side - road.paved) / 1.1;
            let gravel = 0.36 + 0.16 * (hash((s * 12.0) as i32, (d * 12.0) as i32, 8) - 0.5) * grain;
            return mix(
                [gravel, gravel * 0.95, gravel * 0.84],
                grass(self.salt + 30),
                edge + 0.5 * (noise(s, d, 4) - 0.5),
            );
        }
        grass(self.salt + 40)
    }

    /// The colour of the ground at `p`, seen from `distance` metres away.
    pub(super) fn shade(&self, p: V3, distance: f32) -> Rgb {
        let (s, d) = self.road.along_across(p);
        let grain = (22.0 / distance).clamp(0.0, 1.0);
        let mut albedo = self.albedo(s, d, grain);
        let paved = d.abs() < self.road.paved;
        if self.weather.rain && paved {
            albedo = albedo.map(|c| c * 0.66);
        }
        let mut colour = lit(albedo, self.weather.falling(p, v3(0.0, 1.0, 0.0)));
        if self.weather.rain && paved {
            // A wet road mirrors the sky, the flatter the look the more.
            let puddle = noise(s * 0.18, d * 0.7, self.salt + 60);
            let mirror = (distance / 160.0).min(0.42) + 0.16 * (puddle - 0.55).max(0.0) / 0.45;
            colour =
                mix(colour, self.weather.sky[1], mirror * if self.weather.light == Light::Night { 0.5 } else { 0.8 });
        }
        self.weather.through(colour, distance)
    }
}
