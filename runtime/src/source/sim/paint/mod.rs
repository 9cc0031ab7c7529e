//! A scene in, a picture out. [`backdrop`] is painted once; each frame then takes a copy, and on it the vehicles
//! ([`vehicle`]), their light ([`lights`]), people, things and smoke ([`things`]), from far to near; [`lens`] adds
//! exposure, noise and compression. A picture depends on the scene and the frame's number alone.

pub mod backdrop;
pub mod brush;
pub mod canvas;
pub mod ground;
pub mod lens;
pub mod lights;
pub mod scenery;
pub mod things;
pub mod vehicle;

use tiny_skia::Pixmap;

use self::canvas::Canvas;
use self::lens::Lens;
use super::camera::Camera;
use super::scene::Scene;
use super::spec::{Light, SimSpec};
use super::weather::Weather;
use crate::{Error, Result};

/// The backdrop is this much larger on every side, pixels, for the shake.
const MARGIN: u32 = 4;

#[derive(Clone, Copy)]
enum Item {
    Vehicle(usize),
    Person(usize),
    Thing(usize),
}

/// Paints the frames of one recording.
pub struct Painter {
    seed: u64,
    weather: Weather,
    backdrop: Pixmap,
    canvas: Canvas,
    lens: Lens,
    order: Vec<(f32, Item)>,
}

impl Painter {
    /// Paint the backdrop and make ready.
    ///
    /// # Errors
    /// When the picture's size cannot be had.
    pub fn new(spec: &SimSpec, scene: &Scene) -> Result<Self> {
        let place = &scene.place;
        let weather = Weather::draw(spec, place);
        let (w, h) = (place.camera.width as u32, place.camera.height as u32);
        let fail = || Error::failed("sim", format!("no picture of {w} x {h} pixels"), "use a smaller one");
        let backdrop = backdrop::paint(spec.seed, place, &weather, MARGIN).ok_or_else(fail)?;
        let canvas = Canvas::new(Pixmap::new(w, h).ok_or_else(fail)?);
        let lens = Lens::new(spec.seed, weather.noise, weather.quality);
        Ok(Self { seed: spec.seed, weather, backdrop, canvas, lens, order: Vec::new() })
    }

    /// Paint `scene` into `out`, interleaved RGB.
    pub fn paint(&mut self, scene: &Scene, out: &mut [u8]) {
        let t = scene.seconds();
        let mut camera = scene.place.camera.clone();
        camera.shake = self.shake(t);
        self.lay(camera.shake);
        let road = &scene.place.road;
        let (canvas, weather) = (&mut self.canvas, &self.weather);

        self.order.clear();
        let mut depth = |s: f32, d: f32, item: Item| {
            let z = camera.view(road.point(s, d, 0.0)).z;
            if z > 0.0 {
                self.order.push((z, item));
            }
        };
        for (i, v) in scene.traffic.vehicles.iter().enumerate() {
            depth(v.s, v.d, Item::Vehicle(i));
        }
        for (i, p) in scene.people.iter().enumerate() {
            depth(p.s, p.d, Item::Person(i));
        }
        for (i, thing) in scene.things.iter().enumerate() {
            depth(thing.at[0], thing.at[1], Item::Thing(i));
        }
        self.order.sort_by(|a, b| b.0.total_cmp(&a.0));

        for v in &scene.traffic.vehicles {
            vehicle::shadow(canvas, &camera, weather, road, v);
        }
        for v in &scene.traffic.vehicles {
            lights::pool(canvas, &camera, weather, road, v);
        }
        for (_, item) in &self.order {
            match *item {
                Item::Vehicle(i) => {
                    let v = &scene.traffic.vehicles[i];
                    vehicle::body(canvas, &camera, weather, road, v);
                    lights::glows(canvas, &camera, weather, road, v, t);
                    lights::flames(canvas, &camera, weather, road, v, scene.tick);
                }
                Item::Person(i) => things::person(canvas, &camera, weather, road, &scene.people[i]),
                Item::Thing(i) => things::thing(canvas, &camera, weather, road, &scene.things[i]),
            }
        }
        for puff in &scene.puffs {
            things::puff(canvas, &camera, weather, puff);
        }
        if weather.rain {
            rain(canvas, &camera, weather, self.seed, scene.tick);
        }
        let (amount, period, phase) = weather.drift;
        let exposure = 1.0 + amount * (t / period * std::f32::consts::TAU + phase).sin();
        let gain = weather.balance.map(|c| c * exposure);
        let (w, h) = (canvas.map.width() as usize, canvas.map.height() as usize);
        self.lens.expose(canvas.map.data(), w, h, gain, scene.tick, out);
    }

    fn shake(&self, t: f32) -> (f32, f32) {
        let a = self.weather.shake;
        let gust = 0.5 + 0.5 * (t * 0.23 + self.weather.drift.2).sin();
        (a * gust * (t * 9.1).sin(), a * gust * 0.7 * (t * 7.3 + 1.0).sin())
    }

    /// Lay down the backdrop, displaced by the shake.
    fn lay(&mut self, shake: (f32, f32)) {
        let (w, h) = (self.canvas.map.width() as usize, self.canvas.map.height() as usize);
        let wide = self.backdrop.width() as usize;
        let limit = MARGIN as f32 - 1.0;
        let (x, y) = (MARGIN as f32 - shake.0.clamp(-limit, limit), MARGIN as f32 - shake.1.clamp(-limit, limit));
        let (left, top) = (x as usize, y as usize);
        let (u, v) = (((x - x.floor()) * 16.0) as u16, ((y - y.floor()) * 16.0) as u16);
        let weights = [(16 - u) * (16 - v), u * (16 - v), (16 - u) * v, u * v];
        let from = self.backdrop.data();
        let to = self.canvas.map.data_mut();
        for (row, line) in to.chunks_exact_mut(w * 4).enumerate().take(h) {
            let a = ((top + row) * wide + left) * 4;
            let (first, second) = (&from[a..a + (w + 1) * 4], &from[a + wide * 4..a + (wide + w + 1) * 4]);
            if u == 0 && v == 0 {
                line.copy_from_slice(&first[..w * 4]);
                continue;
            }
            for (i, out) in line.iter_mut().enumerate() {
                let sum = (u16::from(first[i]).wrapping_mul(weights[0]))
                    .wrapping_add(u16::from(first[i + 4]).wrapping_mul(weights[1]))
                    .wrapping_add(u16::from(second[i]).wrapping_mul(weights[2]))
                    .wrapping_add(u16::from(second[i + 4]).wrapping_mul(weights[3]));
                *out = (sum >> 8) as u8;
            }
        }
    }
}

/// Paint streaks of rain, new ones in each frame.
fn rain(canvas: &mut Canvas, camera: &Camera, weather: &Weather, seed: u64, tick: u64) {
    let mut state = seed ^ tick.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 16_777_216.0
    };
    let bright = if weather.light == Light::Night { 0.30 } else { 0.75 };
    let (slant, scale) = (0.10, camera.magnification());
    for _ in 0..130 {
        let (x, y) = (next() * camera.width, next() * camera.height * 1.1 - 10.0);
        let long = (7.0 + 22.0 * next() * next()) * scale;
        let wide = (0.5 + 0.4 * next()) * scale;
        let alpha = 0.10 + 0.18 * next();
        let streak = [(x, y), (x + wide, y), (x + wide - slant * long, y + long), (x - slant * long, y + long)];
        canvas.poly(&streak, [bright, bright, bright * 1.03], alpha, false);
    }
}
