//! Masks that were drawn, into the config: its text and polygons come in, and the same text with them goes out, comments and all.
//!
//! The text is edited line by line, which cannot know everything that TOML allows; so what comes out is read as a config, and must
//! say what the old one said but for these masks. Otherwise it is refused, and people paste it themselves.

use std::fmt::Write as _;
use std::path::Path;

use firmware_config::config::{CONFIG_BYTES_MAX, CORNERS_MAX, CORNERS_MIN, Config, POLYGONS_MAX, Polygon};

use crate::files;
use crate::source::mask::Shapes;

/// Whether masks can be; otherwise why not.
///
/// # Errors
/// In words for people.
pub fn check(shapes: &Shapes) -> Result<(), String> {
    for (name, polygons) in [("mask", &shapes.mask), ("region", &shapes.region)] {
        if polygons.len() > POLYGONS_MAX {
            return Err(format!("{name} has {} polygons, more than {POLYGONS_MAX}", polygons.len()));
        }
        for polygon in polygons {
            if !(CORNERS_MIN..=CORNERS_MAX).contains(&polygon.len()) {
                let corners = polygon.len();
                return Err(format!("{name} has a polygon of {corners} corners, not {CORNERS_MIN} to {CORNERS_MAX}"));
            }
            if !polygon.iter().flatten().all(|share| (0.0..=1.0).contains(share)) {
                return Err(format!("{name} has a corner outside of the picture"));
            }
        }
    }
    Ok(())
}

/// Save them to the config at `path`, for the camera of this name. May wait for the disk.
///
/// # Errors
/// In words for people; the file is then as it was.
pub fn save(path: &Path, camera: &str, shapes: &Shapes) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(told)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not text", path.display()))?;
    let text = edited(&text, camera, shapes)?;
    files::write(path, text.as_bytes()).map_err(told)
}

/// The config `text` with other masks for a camera.
///
/// # Errors
/// In words for people.
pub fn edited(text: &str, camera: &str, shapes: &Shapes) -> Result<String, String> {
    let mut expected = Config::from_toml(text).map_err(|error| format!("the config cannot be read: {error}"))?;
    let Some(known) = expected.cameras.iter_mut().find(|known| known.name == camera) else {
        return Err(format!("the config has no camera `{camera}`"));
    };
    (known.mask, known.region) = (shapes.mask.clone(), shapes.region.clone());
    let edited =
        replace(text, camera, &lines_of(shapes)).ok_or("the config is written in a way that is not edited here")?;
    if edited.len() > CONFIG_BYTES_MAX {
        return Err(format!("the config would have more than {CONFIG_BYTES_MAX} bytes"));
    }
    match Config::from_toml(&edited) {
        Ok(config) if config == expected => Ok(edited),
        Ok(_) => Err("the config is written in a way that is not edited here".into()),
        Err(error) => Err(format!("the config would be refused: {error}")),
    }
}

/// How masks are written, nothing when there are none.
fn lines_of(shapes: &Shapes) -> String {
    let mut text = String::new();
    for (name, polygons) in [("mask", &shapes.mask), ("region", &shapes.region)] {
        if polygons.is_empty() {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} = [\n{}]", polygons.iter().map(line_of).collect::<String>());
    }
    text
}

fn line_of(polygon: &Polygon) -> String {
    let corners: Vec<_> = polygon.iter().map(|[x, y]| format!("[{x:?}, {y:?}]")).collect();
    format!("  [{}],\n", corners.join(", "))
}

/// Put `lines` where the masks of a camera were, or behind its other keys. `None` when its block is not found.
fn replace(text: &str, camera: &str, lines: &str) -> Option<String> {
    let statements = statements(text);
    let header = |statement: &str| statement.trim_start().starts_with('[');
    let is_camera = |statement: &str| statement.trim_start().strip_prefix("[[camera]]").is_some();
    let names = |statement: &str| {
        key(statement) == Some("name")
            && statement.split_once('=').is_some_and(|(_, value)| {
                let value = value.split('#').next().unwrap_or_default().trim();
                value.strip_prefix(['"', '\'']).and_then(|value| value.strip_suffix(['"', '\''])) == Some(camera)
            })
    };
    let mut begin = 0;
    loop {
        begin += statements[begin..].iter().position(|statement| is_camera(statement))?;
        let rest = &statements[begin + 1..];
        let length = rest.iter().position(|statement| header(statement)).unwrap_or(rest.len());
        let block = &rest[..length];
        if !block.iter().any(|statement| names(statement)) {
            begin += 1;
            continue;
        }
        let last = block.iter().rposition(|statement| key(statement).is_some())?;
        let mut out: String = statements[..=begin].concat();
        for (n, statement) in block.iter().enumerate() {
            if !matches!(key(statement), Some("mask" | "region")) {
                out += statement;
            }
            if n == last {
                if !out.ends_with('\n') {
                    out.push('\n');
                }
                out += lines;
            }
        }
        out.extend(statements[begin + 1 + length..].iter().copied());
        return Some(out);
    }
}

/// The key of a statement, if it is one.
fn key(statement: &str) -> Option<&str> {
    let (key, _) = statement.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))).then_some(key)
}

/// Lines, those that a bracket or brace joins in one piece. Brackets in strings and comments join nothing.
fn statements(text: &str) -> Vec<&str> {
    let (mut found, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    let mut comment = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'\n' {
            (comment, quote, escaped) = (false, None, false);
            if depth == 0 {
                found.push(&text[begin..=at]);
                begin = at + 1;
            }
            continue;
        }
        match quote {
            _ if comment => {}
            Some(_) if escaped => escaped = false,
            Some(b'"') if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'#' => comment = true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
    }
    if begin < text.len() {
        found.push(&text[begin..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn config(of_north: &str) -> String {
        format!(
            "# site 7\n[[camera]]\nname = \"south\"\nsource = \"sim://?seed=2\"  # by the bridge\n\n\
             [[camera]]  # the other\n{of_north}\n\n[model]\nbundle = \"/b\"  # [[camera]]\ntrusted_keys = [\n  \"{KEY}\",\n]\n"
        )
    }

    fn shapes() -> Shapes {
        Shapes { mask: vec![vec![[0.0, 0.0], [0.25, 0.0], [0.0, 0.5]]], region: vec![] }
    }

    #[test]
    fn masks_are_put_in_and_everything_else_stays() {
        let before = config("name = 'north' # ]\nsource = \"sim://?seed=1\"");
        let after = edited(&before, "north", &shapes()).unwrap();
        let expected = before.replace(
            "source = \"sim://?seed=1\"\n",
            "source = \"sim://?seed=1\"\nmask = [\n  [[0.0, 0.0], [0.25, 0.0], [0.0, 0.5]],\n]\n",
        );
        assert_eq!(after, expected);
        assert_eq!(edited(&after, "north", &Shapes::default()).unwrap(), before, "and taken out");
        let other = Shapes { region: shapes().mask, mask: vec![] };
        let changed = edited(&after, "north", &other).unwrap();
        assert!(changed.contains("region = [") && !changed.contains("mask = ["), "{changed}");
    }

    #[test]
    fn masks_over_several_lines_and_before_other_keys_are_replaced() {
        let north =
            "mask = [ # old ]\n  [[0, 0], [1, 0],\n   [1, 1]],\n]\nname = \"north\"\nsource = \"sim://?seed=1\"";
        let after = edited(&config(north), "north", &shapes()).unwrap();
        assert!(!after.contains("old") && after.contains("0.25"), "{after}");
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let inline = format!(
            "camera = [{{ name = \"north\", source = \"sim://?seed=1\" }}]\n[model]\nbundle = \"/b\"\ntrusted_keys = [\"{KEY}\"]\n"
        );
        assert!(edited(&inline, "north", &shapes()).unwrap_err().contains("not edited here"));
        assert!(edited(&config("name = \"north\"\nsource = \"sim://?seed=1\""), "west", &shapes()).is_err());
        assert!(edited("TADPOLEC", "north", &shapes()).is_err());
    }

    #[test]
    fn masks_that_cannot_be_are_refused() {
        let mask = |polygon: Vec<[f32; 2]>| check(&Shapes { mask: vec![polygon], region: vec![] });
        assert!(mask(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).is_ok());
        assert!(mask(vec![[0.0, 0.0], [1.0, 0.0]]).is_err());
        assert!(mask(vec![[0.0, 0.0], [1.1, 0.0], [1.0, 1.0]]).is_err());
        assert!(mask(vec![[0.0, f32::NAN], [1.0, 0.0], [1.0, 1.0]]).is_err());
        assert!(check(&Shapes { mask: vec![], region: vec![vec![[0.0; 2]; 3]; POLYGONS_MAX + 1] }).is_err());
    }
}
