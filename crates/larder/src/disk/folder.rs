//! The folder in which the segments lie: who uses it, and which segments there are.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::record::Boot;
use crate::sync::plain::{Mutex, lock};

/// What a segment's file is called: this, and its number.
const SEGMENT: &str = "segment-";

/// What is locked.
const LOCK: &str = "lock";

/// What is no segment yet.
const UNFINISHED: &str = "unfinished";

/// The folder of a cache, which no other one uses while this is held.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// None when it was given up.
    held: Mutex<Option<Held>>,
}

/// What is open for as long as the folder is used.
#[derive(Debug)]
struct Held {
    /// Locked; the number of the newest segment is in it.
    lock: File,
    /// The folder itself, where one can be opened.
    directory: Option<File>,
    /// What becomes the next segment: a process that has as many files open as it may can go on for so long.
    next: Option<File>,
}

/// Why a folder cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// Another cache uses it, in this process or in another one.
    InUse,
    /// Any other reason: normal weather.
    Io(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Folder {
    /// Makes the folder if it is not there, and keeps all others out.
    pub(super) fn open(path: &Path) -> Result<Self, Unusable> {
        let held = Held::of(path)?;
        Ok(Self { path: path.to_owned(), held: Mutex::new(Some(held)) })
    }

    /// Lets others use it.
    pub(super) fn give_up(&self) {
        lock(&self.held).take();
    }

    /// Takes it again if what was locked is not there any more: it was removed, and others may use what is there now.
    ///
    /// # Errors
    ///
    /// If others do.
    pub(super) fn take_again(&self) -> io::Result<()> {
        let mut held = lock(&self.held);
        if held.as_ref().is_none_or(|held| held.is_of(&self.path)) {
            return Ok(());
        }
        *held = Some(Held::of(&self.path).map_err(|unusable| match unusable {
            Unusable::InUse => {
                io::Error::other("another cache uses the folder now: what kept it out was removed")
            }
            Unusable::Io(error) => error,
        })?);
        Ok(())
    }

    /// The numbers of the segments that are there, oldest first. What is none of ours is left alone.
    pub(super) fn segments(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for file in fs::read_dir(&self.path)? {
            let file = file?;
            let name = file.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(SEGMENT));
            let number = number.and_then(|number| u32::from_str_radix(number, 16).ok());
            let is_one = |number: &u32| {
                *name == *name_of(*number) && file.file_type().is_ok_and(|file| file.is_file())
            };
            numbers.extend(number.filter(is_one));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn path_of(&self, segment: u32) -> PathBuf {
        self.path.join(name_of(segment))
    }

    /// For reading, and for making it safe from a power cut, which not every system does without the right to write.
    pub(super) fn open_segment(&self, segment: u32) -> io::Result<File> {
        let path = self.path_of(segment);
        OpenOptions::new().read(true).write(true).open(&path).or_else(|_| File::open(path))
    }

    /// Makes the file of a segment, and makes sure that it will be missed if it is lost.
    pub(super) fn create(&self, segment: u32, size: u64, head: &[u8]) -> io::Result<File> {
        let mut guard = lock(&self.held);
        let Some(held) = guard.as_mut() else { return Err(io::Error::other("the folder was given up")) };
        if !held.is_of(&self.path) {
            return Err(io::Error::other("the file that keeps others out of the folder was removed"));
        }
        let is_there = |next: &File| is_same(next, &self.path.join(UNFINISHED));
        let next = held.next.take().filter(is_there);
        let mut file = next.map_or_else(|| unfinished(&self.path), Ok)?;
        file.write_all(head)?;
        file.set_len(size)?;
        file.sync_all()?;
        // One that is there is whole, whenever the process was killed.
        fs::rename(self.path.join(UNFINISHED), self.path_of(segment))?;
        held.directory.as_ref().map_or(Ok(()), File::sync_all)?;
        let mut newest = [0; 16];
        newest[..8].copy_from_slice(&u64::from(segment).to_be_bytes());
        let checksum = xxh3_64(&newest[..8]);
        newest[8..].copy_from_slice(&checksum.to_be_bytes());
        held.lock.seek(SeekFrom::Start(0))?;
        held.lock.write_all(&newest)?;
        held.lock.sync_data()?;
        held.next = unfinished(&self.path).ok();
        Ok(file)
    }

    /// The number of the newest segment that was made here; none if that cannot be read.
    pub(super) fn newest(&self) -> Option<u32> {
        let mut bytes = [0; 16];
        let mut guard = lock(&self.held);
        let lock = &mut guard.as_mut()?.lock;
        lock.seek(SeekFrom::Start(0)).ok()?;
        lock.read_exact(&mut bytes).ok()?;
        let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        u32::try_from(number(0)).ok().filter(|_| number(8) == xxh3_64(&bytes[..8]))
    }

    /// Removes a segment, if it is there.
    pub(super) fn remove(&self, segment: u32) -> io::Result<()> {
        match fs::remove_file(self.path_of(segment)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the segments up to this one.
    pub(super) fn remove_through(&self, through: u32) -> io::Result<()> {
        let numbers = self.segments()?;
        numbers.into_iter().filter(|number| *number <= through).try_for_each(|number| self.remove(number))
    }

    /// Removes all segments for good.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.segments()?.into_iter().try_for_each(|segment| self.remove(segment))?;
        lock(&self.held).as_ref().and_then(|held| held.directory.as_ref()).map_or(Ok(()), File::sync_all)
    }
}

impl Held {
    /// Makes the folder if it is not there, and keeps all others out.
    fn of(path: &Path) -> Result<Self, Unusable> {
        make(path)?;
        let lock = lock_file(&path.join(LOCK))?;
        // Where no file can be made, that is noticed when one is needed.
        Ok(Self { lock, directory: directory(path)?, next: unfinished(path).ok() })
    }

    /// Whether it is this folder's, as that is now.
    fn is_of(&self, path: &Path) -> bool {
        is_same(&self.lock, &path.join(LOCK))
    }
}

/// A file without a number, empty.
fn unfinished(path: &Path) -> io::Result<File> {
    let path = path.join(UNFINISHED);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Not what a link of this name leads to.
    private(OpenOptions::new().read(true).write(true).create_new(true)).open(path)
}

/// Whether a process, or the machine, has as many files open as it may.
pub(super) fn are_too_many(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
    #[cfg(windows)]
    let codes = [4]; // ERROR_TOO_MANY_OPEN_FILES
    #[cfg(not(any(unix, windows)))]
    let codes: [i32; 0] = [];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether a disk is full, or what this user may have of it.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn name_of(segment: u32) -> String {
    format!("{SEGMENT}{segment:08x}")
}

/// Which boot of the machine this is, where that can be known.
pub(super) fn boot() -> Option<Boot> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.trim().chars().filter(|symbol| *symbol != '-').collect();
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

#[cfg(unix)]
fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    // Values are in it.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn lock_file(path: &Path) -> Result<File, Unusable> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::{
        fs::{FlockOperation, OFlags, flock},
        io::Errno,
    };

    let mut options = OpenOptions::new();
    // Not what a link of this name leads to: others may write into the folder.
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let file = private(options.read(true).write(true).create(true).truncate(false)).open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Unusable::InUse),
        Err(error) => Err(Unusable::Io(error.into())),
    }
}

/// Others cannot open it at all.
#[cfg(windows)]
fn lock_file(path: &Path) -> Result<File, Unusable> {
    use std::os::windows::fs::OpenOptionsExt;

    const SHARING_VIOLATION: i32 = 32;
    let mut options = OpenOptions::new();
    match options.read(true).write(true).create(true).truncate(false).share_mode(0).open(path) {
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => Err(Unusable::InUse),
        opened => Ok(opened?),
    }
}

#[cfg(not(any(unix, windows)))]
fn lock_file(_: &Path) -> Result<File, Unusable> {
    Err(Unusable::Io(io::ErrorKind::Unsupported.into()))
}

/// By which the names in it are made safe from a power cut.
#[cfg(unix)]
fn directory(path: &Path) -> io::Result<Option<File>> {
    File::open(path).map(Some)
}

#[cfg(not(unix))]
fn directory(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Whether this file is the one with this name.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let is_same =
        |file: fs::Metadata, named: fs::Metadata| (file.dev(), file.ino()) == (named.dev(), named.ino());
    file.metadata().is_ok_and(|file| fs::symlink_metadata(path).is_ok_and(|named| is_same(file, named)))
}

/// It cannot be removed while it is open.
#[cfg(not(unix))]
fn is_same(_: &File, _: &Path) -> bool {
    true
}

#[cfg(all(test, unix, not(larder_loom)))]
mod tests {
    use std::{
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    /// By one who may write into the folder, at the worst of times.
    #[test]
    fn a_link_that_is_put_there_in_between_leads_nowhere() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mine, over) = (elsewhere.path().join("mine"), AtomicBool::new(false));
        fs::write(&mine, "mine").unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    _ = symlink(&mine, folder.path().join(UNFINISHED));
                }
            });
            for _ in 0..5_000 {
                if let Ok(mut file) = unfinished(folder.path()) {
                    _ = file.write_all(b"theirs");
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
    }
}
