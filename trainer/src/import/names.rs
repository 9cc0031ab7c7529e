//! From the name of a file, or of what a list names, to the video's: published features carry the extractor and the crop in
//! their names, lists carry the folders of whoever wrote them.
//!
//! ```text
//! G:\UCF_Test_ten_crop_i3d\Abuse028_x264_i3d.npy   Abuse028_x264
//! dataset/Abuse/Abuse028_x264__3.npy               Abuse028_x264, crop 3
//! 01_Accident_004.mp4                              01_Accident_004
//! v=abc__#1_label_A__vggish.npy                    v=abc__#1_label_A, audio
//! ```

/// Endings that are no part of a video's name.
const EXTENSIONS: [&str; 6] = [".npy", ".mp4", ".avi", ".mkv", ".mat", ".txt"];

/// Extractors that published files carry at the end of their names.
const EXTRACTORS: [&str; 11] =
    ["i3d", "c3d", "x3d", "s3d", "r3d", "videomae", "clip", "swin", "rgb", "feat", "features"];

/// The extractor of sound.
const AUDIO: &str = "vggish";

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The video.
    pub video: String,
    /// Which of its crops, where there is a file for each.
    pub crop: Option<usize>,
    /// Features of its sound.
    pub audio: bool,
}

/// Read a name, with or without folders of any system before it.
pub fn named(path: &str) -> Named {
    let mut name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    while let Some(rest) = EXTENSIONS.iter().find_map(|extension| without(name, extension)) {
        name = rest;
    }
    let (mut crop, mut audio) = (None, false);
    loop {
        if let Some((rest, number)) = crop_of(name).filter(|_| crop.is_none()) {
            (name, crop) = (rest, Some(number));
        } else if let Some(rest) = tagged(name, AUDIO) {
            (name, audio) = (rest, true);
        } else if let Some(rest) = EXTRACTORS.iter().find_map(|extractor| tagged(name, extractor)) {
            name = rest;
        } else {
            return Named { video: name.to_owned(), crop, audio };
        }
    }
}

/// `name` without `ending`, whatever its case.
fn without<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len()).filter(|&at| at > 0)?;
    name.get(at..)?.eq_ignore_ascii_case(ending).then(|| &name[..at])
}

/// `NAME_TAG` or `NAME__TAG`: the name.
fn tagged<'a>(name: &'a str, tag: &str) -> Option<&'a str> {
    let rest = without(name, tag)?.strip_suffix('_')?;
    Some(rest.strip_suffix('_').unwrap_or(rest)).filter(|rest| !rest.is_empty())
}

/// `NAME_3` or `NAME__3`: the name and the number. `01_001` is no crop: more than one digit.
fn crop_of(name: &str) -> Option<(&str, usize)> {
    let digit = name.chars().next_back()?.to_digit(10)?;
    Some((tagged(name, &name[name.len() - 1..])?, digit as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_are_read() {
        for (path, video, crop, audio) in [
            (r"G:\UCF_Test_ten_crop_i3d\Abuse028_x264_i3d.npy", "Abuse028_x264", None, false),
            ("dataset/Abuse/Abuse028_x264__3.npy", "Abuse028_x264", Some(3), false),
            ("Abuse/Abuse028_x264.mp4", "Abuse028_x264", None, false),
            ("/home/yu/SH_Test_ten_crop_i3d/01_001_i3d.npy", "01_001", None, false),
            ("01_0014", "01_0014", None, false),
            ("Normal_001.mp4.npy", "Normal_001", None, false),
            ("01_Accident_004_videomae.npy", "01_Accident_004", None, false),
            (
                "RGBTest/Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6__0.npy",
                "Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6",
                Some(0),
                false,
            ),
            ("v=-fOWSLV6Esw__#1_label_B4-0-0", "v=-fOWSLV6Esw__#1_label_B4-0-0", None, false),
            ("test/v=x__#1_label_A__vggish.npy", "v=x__#1_label_A", None, true),
            ("Abuse028_x264_i3d_0.NPY", "Abuse028_x264", Some(0), false),
            ("i3d.npy", "i3d", None, false),
        ] {
            assert_eq!(named(path), Named { video: video.into(), crop, audio }, "{path}");
        }
    }
}
