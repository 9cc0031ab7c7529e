//! Device nodes of this machine, and which of them a name means.
//!
//! A camera may have several nodes of one name: the kernel counts them, and the first is the one that captures.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where the kernel lists its video devices.
const CLASS: &str = "/sys/class/video4linux";
/// Where links are that stay the same from plug to plug.
const BY_ID: &str = "/dev/v4l/by-id";

/// A video device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `/dev/videoN`.
    pub path: PathBuf,
    /// The names it goes by: the kernel's, the camera's own, those of its links.
    pub names: Vec<String>,
    /// Which of its camera's nodes it is, from 0.
    pub index: u32,
}

/// All video devices, by number.
pub fn list() -> Vec<Node> {
    list_in(Path::new(CLASS), Path::new("/dev"), Path::new(BY_ID))
}

fn list_in(class: &Path, dev: &Path, by_id: &Path) -> Vec<Node> {
    let mut nodes = Vec::new();
    for name in names(class) {
        let Some(number) = name.strip_prefix("video").and_then(|digits| digits.parse::<u32>().ok()) else { continue };
        let read = |file: &str| fs::read_to_string(class.join(&name).join(file)).unwrap_or_default().trim().to_owned();
        let path = dev.join(&name);
        let mut goes_by = vec![read("name")];
        goes_by.extend(links(by_id, &path));
        goes_by.retain(|name| !name.is_empty());
        nodes.push((number, Node { path, names: goes_by, index: read("index").parse().unwrap_or(0) }));
    }
    nodes.sort_by_key(|(number, _)| *number);
    nodes.into_iter().map(|(_, node)| node).collect()
}

/// The links in `/dev/v4l/by-id` that lead to `node`.
pub fn links_to(node: &Path) -> Vec<PathBuf> {
    links(Path::new(BY_ID), node).into_iter().map(|name| Path::new(BY_ID).join(name)).collect()
}

fn links(by_id: &Path, node: &Path) -> Vec<String> {
    let Ok(target) = fs::canonicalize(node) else { return Vec::new() };
    let leads = |name: &String| fs::canonicalize(by_id.join(name)).is_ok_and(|found| found == target);
    let mut links: Vec<_> = names(by_id).into_iter().filter(leads).collect();
    links.sort();
    links
}

/// Names in a folder; none when there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The node that `name` means.
///
/// # Errors
/// When there is none, or more than one camera goes by that name.
pub fn pick<'n>(nodes: &'n [Node], name: &str) -> Result<&'n Path> {
    let named = || nodes.iter().filter(|node| node.names.iter().any(|own| own == name));
    let first = named().map(|node| node.index).min();
    let found: Vec<_> = named().filter(|node| Some(node.index) == first).collect();
    let subject = format!("camera \"{name}\"");
    match found.as_slice() {
        [one] => Ok(&one.path),
        [] => Err(Error::unavailable(subject, "is not there", "plug it in; `tadpole cameras` lists what is")),
        several => {
            let paths: Vec<_> = several.iter().map(|node| node.path.display().to_string()).collect();
            let problem = format!("is the name of {} cameras, {}", several.len(), paths.join(" and "));
            Err(Error::unavailable(subject, problem, "name it by its link in /dev/v4l/by-id or by-path"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str, name: &str, index: u32) -> Node {
        Node { path: path.into(), names: vec![name.into()], index }
    }

    #[test]
    fn a_name_means_the_first_node_of_its_camera() {
        let nodes = [node("/dev/video2", "Cam", 1), node("/dev/video1", "Cam", 0), node("/dev/video0", "Else", 0)];
        assert_eq!(pick(&nodes, "Cam").unwrap(), Path::new("/dev/video1"));
    }

    #[test]
    fn a_name_that_is_nobodys_or_everybodys_is_refused() {
        let nodes = [node("/dev/video0", "Cam", 0), node("/dev/video2", "Cam", 0)];
        assert!(pick(&nodes, "Kam").unwrap_err().to_string().contains("plug it in"));
        let told = pick(&nodes, "Cam").unwrap_err().to_string();
        assert!(told.contains("/dev/video0 and /dev/video2") && told.contains("by-id"), "{told}");
    }

    #[test]
    fn nodes_are_listed_by_number_with_all_their_names() {
        let root = tempfile::tempdir().unwrap();
        let [class, dev, by_id] = ["class", "dev", "by-id"].map(|name| root.path().join(name));
        for (name, card, index) in [("video10", "Ten", "1\n"), ("video2", "Two\n", "0\n"), ("v4l-subdev0", "Sub", "0")]
        {
            fs::create_dir_all(class.join(name)).unwrap();
            fs::write(class.join(name).join("name"), card).unwrap();
            fs::write(class.join(name).join("index"), index).unwrap();
        }
        fs::create_dir_all(&dev).unwrap();
        fs::create_dir_all(&by_id).unwrap();
        fs::write(dev.join("video2"), "").unwrap();
        std::os::unix::fs::symlink("../dev/video2", by_id.join("usb-Two-index0")).unwrap();
        std::os::unix::fs::symlink("../dev/gone", by_id.join("usb-Gone-index0")).unwrap();
        let two = Node { names: vec!["Two".into(), "usb-Two-index0".into()], ..node("", "", 0) };
        let expected =
            [Node { path: dev.join("video2"), ..two }, Node { path: dev.join("video10"), ..node("", "Ten", 1) }];
        assert_eq!(list_in(&class, &dev, &by_id), expected);
        assert!(list_in(&root.path().join("none"), &dev, &by_id).is_empty());
    }
}
