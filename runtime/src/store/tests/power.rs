//! A disk that remembers what was synced and what was not, counts operations, and whose power is cut, or whose process is killed,
//! at the one that a test names.
//!
//! It keeps to the letter of what [`Disk`] promises and no more: bytes last when their file was synced, names when their folder
//! was; a rename within a folder is seen wholly or not at all; between two folders each of them must be synced.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::disk::{Disk, Entry, Held};

/// What survives a power cut of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// Everything: the disk had written it all.
    All,
    /// Nothing.
    Nothing,
    /// Names, but files are as they were synced last: empty, mostly.
    Names,
    /// Bytes, but no name.
    Bytes,
    /// Some names in any order; of each file a beginning, or zeros for the rest. A seed chooses.
    Some(u64),
}

impl Survives {
    pub const WAYS: [Self; 7] =
        [Self::All, Self::Nothing, Self::Names, Self::Bytes, Self::Some(1), Self::Some(2), Self::Some(3)];
}

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// The process ends before it: it fails, and so does every one after.
    End,
    /// The process ends within it: of a write, half is done; of anything else, all.
    EndWithin,
    /// It alone fails, as on a bad or full disk; of a write, half is done.
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

/// Names that change together: a path, and what it names from then on.
type Change = Vec<(PathBuf, Option<Node>)>;

#[derive(Default)]
struct Medium {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Node>,
    synced: BTreeMap<PathBuf, Node>,
    /// What was done to names and not synced, in order.
    pending: Vec<Change>,
    operations: usize,
    accident: Option<(usize, Accident)>,
    ended: bool,
    read_only: bool,
    free: u64,
}

/// A handle on the disk; clones share it.
#[derive(Clone)]
pub struct PowerDisk(Arc<Mutex<Medium>>);

impl PowerDisk {
    /// A disk with an empty `/var/lib/tadpole`.
    pub fn new() -> Self {
        let names: BTreeMap<_, _> =
            ["/var", "/var/lib", "/var/lib/tadpole"].map(|path| (PathBuf::from(path), Node::Folder)).into();
        let medium = Medium { synced: names.clone(), names, free: 1 << 40, ..Medium::default() };
        Self(Arc::new(Mutex::new(medium)))
    }

    /// Operations so far.
    pub fn operations(&self) -> usize {
        self.medium().operations
    }

    /// Let `accident` happen at the operation of this number, counted from 0 from now on.
    pub fn at(&self, number: usize, accident: Accident) {
        let mut medium = self.medium();
        medium.operations = 0;
        medium.accident = Some((number, accident));
    }

    /// Whether the process has ended.
    pub fn ended(&self) -> bool {
        self.medium().ended
    }

    /// Refuse every change from now on.
    pub fn set_read_only(&self) {
        self.medium().read_only = true;
    }

    /// Take changes again.
    pub fn set_writable(&self) {
        self.medium().read_only = false;
    }

    /// Free bytes from now on.
    pub fn set_free(&self, bytes: u64) {
        self.medium().free = bytes;
    }

    /// Change a byte of a file on the medium.
    pub fn damage(&self, path: &Path, at: usize) {
        let mut medium = self.medium();
        let Some(Node::File(number)) = medium.names.get(path).copied() else { panic!("no {}", path.display()) };
        medium.files[number].bytes[at] ^= 1;
        medium.files[number].synced = medium.files[number].bytes.clone();
    }

    /// A new process on the same running machine: nothing is lost.
    pub fn new_process(&self) -> Self {
        let mut medium = self.medium();
        (medium.operations, medium.accident, medium.ended) = (0, None, false);
        drop(medium);
        self.clone()
    }

    /// A copy of the disk as it is after a power cut; what was not synced may be gone.
    pub fn power_cut(&self, survives: Survives) -> Self {
        let medium = self.medium();
        let mut dice = match survives {
            Survives::Some(seed) => Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            _ => Dice(1),
        };
        let mut names = match survives {
            Survives::All | Survives::Names => medium.names.clone(),
            _ => medium.synced.clone(),
        };
        if matches!(survives, Survives::Some(_)) {
            for change in medium.pending.iter().filter(|_| dice.roll(2) == 0) {
                apply(&mut names, change);
            }
        }
        // What lies in a folder that is gone is gone.
        let there = names.clone();
        names.retain(|path, _| {
            path.ancestors().skip(1).all(|above| above == Path::new("/") || there.contains_key(above))
        });
        let files = medium.files.iter().map(|file| {
            let bytes = match survives {
                Survives::All | Survives::Bytes => file.bytes.clone(),
                Survives::Nothing | Survives::Names => file.synced.clone(),
                Survives::Some(_) if file.bytes == file.synced => file.synced.clone(),
                Survives::Some(_) => torn(file, &mut dice),
            };
            File { synced: bytes.clone(), bytes }
        });
        let (files, synced) = (files.collect(), names.clone());
        let medium = Medium { files, names, synced, free: medium.free, ..Medium::default() };
        Self(Arc::new(Mutex::new(medium)))
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap()
    }

    /// One operation: `work` is told whether all of it is to be done, or half.
    fn operation<T>(&self, changes: bool, work: impl FnOnce(&mut Medium, bool) -> io::Result<T>) -> io::Result<T> {
        let mut medium = self.medium();
        let gone = || Err(io::Error::other("the process has ended"));
        if medium.ended {
            return gone();
        }
        let number = medium.operations;
        medium.operations += 1;
        if changes && medium.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        match medium.accident.filter(|(at, _)| *at == number).map(|(_, accident)| accident) {
            None => work(&mut medium, true),
            Some(Accident::Error) => {
                let _ = changes && work(&mut medium, false).is_ok();
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(Accident::End) => {
                medium.ended = true;
                gone()
            }
            Some(Accident::EndWithin) => {
                let _ = work(&mut medium, false);
                medium.ended = true;
                gone()
            }
        }
    }
}

impl Medium {
    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        match self.names.get(path) {
            Some(Node::File(number)) => Ok(&mut self.files[*number]),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.pending.push(change);
    }

    fn in_folder(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().and_then(|folder| self.names.get(folder));
        if folder == Some(&Node::Folder) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl Disk for PowerDisk {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.operation(true, |medium, _| {
            medium.in_folder(folder)?;
            if !medium.names.contains_key(folder) {
                medium.change(vec![(folder.into(), Some(Node::Folder))]);
            }
            Ok(())
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.operation(false, |medium, _| {
            if medium.names.get(folder) != Some(&Node::Folder) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let entry = |(path, node): (&PathBuf, &Node)| match node {
                Node::File(number) if path.parent() == Some(folder) => Some(Entry {
                    name: path.file_name()?.to_str()?.into(),
                    bytes: medium.files[*number].bytes.len() as u64,
                }),
                _ => None,
            };
            Ok(medium.names.iter().filter_map(entry).collect())
        })
    }

    fn open(&self, file: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        self.operation(false, |medium, _| {
            let bytes = medium.file(file)?.bytes.clone();
            let length = bytes.len() as u64;
            Ok((Box::new(Cursor::new(bytes)) as Box<dyn Read>, length))
        })
    }

    fn create(&self, file: &Path) -> io::Result<()> {
        self.operation(true, |medium, _| {
            medium.in_folder(file)?;
            medium.files.push(File::default());
            let node = Node::File(medium.files.len() - 1);
            medium.change(vec![(file.into(), Some(node))]);
            Ok(())
        })
    }

    fn append(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.operation(true, |medium, all| {
            let bytes = if all { bytes } else { &bytes[..bytes.len() / 2] };
            medium.file(file)?.bytes.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&self, file: &Path) -> io::Result<()> {
        self.operation(true, |medium, _| {
            let file = medium.file(file)?;
            file.synced = file.bytes.clone();
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation(true, |medium, _| {
            medium.file(from)?;
            medium.in_folder(to)?;
            let node = medium.names.get(from).copied();
            if from.parent() == to.parent() {
                medium.change(vec![(from.into(), None), (to.into(), node)]);
            } else {
                medium.change(vec![(to.into(), node)]);
                medium.change(vec![(from.into(), None)]);
            }
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.operation(true, |medium, _| {
            medium.file(file)?;
            medium.change(vec![(file.into(), None)]);
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.operation(true, |medium, _| {
            let Medium { pending, synced, .. } = medium;
            pending.retain(|change| {
                let here = change.iter().any(|(path, _)| path.parent() == Some(folder));
                if here {
                    apply(synced, change);
                }
                !here
            });
            Ok(())
        })
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        self.operation(false, |medium, _| Ok(medium.free))
    }

    fn lock(&self, file: &Path) -> io::Result<Held> {
        self.operation(true, |medium, _| {
            medium.in_folder(file)?;
            if medium.file(file).is_err() {
                medium.files.push(File::default());
                let node = Node::File(medium.files.len() - 1);
                medium.change(vec![(file.into(), Some(node))]);
            }
            Ok(Held::nothing())
        })
    }

    fn own(&self, _: &Path) -> io::Result<Option<Held>> {
        // One process alone uses it, and one deed at a time. Nothing is changed on the medium: no power cut can fall upon it.
        Ok(Some(Held::nothing()))
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, change: &Change) {
    for (path, node) in change {
        match node {
            Some(node) => names.insert(path.clone(), *node),
            None => names.remove(path),
        };
    }
}

/// What may be left of a file that was written on and not synced: what was synced, and of the rest nothing, a beginning, or that with
/// zeros behind.
fn torn(file: &File, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = file.bytes.clone();
    let synced = file.synced.len().min(bytes.len());
    let kept = synced + dice.roll((bytes.len() - synced) as u64 + 1) as usize;
    match dice.roll(4) {
        0 => return file.synced.clone(),
        1 => bytes.truncate(kept),
        2 => bytes[kept..].fill(0),
        _ => {}
    }
    bytes
}

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn what_was_not_synced_may_be_lost() {
    let disk = PowerDisk::new();
    let at = |name: &str| Path::new("/var/lib/tadpole").join(name);
    let content = |disk: &PowerDisk, name: &str| {
        let mut bytes = Vec::new();
        disk.open(&at(name)).ok()?.0.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    disk.create(&at("a")).unwrap();
    disk.append(&at("a"), b"one").unwrap();
    let gone = |disk: &PowerDisk, ways: &[Survives]| {
        ways.iter().map(|way| content(&disk.power_cut(*way), "a")).collect::<Vec<_>>()
    };
    let ways = [Survives::All, Survives::Nothing, Survives::Names, Survives::Bytes];
    let some = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(gone(&disk, &ways), [some("one"), None, some(""), None]);
    disk.sync(&at("a")).unwrap();
    assert_eq!(gone(&disk, &ways), [some("one"), None, some("one"), None]);
    disk.sync_folder(Path::new("/var/lib/tadpole")).unwrap();
    disk.append(&at("a"), b" two").unwrap();
    assert_eq!(gone(&disk, &ways), [some("one two"), some("one"), some("one"), some("one two")]);
    // A rename is one step, and lasts when its folder was synced.
    disk.sync(&at("a")).unwrap();
    disk.create(&at("b")).unwrap();
    disk.rename(&at("b"), &at("a")).unwrap();
    assert_eq!(gone(&disk, &ways), [some(""), some("one two"), some(""), some("one two")]);
    assert_eq!(content(&disk.power_cut(Survives::Nothing), "b"), None);
    disk.sync_folder(Path::new("/var/lib/tadpole")).unwrap();
    assert_eq!(gone(&disk, &ways), [some(""), some(""), some(""), some("")]);
}
