//! The four published layouts: what they share is in the other files, what differs is here.
//!
//! | | normal videos | truth, as published |
//! |---|---|---|
//! | UCF-Crime | `Normal` in the name | `VIDEO.mp4 CLASS first last first last`, 1-based, last included, -1 for none |
//! | XD-Violence | the name ends in `_label_A` | `VIDEO first end first end`, 0-based, end excluded; abnormal videos only |
//! | TAD | the name begins with `Normal` | `VIDEO.mp4 FRAMES first last ...` in the test list, 1-based, last included |
//! | ShanghaiTech | the list's second column, or a clip number of three digits | an array of a label per frame, for each abnormal video |
//!
//! In place of its own truth each may have the array that RTFM and its successors publish: the labels of all frames of the test
//! list, one video after another (`gt*.npy`).

use clap::ValueEnum;

/// A published data set's way to lay out features, lists and truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// UCF-Crime (Sultani et al.; features as RTFM, MGFN or UR-DMU publish them).
    UcfCrime,
    /// XD-Violence (Wu et al.).
    XdViolence,
    /// TAD, traffic anomalies (Lv et al., WSAL).
    Tad,
    /// ShanghaiTech in the weakly supervised split (Zhong et al.).
    #[value(name = "shanghaitech")]
    ShanghaiTech,
}

impl Layout {
    /// Whether something happens in a video; `listed` is what its list says, where it says it.
    pub fn abnormal(self, video: &str, listed: Option<bool>) -> bool {
        match self {
            Self::UcfCrime => !video.to_ascii_lowercase().contains("normal"),
            Self::XdViolence => !video.ends_with("_label_A"),
            Self::Tad => !video.to_ascii_lowercase().starts_with("normal"),
            // The abnormal ones come from the original test set, whose clips have four digits.
            Self::ShanghaiTech => listed.unwrap_or_else(|| video.rsplit('_').next().is_some_and(|clip| clip.len() > 3)),
        }
    }

    /// A published pair of frames as first and last frame, 1-based and both included; none for the filler of an empty pair.
    pub fn event(self, first: i64, last: i64) -> Option<(u64, u64)> {
        let first = if self == Self::XdViolence { first + 1 } else { first.max(1) };
        (last > 0).then_some((u64::try_from(first).ok()?, u64::try_from(last).ok()?))
    }

    /// What its truth looks like, for errors.
    pub fn truth(self) -> &'static str {
        match self {
            Self::UcfCrime => "Temporal_Anomaly_Annotation_for_Testing_Videos.txt, or gt-ucf.npy",
            Self::XdViolence => "annotations.txt, or gt.npy",
            Self::Tad => "vals.txt with `VIDEO.mp4 FRAMES first last ...`",
            Self::ShanghaiTech => "the folder test_frame_mask with VIDEO.npy, or gt-sh.npy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_from_names_or_lists() {
        for (layout, video, listed, abnormal) in [
            (Layout::UcfCrime, "Normal_Videos_003_x264", None, false),
            (Layout::UcfCrime, "RoadAccidents001_x264", None, true),
            (Layout::XdViolence, "v=a__#1_label_A", None, false),
            (Layout::XdViolence, "v=a__#1_label_B1-A-0", None, true),
            (Layout::Tad, "Normal_012", None, false),
            (Layout::Tad, "05_else_002", None, true),
            (Layout::ShanghaiTech, "01_001", None, false),
            (Layout::ShanghaiTech, "01_0014", None, true),
            (Layout::ShanghaiTech, "01_0014", Some(false), false),
        ] {
            assert_eq!(layout.abnormal(video, listed), abnormal, "{video}");
        }
    }

    #[test]
    fn events_are_counted_from_one_and_hold_both_ends() {
        assert_eq!(Layout::UcfCrime.event(165, 240), Some((165, 240)));
        assert_eq!(Layout::UcfCrime.event(-1, -1), None);
        assert_eq!(Layout::Tad.event(0, 0), None);
        // Published code marks `gt[first:end]`.
        assert_eq!(Layout::XdViolence.event(0, 1517), Some((1, 1517)));
        assert_eq!(Layout::XdViolence.event(20, 30), Some((21, 30)));
    }
}
