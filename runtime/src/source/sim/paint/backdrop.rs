//! What never moves, painted once: [`super::ground`] and sky point by point, then [`super::scenery`] from far to near.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tiny_skia::Pixmap;

use super::canvas::Canvas;
use super::ground::{Ground, noise};
use super::scenery::{Scenery, plan};
use crate::source::sim::camera::V3;
use crate::source::sim::spec::Light;
use crate::source::sim::weather::{Rgb, Weather, lit, mix};
use crate::source::sim::world::Place;

fn sky(weather: &Weather, ray: V3, salt: u32) -> Rgb {
    let up = (ray.y / ray.norm()).clamp(0.0, 1.0);
    let base = mix(weather.sky[1], weather.sky[0], (up * 3.0).min(1.0).powf(0.7));
    let (x, z) = (ray.x / (up + 0.12), ray.z / (up + 0.12));
    let cover = 0.6 * noise(x * 0.9, z * 0.9, salt)
        + 0.3 * noise(x * 2.1, z * 2.1, salt + 1)
        + 0.1 * noise(x * 5.0, z * 5.0, salt + 2);
    let cloud = ((cover - 0.75 + 0.5 * weather.cloud) * 3.0).clamp(0.0, 1.0) * 0.7;
    let white = match weather.light {
        Light::Day => mix([0.95, 0.95, 0.96], [0.66, 0.68, 0.70], weather.cloud),
        Light::Dusk => [0.52, 0.44, 0.46],
        Light::Night => [0.10, 0.095, 0.10],
    };
    let far = 0.035
        + 0.05 * noise(ray.x / ray.z.abs().max(0.05) * 3.0, 0.5, salt + 7)
        + 0.012 * noise(ray.x / ray.z.abs().max(0.05) * 31.0, 0.5, salt + 8);
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
        item.paint(&mut canvas, &camera, weather, place);
    }
    Some(canvas.map)
}
