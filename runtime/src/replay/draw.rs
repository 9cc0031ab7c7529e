//! Shapes and words on a pixmap: what the timeline needs and no more. Text is filled glyph outlines of the embedded
//! Roboto (Apache-2.0, cut down to Latin-1), so that a picture is the same on every machine.

use tiny_skia::{
    Color, FillRule, IntSize, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Rect, Stroke, StrokeDash, Transform,
};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use crate::{Error, Result};

use super::Thumbnail;

/// A typeface.
pub struct Font(Face<'static>);

impl Font {
    fn parse(bytes: &'static [u8]) -> Result<Self> {
        Face::parse(bytes, 0)
            .map(Self)
            .map_err(|e| Error::failed("the embedded font", e.to_string(), "report this as a bug"))
    }

    /// The text's face.
    pub fn regular() -> Result<Self> {
        Self::parse(include_bytes!("../../assets/Roboto-Regular.ttf"))
    }

    /// The titles' face.
    pub fn medium() -> Result<Self> {
        Self::parse(include_bytes!("../../assets/Roboto-Medium.ttf"))
    }

    fn glyph(&self, c: char) -> GlyphId {
        self.0.glyph_index(c).or_else(|| self.0.glyph_index('?')).unwrap_or_default()
    }

    /// Width of `text` at `size` pixels.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        let units: u32 = text.chars().map(|c| u32::from(self.0.glyph_hor_advance(self.glyph(c)).unwrap_or(0))).sum();
        units as f32 * size / f32::from(self.0.units_per_em())
    }

    /// `text`, cut with an ellipsis so that it is at most `width` pixels wide.
    pub fn fit(&self, text: &str, size: f32, width: f32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let mut cut: Vec<char> = text.chars().collect();
        loop {
            cut.pop();
            let shorter: String = cut.iter().chain(&['\u{2026}']).collect();
            if cut.is_empty() || self.width(&shorter, size) <= width {
                return shorter;
            }
        }
    }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub enum Align {
    /// The point is its left end.
    Left,
    /// The point is its middle.
    Middle,
    /// The point is its right end.
    Right,
}

/// A picture being drawn.
pub struct Canvas(Pixmap);

fn paint(colour: u32) -> Paint<'static> {
    let [alpha, red, green, blue] = colour.to_be_bytes();
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, alpha);
    paint.anti_alias = true;
    paint
}

/// Colours are `0xAARRGGBB`; lengths are pixels.
impl Canvas {
    /// A white canvas.
    pub fn new(width: u32, height: u32) -> Result<Self> {
        let mut pixmap = Pixmap::new(width, height)
            .ok_or_else(|| Error::failed("timeline.png", "no memory for the picture", "free some memory"))?;
        pixmap.fill(Color::WHITE);
        Ok(Self(pixmap))
    }

    /// Fill a rectangle; nothing when it is empty.
    pub fn rect(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), colour: u32) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.0.fill_rect(rect, &paint(colour), Transform::identity(), None);
        }
    }

    /// Draw a line through `points`, dashed when `dash` is not empty.
    pub fn line(&mut self, points: &[(f32, f32)], width: f32, colour: u32, dash: &[f32]) {
        let mut builder = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
        }
        let Some(path) = builder.finish() else { return };
        let stroke = Stroke {
            width,
            line_join: tiny_skia::LineJoin::Round,
            dash: StrokeDash::new(dash.to_vec(), 0.0),
            ..Stroke::default()
        };
        self.0.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), None);
    }

    /// Fill the closed shape through `points`.
    pub fn shape(&mut self, points: &[(f32, f32)], colour: u32) {
        let mut builder = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
        }
        builder.close();
        if let Some(path) = builder.finish() {
            self.fill(&path, colour);
        }
    }

    /// Fill a circle.
    pub fn disc(&mut self, (x, y): (f32, f32), radius: f32, colour: u32) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            self.fill(&path, colour);
        }
    }

    /// Write `text` with its base line at `y`.
    pub fn text(&mut self, font: &Font, size: f32, (x, y): (f32, f32), align: Align, colour: u32, text: &str) {
        let scale = size / f32::from(font.0.units_per_em());
        let width = font.width(text, size);
        let mut pen = Pen {
            builder: PathBuilder::new(),
            scale,
            x: match align {
                Align::Left => x,
                Align::Middle => x - width / 2.0,
                Align::Right => x - width,
            },
            y,
        };
        for c in text.chars() {
            let glyph = font.glyph(c);
            font.0.outline_glyph(glyph, &mut pen);
            pen.x += f32::from(font.0.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
        }
        if let Some(path) = pen.builder.finish() {
            self.fill(&path, colour);
        }
    }

    /// Draw a picture, stretched over the given rectangle; nothing when its size and bytes disagree.
    pub fn picture(&mut self, picture: &Thumbnail, (x, y): (f32, f32), (width, height): (f32, f32)) {
        let (w, h) = (picture.width, picture.height);
        let rgba: Vec<u8> = picture.rgb.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
        let Some(pixmap) = IntSize::from_wh(w, h).and_then(|size| Pixmap::from_vec(rgba, size)) else { return };
        let how = PixmapPaint { quality: tiny_skia::FilterQuality::Bicubic, ..PixmapPaint::default() };
        let place = Transform::from_translate(x, y).pre_scale(width / w as f32, height / h as f32);
        self.0.draw_pixmap(0, 0, pixmap.as_ref(), &how, place, None);
    }

    fn fill(&mut self, path: &Path, colour: u32) {
        self.0.fill_path(path, &paint(colour), FillRule::Winding, Transform::identity(), None);
    }

    /// The picture as a PNG file.
    pub fn png(self) -> Result<Vec<u8>> {
        self.0
            .encode_png()
            .map_err(|e| Error::failed("timeline.png", format!("cannot be encoded: {e}"), "report this as a bug"))
    }
}

/// Places a glyph's outline, which has its y axis upwards.
struct Pen {
    builder: PathBuilder,
    scale: f32,
    x: f32,
    y: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.builder.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured_and_cut_to_fit() {
        let font = Font::regular().unwrap();
        assert!(font.width("wide", 20.0) > font.width("wide", 10.0));
        assert_eq!(font.fit("short", 12.0, 500.0), "short");
        let cut = font.fit("a very long name of a video", 12.0, 60.0);
        assert!(cut.ends_with('\u{2026}') && font.width(&cut, 12.0) <= 60.0, "{cut}");
    }

    #[test]
    fn both_faces_hold_all_that_is_written() {
        for font in [Font::regular().unwrap(), Font::medium().unwrap()] {
            for c in (' '..='~').chain("äéß×·\u{2013}\u{2026}\u{2265}".chars()) {
                assert!(font.0.glyph_index(c).is_some(), "{c}");
            }
        }
    }

    #[test]
    fn a_picture_whose_bytes_disagree_with_its_size_is_left_out() {
        let mut canvas = Canvas::new(8, 8).unwrap();
        let broken = Thumbnail { width: 9, height: 9, rgb: vec![0; 5], ..Thumbnail::default() };
        canvas.picture(&broken, (0.0, 0.0), (8.0, 8.0));
        assert!(canvas.0.data().iter().all(|&b| b == 255));
    }
}
