//! Where sockets of a home are, and who may be its one node.
//!
//! Called by server and client, by programs that serve a socket of their own in a home they hold,
//! and by who changes a home that no node may have open. The lock decides: whoever holds it is the
//! node, and a process that dies gives it back, whatever it left lying about. What can go wrong: a
//! file system without locks, which is told.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use sha2::{Digest, Sha256};

/// The node's own socket.
pub(super) const SOCKET: &str = "node.sock";
const LOCK: &str = "node.lock";
/// Longest path of a Unix socket that every system takes (`sun_path` has 104 to 108 bytes).
const LONGEST: usize = 100;

/// Only its holder runs the node of a home.
#[derive(Debug)]
#[must_use = "dropping it lets a node run"]
pub struct NodeLock {
    _file: File,
}

/// Why a process is not the node of a home.
#[derive(Debug)]
pub enum Taken {
    /// Another one is; its pid, if it said.
    Running(Option<u32>),
    /// The disk.
    Io(io::Error),
}

impl NodeLock {
    /// Takes it, if nobody holds it.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn take(home: &Path) -> Result<Self, Taken> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options
            .mode(0o600)
            .open(home.join(LOCK))
            .map_err(Taken::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let _ = file.take(20).read_to_string(&mut text);
                return Err(Taken::Running(text.trim().parse().ok()));
            }
            Err(errno) => return Err(Taken::Io(errno.into())),
        }
        // For people; a full disk is no reason not to run.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// What was made for a socket: removed when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it removes the socket"]
pub struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// Listens at the socket of this name in a home whose lock this process holds: whatever is there
/// was left by one that is gone. In a home whose path is too long for a socket lies a link to it
/// instead: clients need not have the node's environment to find it.
///
/// # Errors
/// The disk, or no folder of ours alone for the socket of a long path.
pub fn bind(home: &Path, name: &str) -> io::Result<(Made, UnixListener)> {
    let near = fs::canonicalize(home)?.join(name);
    remove(&near)?;
    let mut made = vec![near.clone()];
    let path = if near.as_os_str().len() <= LONGEST {
        near
    } else {
        let digest = Sha256::digest(near.as_os_str().as_bytes());
        let (name, _) = digest.split_at(12);
        let far = elsewhere()?.join(format!("{}.sock", HEXLOWER.encode(name)));
        remove(&far)?;
        symlink(&far, &near)?;
        made.push(far.clone());
        far
    };
    // Nobody else enters the folder it is in.
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok((Made(made), listener))
}

/// Where somebody listens at the socket of this name in a home, if anybody does.
///
/// # Errors
/// There is no such home, or nothing can be there.
pub fn socket(home: &Path, name: &str) -> io::Result<PathBuf> {
    let near = fs::canonicalize(home)?.join(name);
    match fs::read_link(&near) {
        Ok(far) => Ok(far),
        Err(_) if near.as_os_str().len() > LONGEST => Err(io::ErrorKind::NotFound.into()),
        Err(_) => Ok(near),
    }
}

/// What a node that is gone left.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A folder of ours alone, for homes whose path is too long for a socket.
fn elsewhere() -> io::Result<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let dir = match env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if dir.len() < LONGEST / 2 => Path::new(&dir).join("packmule"),
        _ => PathBuf::from(format!("/tmp/packmule-{uid}")),
    };
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let facts = fs::symlink_metadata(&dir)?;
    if facts.is_dir() && facts.uid() == uid && facts.mode() & 0o077 == 0 {
        return Ok(dir);
    }
    let what = format!("{} is not a folder of ours alone", dir.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}
