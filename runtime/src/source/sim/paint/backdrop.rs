//! What never moves, painted once: the ground (shaded point by point: asphalt, paint, kerbs, slabs, grass, the lamps'
//! light), the sky, houses, trees and lamp posts.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tiny_skia::Pixmap;

use super::canvas::Canvas;
use crate::source::sim::camera::{Camera, V3, v3};
use crate::source::sim::spec::Light;
use crate::source::sim::weather::{Rgb, Weather, lit, mix};
use crate::source::sim::world::{Place, Road, Setting};

/// A number from 0 to 1 for a cell of the plane.
fn hash(x: i32, y: i32, salt: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77) ^ salt.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    (h >> 8) as f32 / 16_777_216.0
}

/// Smooth noise from 0 to 1 with features of size 1.
fn noise(x: f32, y: f32, salt: u32) -> f32 {
    let (xi, yi) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - xi), ease(y - yi));
    let (i, j) = (xi as i32, yi as i32);
    let top = hash(i, j, salt) * (1.0 - u) + hash(i + 1, j, salt) * u;
    let low = hash(i, j + 1, salt) * (1.0 - u) + hash(i + 1, j + 1, salt) * u;
    top * (1.0 - v) + low * v
}

struct Ground<'a> {
    road: &'a Road,
    weather: &'a Weather,
    salt: u32,
    yellow: bool,
    dash: (f32, f32),
    asphalt: f32,
    concrete_median: bool,
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
                let v = if joint { slab - 0.12 * grain } else { slab } + 0.03 * (noise(s * 4.0, d * 4.0, 3) - 0.5) * grain;
                return [v, v * 0.985, v * 0.95];
            }
        } else if side < road.paved + 1.1 {
            let edge = (side - road.paved) / 1.1;
            let gravel = 0.36 + 0.16 * (hash((s * 12.0) as i32, (d * 12.0) as i32, 8) - 0.5) * grain;
            return mix([gravel, gravel * 0.95, gravel * 0.84], grass(self.salt + 30), edge + 0.5 * (noise(s, d, 4) - 0.5));
        }
        grass(self.salt + 40)
    }

    fn shade(&self, p: V3, distance: f32) -> Rgb {
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
            colour = mix(colour, self.weather.sky[1], mirror * if self.weather.light == Light::Night { 0.5 } else { 0.8 });
        }
        self.weather.through(colour, distance)
    }
}

fn sky(weather: &Weather, ray: V3, salt: u32) -> Rgb {
    let up = (ray.y / ray.norm()).clamp(0.0, 1.0);
    let base = mix(weather.sky[1], weather.sky[0], (up * 3.0).min(1.0).powf(0.7));
    let (x, z) = (ray.x / (up + 0.12), ray.z / (up + 0.12));
    let cover = 0.6 * noise(x * 0.9, z * 0.9, salt) + 0.3 * noise(x * 2.1, z * 2.1, salt + 1) + 0.1 * noise(x * 5.0, z * 5.0, salt + 2);
    let cloud = ((cover - 0.75 + 0.5 * weather.cloud) * 3.0).clamp(0.0, 1.0) * 0.7;
    let white = match weather.light {
        Light::Day => mix([0.95, 0.95, 0.96], [0.66, 0.68, 0.70], weather.cloud),
        Light::Dusk => [0.52, 0.44, 0.46],
        Light::Night => [0.10, 0.095, 0.10],
    };
    let far = 0.035 + 0.05 * noise(ray.x / ray.z.abs().max(0.05) * 3.0, 0.5, salt + 7) + 0.012 * noise(ray.x / ray.z.abs().max(0.05) * 31.0, 0.5, salt + 8);
    if up < far {
        // A far line of woods and roofs.
        let woods = lit([0.26, 0.30, 0.27], weather.ambient);
        return mix(woods, weather.haze, 0.45);
    }
    mix(base, white, cloud)
}

/// Paint what never moves; the picture is `margin` pixels larger on every side than the camera's.
pub fn paint(seed: u64, place: &Place, weather: &Weather, margin: u32) -> Option<Pixmap> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x00ba_cd20);
    let inner = &place.camera;
    let mut camera = inner.clone();
    camera.width += 2.0 * margin as f32;
    camera.height += 2.0 * margin as f32;
    let (w, h) = (camera.width as u32, camera.height as u32);
    let mut map = Pixmap::new(w, h)?;
    let ground = Ground {
        road: &place.road,
        weather,
        salt: seed as u32,
        yellow: rng.random_bool(0.35),
        dash: if rng.random_bool(0.5) { (3.0, 6.0) } else { (2.0, 3.0) },
        asphalt: rng.random_range(0.27..0.44),
        concrete_median: rng.random_bool(0.5),
    };
    let salt = seed as u32;
    for (i, pixel) in map.data_mut().chunks_exact_mut(4).enumerate() {
        let (x, y) = ((i as u32 % w) as f32, (i as u32 / w) as f32);
        let mut sum = [0.0; 3];
        for (dx, dy) in [(0.125, 0.375), (0.375, 0.875), (0.625, 0.125), (0.875, 0.625)] {
            let ray = camera.ray(x + dx, y + dy);
            let flat = if ray.y < -1e-4 { -camera.at.y / ray.y } else { f32::MAX };
            let colour = if flat < 900.0 {
                ground.shade(camera.at.plus(ray.times(flat)), flat)
            } else {
                sky(weather, ray, salt)
            };
            sum = [0, 1, 2].map(|k| sum[k] + colour[k] * 0.25);
        }
        for (value, c) in pixel.iter_mut().zip(sum) {
            *value = (c.clamp(0.0, 1.0) * 255.0) as u8;
        }
        pixel[3] = 255;
    }
    let mut canvas = Canvas::new(map);
    let mut scenery: Vec<(f32, Scenery)> = Vec::new();
    plan(place, weather, &mut rng, &mut scenery);
    scenery.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, item) in &scenery {
        match item {
            Scenery::House { s, d, size, colour, seed } => house(&mut canvas, &camera, weather, place, (*s, *d, *size), *colour, *seed),
            Scenery::Tree { at, high, seed } => tree(&mut canvas, &camera, weather, *at, *high, *seed),
            Scenery::Post { at, reach } => post(&mut canvas, &camera, weather, *at, *reach),
        }
    }
    Some(canvas.map)
}

enum Scenery {
    House { s: f32, d: f32, size: [f32; 3], colour: Rgb, seed: u32 },
    Tree { at: V3, high: f32, seed: u32 },
    Post { at: V3, reach: f32 },
}

/// Choose what stands beside the road, with its distance.
fn plan(place: &Place, weather: &Weather, rng: &mut Pcg64Mcg, out: &mut Vec<(f32, Scenery)>) {
    let road = &place.road;
    let lens = place.camera.at.x;
    let border = road.paved + road.pavement;
    for side in [-1.0_f32, 1.0] {
        // On the lens' own side nothing may stand between it and the road.
        let least = if lens * side > border - 1.0 { lens.abs() + 2.5 } else { border };
        let mut s: f32 = rng.random_range(-4.0..10.0);
        while s < 260.0 {
            match road.setting {
                Setting::Town => {
                    let long = rng.random_range(9.0..24.0);
                    if rng.random_bool(0.8) {
                        let d = side * (least + rng.random_range(0.8..5.0));
                        let size = [long, rng.random_range(9.0..14.0), rng.random_range(5.0..17.0)];
                        let tones = [[0.62, 0.55, 0.47], [0.70, 0.68, 0.63], [0.52, 0.33, 0.27], [0.58, 0.60, 0.62], [0.74, 0.66, 0.52], [0.45, 0.43, 0.42]];
                        let colour = tones[rng.random_range(0..tones.len())].map(|c| c * rng.random_range(0.85..1.1));
                        out.push((s + long * 0.5, Scenery::House { s, d, size, colour, seed: rng.random() }));
                    }
                    if road.pavement > 2.4 && rng.random_bool(0.5) && s > 14.0 {
                        let at = road.point(s, side * (least + 0.4).max(road.paved + road.pavement - 0.4), 0.0);
                        out.push((s, Scenery::Tree { at, high: rng.random_range(4.0..7.0), seed: rng.random() }));
                    }
                    s += long + rng.random_range(0.0..7.0);
                }
                Setting::Country => {
                    if s > 12.0 {
                        let d = side * (least + rng.random_range(2.5..22.0));
                        let high = rng.random_range(4.0..11.0);
                        out.push((s, Scenery::Tree { at: road.point(s, d, 0.0), high, seed: rng.random() }));
                    }
                    s += rng.random_range(1.5..11.0);
                }
            }
        }
    }
    for (at, reach) in &weather.posts {
        out.push((at.z, Scenery::Post { at: *at, reach: *reach }));
    }
}

fn house(canvas: &mut Canvas, camera: &Camera, weather: &Weather, place: &Place, at: (f32, f32, [f32; 3]), colour: Rgb, seed: u32) {
    let (s, d, [long, deep, high]) = at;
    let side = d.signum();
    let corner = |along: f32, away: f32, up: f32| place.road.point(s + along, d + side * away, 0.0).plus(v3(0.0, up, 0.0));
    let distance = |p: V3| camera.view(p).z.max(1.0);
    let mut wall = |points: [V3; 4], normal: V3, tone: Rgb, shine: bool| {
        if normal.dot(points[0].minus(camera.at)) >= 0.0 {
            return;
        }
        let middle = points[0].lerp(points[2], 0.5);
        let light = if shine { [1.0; 3] } else { weather.falling(middle, normal) };
        canvas.face(camera, &points, weather.through(lit(tone, light), distance(middle)), 1.0, false);
    };
    let front = v3(-side, 0.0, 0.0);
    wall([corner(0.0, 0.0, 0.0), corner(0.0, deep, 0.0), corner(0.0, deep, high), corner(0.0, 0.0, high)], v3(0.0, 0.0, -1.0), colour.map(|c| c * 0.9), false);
    wall([corner(long, 0.0, 0.0), corner(long, deep, 0.0), corner(long, deep, high), corner(long, 0.0, high)], v3(0.0, 0.0, 1.0), colour, false);
    wall([corner(0.0, 0.0, 0.0), corner(long, 0.0, 0.0), corner(long, 0.0, high), corner(0.0, 0.0, high)], front, colour, false);
    wall([corner(0.0, 0.0, high), corner(long, 0.0, high), corner(long, deep, high), corner(0.0, deep, high)], v3(0.0, 1.0, 0.0), [0.35, 0.31, 0.30], false);
    let (floors, bays) = ((high / 3.1) as i32, (long / 2.6) as i32);
    for floor in 0..floors.max(1) {
        for bay in 0..bays {
            let a = (bay as f32 + 0.5) * long / bays as f32;
            let shop = floor == 0 && seed.is_multiple_of(3);
            let (half, u0, u1) = if shop { (1.1, 0.4, 2.4) } else { (0.55, floor as f32 * 3.1 + 1.0, floor as f32 * 3.1 + 2.4) };
            let on = weather.light != Light::Day && hash(floor, bay, seed) > if shop { 0.35 } else { 0.68 };
            let tone = if on { [0.86, 0.70, 0.40].map(|c| c * (0.55 + 0.4 * hash(bay, floor, seed + 1))) } else { [0.14, 0.17, 0.21] };
            let quad = [corner(a - half, -0.03, u0), corner(a + half, -0.03, u0), corner(a + half, -0.03, u1), corner(a - half, -0.03, u1)];
            wall(quad, front, tone, on);
        }
    }
}

fn tree(canvas: &mut Canvas, camera: &Camera, weather: &Weather, at: V3, high: f32, seed: u32) {
    let Some((x, y, scale)) = camera.project(at) else { return };
    let Some((_, top, _)) = camera.project(at.plus(v3(0.0, high, 0.0))) else { return };
    let distance = camera.focal / scale;
    let tone = |c: Rgb| weather.through(lit(c, weather.falling(at, v3(0.0, 0.5, -0.5))), distance);
    let h = y - top;
    canvas.glow((x, y), (h * 0.35, h * 0.07), [0.0; 3], 0.5, false);
    let trunk = [(x - h * 0.022, y), (x - h * 0.015, y - h * 0.5), (x + h * 0.015, y - h * 0.5), (x + h * 0.022, y)];
    canvas.poly(&trunk, tone([0.26, 0.20, 0.15]), 1.0, false);
    let leaf = mix([0.16, 0.27, 0.10], [0.34, 0.36, 0.16], hash(3, 4, seed));
    for k in 0..56 {
        let (a, r) = (hash(k, 1, seed) * std::f32::consts::TAU, hash(k, 2, seed).sqrt());
        let (cx, cy) = (x + a.cos() * r * h * 0.27, y - h * 0.66 + a.sin() * r * h * 0.31);
        let bright = 0.55 + 0.35 * hash(k, 3, seed) - 0.35 * a.sin() * r;
        let radius = h * (0.06 + 0.05 * hash(k, 5, seed));
        let mut blob = [(0.0, 0.0); 7];
        for (i, p) in blob.iter_mut().enumerate() {
            let angle = i as f32 * 0.8976;
            let wobble = radius * (0.7 + 0.6 * hash(k, 10 + i as i32, seed));
            *p = (cx + angle.cos() * wobble, cy + angle.sin() * wobble);
        }
        canvas.poly(&blob, tone(leaf.map(|c| c * bright * 1.3)), 0.9, false);
    }
}

fn post(canvas: &mut Canvas, camera: &Camera, weather: &Weather, at: V3, reach: f32) {
    let steel = |p: V3| weather.through(lit([0.42, 0.43, 0.44], weather.falling(p, v3(0.0, 0.2, -0.9))), camera.view(p).z.max(1.0));
    let top = at.plus(v3(0.0, 8.6, 0.0));
    let colour = steel(at);
    let pole = [at.plus(v3(-0.09, 0.0, 0.0)), top.plus(v3(-0.06, 0.0, 0.0)), top.plus(v3(0.06, 0.0, 0.0)), at.plus(v3(0.09, 0.0, 0.0))];
    canvas.face(camera, &pole, colour, 1.0, false);
    let end = top.plus(v3(reach, 0.15, 0.0));
    let arm = [top, end, end.plus(v3(0.0, -0.1, 0.0)), top.plus(v3(0.0, -0.12, 0.0))];
    canvas.face(camera, &arm, colour, 1.0, false);
    let lamp = [end.plus(v3(-0.35, -0.12, 0.0)), end.plus(v3(0.25, -0.12, 0.0)), end.plus(v3(0.25, 0.02, 0.0)), end.plus(v3(-0.35, 0.02, 0.0))];
    let on = weather.light != Light::Day;
    canvas.face(camera, &lamp, if on { weather.lamp_colour } else { colour.map(|c| c * 0.7) }, 1.0, false);
    if on && let Some((x, y, scale)) = camera.project(end.plus(v3(0.0, -0.15, 0.0))) {
        canvas.glow((x, y), (scale * 1.3, scale * 1.3), weather.lamp_colour, 0.8, true);
        canvas.glow((x, y), (scale * 0.4, scale * 0.4), [1.0; 3], 0.9, true);
    }
}
