//! The light and the air of one recording: a spec in; sun, sky, lamps, haze, rain and the camera's noise out.

use std::f32::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::camera::{V3, v3};
use super::spec::{Light, SimSpec};
use super::world::{Place, Setting};

/// A colour, 0 to 1.
pub type Rgb = [f32; 3];

/// `a` mixed with `b`.
pub fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [0, 1, 2].map(|k| a[k] + (b[k] - a[k]) * t)
}

/// `a` times `b`, channel by channel.
pub fn lit(a: Rgb, b: Rgb) -> Rgb {
    [0, 1, 2].map(|k| a[k] * b[k])
}

/// Light, air and sensor.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Day, dusk or night.
    pub light: Light,
    /// It rains.
    pub rain: bool,
    /// Direction to the sun.
    pub sun: V3,
    /// The sun's light; black under cloud and at night.
    pub sunlight: Rgb,
    /// Light from everywhere.
    pub ambient: Rgb,
    /// The sky overhead and at the horizon.
    pub sky: [Rgb; 2],
    /// What distance fades into.
    pub haze: Rgb,
    /// Haze per metre.
    pub haze_per_m: f32,
    /// The street lamps, at the lamp; empty by day.
    pub lamps: Vec<V3>,
    /// The posts, at the foot, with the lamp's reach over the road.
    pub posts: Vec<(V3, f32)>,
    /// Colour of the lamps' light.
    pub lamp_colour: Rgb,
    /// Vehicles have their lights on.
    pub headlights: bool,
    /// Cloud cover, 0 to 1.
    pub cloud: f32,
    /// Sensor noise, standard deviation in 8-bit steps.
    pub noise: f32,
    /// JPEG-like quality, 50 to 85.
    pub quality: f32,
    /// Slow change of exposure: amount, period in seconds, phase.
    pub drift: (f32, f32, f32),
    /// Shake in pixels.
    pub shake: f32,
    /// White balance.
    pub balance: Rgb,
}

impl Weather {
    /// The weather of `spec` at `place`.
    pub fn draw(spec: &SimSpec, place: &Place) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(spec.seed ^ 0x0009_3a73);
        let light = match rng.random_range(0..100) {
            0..=54 => Light::Day,
            55..=74 => Light::Dusk,
            _ => Light::Night,
        };
        let rain = rng.random_bool(0.2);
        let (light, rain) = (spec.light.unwrap_or(light), spec.rain.unwrap_or(rain));
        let mut cloud: f32 = rng.random_range(0.0..1.0);
        if rain {
            cloud = cloud.max(0.85);
        }
        let clear = (1.0 - cloud * 1.25).max(0.0);
        let azimuth: f32 = rng.random_range(0.0..TAU);
        let high: f32 = if light == Light::Dusk { 0.16 } else { rng.random_range(0.45..1.1) };
        let sun = v3(azimuth.sin() * high.cos(), high.sin(), azimuth.cos() * high.cos());
        let dim = if rain { 0.8 } else { 1.0 };
        let night = rng.random_range(0.22..0.32);
        let (ambient, sunlight, sky) = match light {
            Light::Day => (
                mix([0.72, 0.76, 0.82], [0.92, 0.93, 0.94], cloud).map(|c| c * dim),
                [0.55 * clear, 0.52 * clear, 0.44 * clear],
                [
                    mix([0.36, 0.56, 0.82], [0.62, 0.65, 0.68], cloud).map(|c| c * dim),
                    mix([0.74, 0.83, 0.90], [0.80, 0.81, 0.82], cloud).map(|c| c * dim),
                ],
            ),
            Light::Dusk => (
                mix([0.58, 0.55, 0.60], [0.60, 0.61, 0.66], cloud).map(|c| c * dim),
                [0.22 * clear, 0.14 * clear, 0.07 * clear],
                [
                    mix([0.24, 0.30, 0.46], [0.34, 0.36, 0.42], cloud),
                    mix([0.82, 0.58, 0.42], [0.50, 0.50, 0.54], cloud),
                ],
            ),
            Light::Night => {
                ([night * 0.92, night * 0.96, night * 1.12], [0.0; 3], [[0.03, 0.035, 0.055], [0.09, 0.085, 0.09]])
            }
        };
        let fog = if rng.random_bool(0.12) { rng.random_range(0.006..0.012) } else { rng.random_range(0.0006..0.002) };
        let haze_per_m = if rain { 0.004 + fog } else { fog };
        let lamp_colour = if rng.random_bool(0.5) { [1.0, 0.70, 0.36] } else { [0.88, 0.92, 0.96] };
        let road = &place.road;
        let mut posts = Vec::new();
        if road.setting == Setting::Town || rng.random_bool(0.55) {
            let step = rng.random_range(26.0..36.0);
            let mut s = rng.random_range(4.0..24.0);
            let mut side = if place.camera.at.x > 0.0 { -1.0 } else { 1.0 };
            while s < 240.0 {
                let d = side * (road.paved + 0.7);
                // A post between the lens and the road would hide it.
                if (place.camera.at.x - d) * side < -1.0 || s > 60.0 {
                    posts.push((road.point(s, d, 0.0), -side * 1.8));
                }
                if road.median > 0.0 || road.lanes.len() > 2 {
                    side = -side;
                }
                s += step;
            }
        }
        let lamps = if light == Light::Day {
            Vec::new()
        } else {
            posts.iter().map(|(p, reach)| v3(p.x + reach, 8.5, p.z)).collect()
        };
        let noise = match light {
            Light::Day => rng.random_range(1.0..2.5),
            Light::Dusk => rng.random_range(2.0..4.5),
            Light::Night => rng.random_range(3.5..7.0),
        };
        let warm = rng.random_range(-0.04..0.04);
        Self {
            light,
            rain,
            sun,
            sunlight,
            ambient,
            sky,
            haze: mix(sky[1], ambient, 0.3),
            haze_per_m,
            lamps,
            posts,
            lamp_colour,
            headlights: light != Light::Day || rain || haze_per_m > 0.006,
            cloud,
            noise,
            quality: rng.random_range(50.0..85.0),
            drift: (rng.random_range(0.01..0.07), rng.random_range(14.0..45.0), rng.random_range(0.0..TAU)),
            shake: if rng.random_bool(0.4) { rng.random_range(0.2..1.1) * place.camera.magnification() } else { 0.0 },
            balance: [1.0 + warm, 1.0, 1.0 - warm],
        }
    }

    /// `colour` seen through `distance` metres of air.
    pub fn through(&self, colour: Rgb, distance: f32) -> Rgb {
        mix(colour, self.haze, 1.0 - (-distance * self.haze_per_m).exp())
    }

    /// The street lamps' light at a point near the ground.
    pub fn lamplight(&self, p: V3) -> Rgb {
        let mut sum = 0.0;
        for lamp in &self.lamps {
            let (dx, dz) = (p.x - lamp.x, p.z - lamp.z);
            let q = (dx * dx + dz * dz) / (lamp.y * lamp.y);
            sum += 1.0 / ((1.0 + q) * (1.0 + q));
        }
        let strength = if self.light == Light::Night { 0.62 } else { 0.16 };
        self.lamp_colour.map(|c| c * sum.min(1.4) * strength)
    }

    /// Light that falls on a surface at `p` with this outward normal.
    pub fn falling(&self, p: V3, normal: V3) -> Rgb {
        let sun = normal.dot(self.sun).max(0.0);
        let open = 0.72 + 0.28 * normal.y.max(-0.5);
        let lamps = self.lamplight(p);
        let up = 0.45 + 0.55 * normal.y.max(0.0);
        [0, 1, 2].map(|k| self.ambient[k] * open + self.sunlight[k] * sun + lamps[k] * up)
    }
}
