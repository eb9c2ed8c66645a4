//! Files in and out: bounded reading, whole writing, names from strangers made safe.
//!
//! Who calls it: verbs. What can go wrong: input larger than any message may be, a full disk
//! (the half-written file is removed), a name that tries to leave its directory (it cannot).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use packmule_agent::message::safe_filename;

use crate::exit::Exit;
use crate::fault::{Fault, SPACE};

/// The most we read of anything, in bytes: base64 and JSON around an envelope of 64 MiB.
pub(crate) const MAX_INPUT: u64 = 96 << 20;

/// Reads a file, or standard input for `None` and `-`.
pub(crate) fn read_input(path: Option<&Path>) -> Result<Vec<u8>, Fault> {
    match path {
        Some(path) if path != Path::new("-") => {
            let file = File::open(path).map_err(|err| Fault::file("open", path, &err))?;
            bounded(file).map_err(|err| Fault::file("read", path, &err))
        }
        _ => bounded(io::stdin().lock())
            .map_err(|err| Fault::new(Exit::Damaged, format!("cannot read standard input: {err}"))),
    }
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("more than {MAX_INPUT} bytes"),
        ));
    }
    Ok(bytes)
}

/// Writes a whole file or none: a temporary name beside it, then a rename.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let mut name = path
        .file_name()
        .ok_or_else(|| Fault::usage(format!("{} names no file", path.display())))?
        .to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let tmp = path.with_file_name(name);
    let written = (|| {
        let mut file = File::create(&tmp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&tmp, path)
    })();
    written.map_err(|err| {
        // The rename did not happen, so whatever lies there is ours and half.
        let _ = fs::remove_file(&tmp);
        Fault::file("write", path, &err)
    })
}

/// Makes a directory and its parents, if missing.
pub(crate) fn make_dir(dir: &Path) -> Result<(), Fault> {
    fs::create_dir_all(dir).map_err(|err| Fault::file("make the directory", dir, &err))
}

/// Writes into `dir` under a stranger's file name, made safe; an existing file is never
/// replaced (`photo.jpg`, `photo-2.jpg`, …). Returns where it lies.
pub(crate) fn save_new(dir: &Path, wish: &str, bytes: &[u8]) -> Result<PathBuf, Fault> {
    let name = safe_filename(wish).unwrap_or_else(|| "attachment".to_owned());
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name.as_str(), String::new()),
    };
    for number in 1..10_000_u32 {
        let path = if number == 1 {
            dir.join(&name)
        } else {
            dir.join(format!("{stem}-{number}{extension}"))
        };
        // create_new also refuses to follow a link that lies in wait under that name.
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(err) => return Err(Fault::file("write", &path, &err)),
        };
        if let Err(err) = file.write_all(bytes).and_then(|()| file.sync_all()) {
            let _ = fs::remove_file(&path);
            return Err(Fault::file("write", &path, &err).hint(SPACE));
        }
        return Ok(path);
    }
    Err(Fault::new(
        Exit::Exists,
        format!("too many files called {name} in {}", dir.display()),
    )
    .hint("save into another directory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mallorys_names_stay_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        for (wish, name) in [
            ("../../etc/passwd", "passwd"),
            ("-rf", "rf"),
            ("..", "attachment"),
            ("a\u{2028}b", "a_b"),
            ("CONIN$", "_CONIN$"),
        ] {
            let path = save_new(dir.path(), wish, b"").unwrap();
            assert_eq!(path, dir.path().join(name), "{wish:?}");
        }
    }

    #[test]
    fn nothing_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let first = save_new(dir.path(), "map.png", b"one").unwrap();
        let second = save_new(dir.path(), "map.png", b"two").unwrap();
        assert_eq!(fs::read(first).unwrap(), b"one");
        assert_eq!(fs::read(&second).unwrap(), b"two");
        assert!(second.ends_with("map-2.png"));
    }
}
