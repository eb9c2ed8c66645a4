//! A whole copy of a store, as of one moment, while others go on.
//!
//! Called by [`crate::PostgresStore`], on a connection of its own. The copy is a script for
//! `psql`, so that it can be read, moved to another version of the server, and restored where no
//! packmule is: `psql -v ON_ERROR_STOP=1 -f COPY DATABASE`, into a database without mailboxes. It
//! is written under another name and synced before it takes its own. What can go wrong: the disk
//! of the copy, or the server; then nothing of it stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use packmule_gateway::store::StoreError;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use crate::days;
use crate::fault::fault;
use crate::schema::{COUNTERS, TABLES};

/// Pieces of the copy that wait for the disk.
const PIECES: usize = 16;

/// Writes what the client's database holds.
pub(crate) async fn write(db: &Client, to: &Path) -> Result<(), StoreError> {
    let (pieces, mut coming) = mpsc::channel::<Vec<u8>>(PIECES);
    let to = to.to_owned();
    let disk = tokio::task::spawn_blocking(move || {
        let part = part(&to);
        let written = create(&part).and_then(|mut file| {
            let mut last = Vec::new();
            while let Some(piece) = coming.blocking_recv() {
                file.write_all(&piece)?;
                last = piece;
            }
            // Whoever told it did not come to the end.
            if last != END.as_bytes() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.sync_all()?;
            fs::rename(&part, &to)
        });
        if written.is_err() {
            let _ = fs::remove_file(&part);
            return written;
        }
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or_else(|| Path::new(".")))?.sync_all()
    });
    let told = tell(db, &pieces).await;
    drop(pieces);
    let written = disk.await.map_err(|_| StoreError::Shut)?;
    told?;
    written.map_err(at_disk)
}

/// The last words of a copy.
const END: &str = "COMMIT;\n";

async fn tell(db: &Client, pieces: &mpsc::Sender<Vec<u8>>) -> Result<(), StoreError> {
    let say = async |text: String| {
        // The disk's side tells why it ended.
        let _ = pieces.send(text.into_bytes()).await;
    };
    db.batch_execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0;
        SET LOCAL idle_in_transaction_session_timeout = 0",
    )
    .await
    .map_err(fault)?;
    say(format!(
        "-- Mailboxes of a packmule gateway. They are restored into a database without any:\n\
        --   psql -v ON_ERROR_STOP=1 -f THIS_FILE DATABASE\n\
        BEGIN;\nCREATE SCHEMA packmule;\n{TABLES}"
    ))
    .await;
    for day in days::list(db).await? {
        say(days::sql(day)).await;
    }
    for (table, columns) in TOLD {
        say(format!("COPY packmule.{table} ({columns}) FROM stdin;\n")).await;
        let rows = format!("COPY (SELECT {columns} FROM {table}) TO STDOUT");
        let mut rows = std::pin::pin!(db.copy_out(&rows).await.map_err(fault)?);
        while let Some(piece) = rows.next().await {
            if pieces.send(piece.map_err(fault)?.to_vec()).await.is_err() {
                return Ok(());
            }
        }
        say("\\.\n".to_owned()).await;
    }
    let last = db.query_one("SELECT last_value FROM letter_numbers", &[]);
    let last: i64 = last.await.map_err(fault)?.get(0);
    say(format!(
        "{COUNTERS}SELECT setval('packmule.letter_numbers', {last});\n"
    ))
    .await;
    for (table, number) in [
        ("accounts", "account"),
        ("bindings", "binding"),
        ("seen", "number"),
        ("dead", "dead"),
    ] {
        say(format!(
            "SELECT setval(pg_get_serial_sequence('packmule.{table}', '{number}'),\n    \
            (SELECT coalesce(max({number}), 0) + 1 FROM packmule.{table}), false);\n"
        ))
        .await;
    }
    say(END.to_owned()).await;
    Ok(())
}

/// What is told, in this order.
const TOLD: [(&str, &str); 7] = [
    ("totals", "one, letters, bytes"),
    ("accounts", "account, did, opened, letters, bytes"),
    ("bindings", "binding, did, account, since"),
    (
        "letters",
        "seq, account, recipient, envelope, sender, priority, received, expires, not_before, \
        bytes, form",
    ),
    ("known", "account, envelope, seq, expires, until"),
    ("seen", "message, until, number"),
    (
        "dead",
        "dead, envelope, account, recipient, bytes, received, ended, why",
    ),
];

fn part(to: &Path) -> PathBuf {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

/// Nobody else may read it.
fn create(part: &Path) -> io::Result<File> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(part)
}

fn at_disk(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
        _ => StoreError::Broken {
            what: error.to_string(),
        },
    }
}
