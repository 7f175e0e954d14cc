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

/// The folder of a cache, which no other one uses while this is held.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked; the number of the newest segment is in it. None when it was given up.
    lock: Mutex<Option<File>>,
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
        make(path)?;
        let lock = lock_file(&path.join("lock"))?;
        Ok(Self { path: path.to_owned(), lock: Mutex::new(Some(lock)) })
    }

    /// Lets others use it.
    pub(super) fn give_up(&self) {
        lock(&self.lock).take();
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

    /// Makes the file of a segment, and makes sure that it will be missed if it is lost.
    pub(super) fn create(&self, segment: u32, size: u64, head: &[u8]) -> io::Result<File> {
        // One that is there is whole, whenever the process was killed.
        let unfinished = self.path.join("unfinished");
        let mut options = OpenOptions::new();
        let mut file =
            private(options.read(true).write(true).create(true).truncate(true)).open(&unfinished)?;
        file.write_all(head)?;
        file.set_len(size)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path_of(segment))?;
        sync_folder(&self.path)?;
        let mut newest = [0; 16];
        newest[..8].copy_from_slice(&u64::from(segment).to_be_bytes());
        let checksum = xxh3_64(&newest[..8]);
        newest[8..].copy_from_slice(&checksum.to_be_bytes());
        let guard = lock(&self.lock);
        let Some(mut held) = guard.as_ref() else { return Err(io::Error::other("the folder was given up")) };
        held.seek(SeekFrom::Start(0))?;
        held.write_all(&newest)?;
        held.sync_data()?;
        Ok(file)
    }

    /// The number of the newest segment that was made here; none if that cannot be read.
    pub(super) fn newest(&self) -> Option<u32> {
        let mut bytes = [0; 16];
        let guard = lock(&self.lock);
        let mut held = guard.as_ref()?;
        held.seek(SeekFrom::Start(0)).ok()?;
        held.read_exact(&mut bytes).ok()?;
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

    /// Removes all segments for good.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.segments()?.into_iter().try_for_each(|segment| self.remove(segment))?;
        sync_folder(&self.path)
    }
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
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };

    let file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)?;
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

/// The names in it are safe from a power cut.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
