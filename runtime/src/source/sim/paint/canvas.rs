//! The picture being painted: polygons (in the picture, or in the world), glows of light and balls of smoke in; an RGBA
//! raster out.

use tiny_skia::{BlendMode, Color, FillRule, Paint, Path, PathBuilder, Pixmap, Shader, Transform};

use crate::source::sim::camera::{Camera, NEAR, V3};
use crate::source::sim::weather::Rgb;

/// A raster and its tools, reused from frame to frame.
pub struct Canvas {
    /// The raster.
    pub map: Pixmap,
    path: Option<Path>,
    ring: Vec<(f32, f32)>,
}

impl Canvas {
    /// A canvas on `map`.
    pub fn new(map: Pixmap) -> Self {
        Self { map, path: None, ring: Vec::new() }
    }

    /// Fill a polygon of the picture.
    pub fn poly(&mut self, points: &[(f32, f32)], colour: Rgb, alpha: f32, light: bool) {
        let (w, h) = (self.map.width() as f32, self.map.height() as f32);
        let (mut x0, mut x1, mut y0, mut y1) = (f32::MAX, f32::MIN, f32::MAX, f32::MIN);
        for &(x, y) in points {
            (x0, x1, y0, y1) = (x0.min(x), x1.max(x), y0.min(y), y1.max(y));
        }
        if points.len() < 3 || x1 < 0.0 || y1 < 0.0 || x0 > w || y0 > h || alpha <= 0.0 {
            return;
        }
        let mut builder = self.path.take().map_or_else(PathBuilder::new, Path::clear);
        for (i, &(x, y)) in points.iter().enumerate() {
            let (x, y) = (x.clamp(-4000.0, 4000.0), y.clamp(-4000.0, 4000.0));
            if i == 0 {
                builder.move_to(x, y);
            } else {
                builder.line_to(x, y);
            }
        }
        builder.close();
        let Some(path) = builder.finish() else { return };
        let c = colour.map(|c| c.clamp(0.0, 1.0));
        let paint = Paint {
            shader: Shader::SolidColor(
                Color::from_rgba(c[0], c[1], c[2], alpha.clamp(0.0, 1.0)).unwrap_or(Color::BLACK),
            ),
            blend_mode: if light { BlendMode::Plus } else { BlendMode::SourceOver },
            anti_alias: true,
            ..Paint::default()
        };
        self.map.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
        self.path = Some(path);
    }

    /// Fill a flat polygon of the world; what lies behind the lens is cut off.
    pub fn face(&mut self, camera: &Camera, points: &[V3], colour: Rgb, alpha: f32, light: bool) {
        let mut ring = std::mem::take(&mut self.ring);
        ring.clear();
        let Some(last) = points.last() else { return };
        let mut before = camera.view(*last);
        for p in points {
            let q = camera.view(*p);
            if (q.z < NEAR) != (before.z < NEAR) {
                let t = (NEAR - before.z) / (q.z - before.z);
                let mut cut = before.lerp(q, t);
                cut.z = NEAR;
                ring.push(camera.picture(cut));
            }
            if q.z >= NEAR {
                ring.push(camera.picture(q));
            }
            before = q;
        }
        self.poly(&ring, colour, alpha, light);
        self.ring = ring;
    }

    /// Blend an ellipse whose strength falls off softly to its border: light is added, anything else covers.
    pub fn glow(&mut self, at: (f32, f32), radii: (f32, f32), colour: Rgb, strength: f32, light: bool) {
        let (w, h) = (self.map.width() as i32, self.map.height() as i32);
        let (rx, ry) = (radii.0.clamp(0.6, 400.0), radii.1.clamp(0.6, 400.0));
        if !at.0.is_finite() || !at.1.is_finite() || strength <= 0.004 {
            return;
        }
        let (y0, y1) = (((at.1 - ry) as i32).max(0), ((at.1 + ry) as i32 + 1).min(h));
        let c = colour.map(|c| c.clamp(0.0, 1.0) * 255.0);
        // Old value and colour enter as `old * (1 - cover * k) + c * k`.
        let cover = if light { 0.0 } else { 1.0 };
        let data = self.map.data_mut();
        for y in y0..y1 {
            let v = (y as f32 + 0.5 - at.1) / ry;
            let reach = 1.0 - v * v;
            let half = rx * reach.max(0.0).sqrt();
            let (x0, x1) = (((at.0 - half) as i32).max(0), ((at.0 + half) as i32 + 1).min(w));
            if reach <= 0.0 || x1 <= x0 {
                continue;
            }
            let row = &mut data[((y * w + x0) * 4) as usize..((y * w + x1) * 4) as usize];
            let mut u = (x0 as f32 + 0.5 - at.0) / rx;
            for pixel in row.chunks_exact_mut(4) {
                let q = (reach - u * u).max(0.0);
                let k = (q * q * strength).min(1.0);
                let keep = 1.0 - cover * k;
                for (value, c) in pixel.iter_mut().zip(c) {
                    *value = (f32::from(*value) * keep + c * k).min(255.0) as u8;
                }
                u += 1.0 / rx;
            }
        }
    }
}
