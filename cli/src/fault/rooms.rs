//! Each room's errors as faults: which exit code, which hint.

use packmule_agent::did::DidError;
use packmule_agent::jose::JoseError;
use packmule_agent::keystore::KeystoreError;
use packmule_agent::pack::{OpenError, PackError};
use packmule_agent::resolve::ResolveError;

use packmule_bus::{DecodeError, EnvelopeError, InspectError};
use packmule_node::desk::{BookError, DeskError, JudgeError, SubmitError};
use packmule_node::{ApplyError, CreateError, HomeError, PeerError, QueueError, UnlockError};
use packmule_transports::drive::{
    CollectError, DeliverError, FolderError, MarkError, SettleError, SyncError,
};
use packmule_transports::qr::{DrawError, RenderError, ShowError, SourceError};

use super::{Fault, SPACE, exit_of_io};
use crate::exit::Exit;

impl From<HomeError> for Fault {
    fn from(err: HomeError) -> Self {
        let (exit, hint) = match &err {
            HomeError::NoHome(_) => (
                Exit::NotFound,
                "`packmule init` makes one; --home names another",
            ),
            HomeError::DiskFull | HomeError::ReadOnly => (Exit::NoSpace, SPACE),
            HomeError::Busy => (Exit::Internal, "wait until the other packmule is done"),
            HomeError::TooNew { .. } => (Exit::Damaged, "use the newer packmule"),
            HomeError::Damaged { .. } => (
                Exit::Damaged,
                "`packmule doctor` tells more; restore the home from a backup",
            ),
            HomeError::Io(io) => (exit_of_io(io), "check the disk and its permissions"),
            _ => (Exit::Internal, "`packmule doctor` tells more"),
        };
        Self::new(exit, err.to_string()).hint(hint)
    }
}

impl From<CreateError> for Fault {
    fn from(err: CreateError) -> Self {
        match err {
            CreateError::Home(home) => home.into(),
            CreateError::Exists(_) => Self::new(Exit::Exists, err.to_string())
                .hint("use it, or choose another with --home"),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<UnlockError> for Fault {
    fn from(err: UnlockError) -> Self {
        match err {
            UnlockError::Home(home) => home.into(),
            UnlockError::Keys(keys) => keys.into(),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<KeystoreError> for Fault {
    fn from(err: KeystoreError) -> Self {
        let what = err.to_string();
        match err {
            KeystoreError::WrongPassphrase => Self::new(Exit::Passphrase, what)
                .hint("try again; nothing was changed, and no one can reset a passphrase"),
            KeystoreError::Damaged(_) | KeystoreError::Unsupported(_) | KeystoreError::Key(_) => {
                Self::new(Exit::Damaged, what).hint("restore keys.sealed from a backup")
            }
            _ => Self::new(Exit::Internal, what),
        }
    }
}

impl From<PeerError> for Fault {
    fn from(err: PeerError) -> Self {
        let what = err.to_string();
        match err {
            PeerError::Home(home) => home.into(),
            PeerError::BadName(_) => Self::new(Exit::Usage, what),
            PeerError::NameTaken(_) | PeerError::DidTaken(_) => Self::new(Exit::Exists, what),
            PeerError::Unknown(_) => Self::new(Exit::NotFound, what),
            _ => Self::new(Exit::Internal, what),
        }
    }
}

impl From<QueueError> for Fault {
    fn from(err: QueueError) -> Self {
        match err {
            QueueError::Home(home) => home.into(),
            QueueError::NotAMessage(envelope) => envelope.into(),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<ApplyError> for Fault {
    fn from(err: ApplyError) -> Self {
        match err {
            ApplyError::Home(home) => home.into(),
            ApplyError::Peer(peer) => peer.into(),
            ApplyError::NotAMessage(envelope) => envelope.into(),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<BookError> for Fault {
    fn from(err: BookError) -> Self {
        match err {
            BookError::Home(home) => home.into(),
            BookError::Resolve(resolve) => resolve.into(),
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<DeskError> for Fault {
    fn from(err: DeskError) -> Self {
        match err {
            DeskError::Unlock(unlock) => unlock.into(),
            DeskError::Book(book) => book.into(),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<JudgeError> for Fault {
    fn from(err: JudgeError) -> Self {
        match err {
            JudgeError::Home(home) => home.into(),
            JudgeError::Apply(apply) => apply.into(),
            JudgeError::Book(book) => book.into(),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<SubmitError> for Fault {
    fn from(err: SubmitError) -> Self {
        match err {
            SubmitError::Home(home) => home.into(),
            SubmitError::Pack(pack) => pack.into(),
            SubmitError::Queue(queue) => queue.into(),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<EnvelopeError> for Fault {
    fn from(err: EnvelopeError) -> Self {
        let exit = match err {
            EnvelopeError::Empty => Exit::Damaged,
            _ => Exit::Refused,
        };
        let fault = Self::new(exit, err.to_string());
        match err {
            EnvelopeError::TooLarge { .. } => Self {
                problem: Some("e.p.me.res.storage.message_too_big".into()),
                ..fault
            }
            .hint("send large files in parts, or by a link"),
            _ => fault,
        }
    }
}

impl From<DecodeError> for Fault {
    fn from(err: DecodeError) -> Self {
        let hint = match err {
            DecodeError::UnknownVersion(_) => "use a newer packmule",
            _ => "ask for it to be sent again",
        };
        Self::damaged(err.to_string()).hint(hint)
    }
}

impl From<InspectError> for Fault {
    fn from(err: InspectError) -> Self {
        match err {
            InspectError::Envelope(envelope) => envelope.into(),
            InspectError::Decode(decode) => decode.into(),
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<OpenError> for Fault {
    fn from(err: OpenError) -> Self {
        let fault = Self::refused(err.problem(), format!("refused: {err}"));
        match &err {
            OpenError::Version1 => fault.hint("ask the sender for DIDComm v2"),
            OpenError::NotForUs { .. } => {
                fault.hint("it is for somebody else, or for keys of another home")
            }
            OpenError::Crypto => {
                fault.hint("it was changed on its way, or made by someone else; ask for it again")
            }
            OpenError::FromMismatch { .. } => {
                fault.hint("do not believe it: it is not from whom it says")
            }
            OpenError::Resolve { source, .. } => with_resolve_hint(fault, source),
            _ => fault,
        }
    }
}

impl From<PackError> for Fault {
    fn from(err: PackError) -> Self {
        let what = format!("cannot pack: {err}");
        match &err {
            PackError::Plaintext(_) => {
                Self::damaged(what).hint("a message needs at least id, type and body")
            }
            PackError::Combination(_) => Self::usage(what),
            PackError::From(_) => Self::usage(what).hint("change the message's `from`, or --from"),
            PackError::To(_) => Self::usage(what).hint("change the message's `to`, or --to"),
            PackError::Resolve { source, .. } => with_resolve_hint(Self::not_found(what), source),
            PackError::NoSenderKey(_) | PackError::NoSigningKey(_) => {
                Self::not_found(what).hint("give the keys with --secrets FILE, or use --anon")
            }
            PackError::NoRecipientKey(_) => Self::not_found(what),
            _ => Self::new(Exit::Internal, what),
        }
    }
}

impl From<ResolveError> for Fault {
    fn from(err: ResolveError) -> Self {
        let fault = match &err {
            ResolveError::Did(_) => Self::damaged(err.to_string()),
            _ => Self::not_found(err.to_string()),
        };
        with_resolve_hint(fault, &err)
    }
}

fn with_resolve_hint(fault: Fault, err: &ResolveError) -> Fault {
    match err {
        ResolveError::UnknownMethod { .. } => fault.hint("give its document with --did-doc FILE (pack, unpack), or ask for another DID"),
        ResolveError::Unknown { .. } | ResolveError::Stale { .. } => {
            fault.hint("accept the other side's invitation, or give its document with --did-doc FILE (accept, pack, unpack)")
        }
        _ => fault,
    }
}

impl From<DidError> for Fault {
    fn from(err: DidError) -> Self {
        Self::damaged(err.to_string())
    }
}

impl From<JoseError> for Fault {
    fn from(err: JoseError) -> Self {
        Self::new(Exit::Internal, err.to_string())
    }
}

impl From<FolderError> for Fault {
    fn from(err: FolderError) -> Self {
        let what = err.to_string();
        match &err {
            FolderError::Missing(_) => {
                Self::not_found(what).hint("mount the drive, or make the directory")
            }
            FolderError::NotAFolder(_) | FolderError::Uri(_) => Self::damaged(what),
            FolderError::Io { source, .. } => Self::new(exit_of_io(source), what),
            _ => Self::new(Exit::Internal, what).hint(GONE),
        }
    }
}

// A folder of exFAT whose last entry a power cut halved answers EIO, too.
const GONE: &str = "put the drive back (if it is there, let fsck repair it) and run the same command \
    again; nothing is lost or doubled";

impl From<DeliverError> for Fault {
    fn from(err: DeliverError) -> Self {
        let what = err.to_string();
        match err {
            DeliverError::Folder(folder) => folder.into(),
            DeliverError::Full { .. } | DeliverError::ReadOnly => {
                Self::new(Exit::NoSpace, what).hint(SPACE)
            }
            DeliverError::TooLarge { .. } => {
                Self::new(Exit::NoSpace, what).hint("use another medium for this one")
            }
            DeliverError::NotAMessage => Self::damaged(what),
            DeliverError::Io(io) => Self::new(exit_of_io(&io), what),
            _ => Self::new(Exit::Internal, what).hint(GONE),
        }
    }
}

impl From<CollectError> for Fault {
    fn from(err: CollectError) -> Self {
        let what = err.to_string();
        match err {
            CollectError::Folder(folder) => folder.into(),
            CollectError::Io(io) => Self::new(exit_of_io(&io), what),
            CollectError::Gone(_) => Self::new(Exit::Internal, what).hint(GONE),
            _ => Self::damaged(what),
        }
    }
}

impl From<SettleError> for Fault {
    fn from(err: SettleError) -> Self {
        match err {
            SettleError::Folder(folder) => folder.into(),
            other => Self::new(Exit::Internal, other.to_string()).hint(GONE),
        }
    }
}

impl From<SyncError> for Fault {
    fn from(err: SyncError) -> Self {
        match err {
            SyncError::Folder(folder) => folder.into(),
            SyncError::Io(io) => Self::new(
                exit_of_io(&io),
                format!("cannot make the drive safe to remove: {io}"),
            )
            .hint(GONE),
            other => Self::new(Exit::Internal, other.to_string()),
        }
    }
}

impl From<MarkError> for Fault {
    fn from(err: MarkError) -> Self {
        let what = err.to_string();
        match err {
            MarkError::Folder(folder) => folder.into(),
            MarkError::Full | MarkError::ReadOnly => Self::new(Exit::NoSpace, what).hint(SPACE),
            _ => Self::new(Exit::Internal, what).hint(GONE),
        }
    }
}

impl From<SourceError> for Fault {
    fn from(err: SourceError) -> Self {
        let what = err.to_string();
        match err {
            SourceError::File { source, .. } => {
                Self::new(exit_of_io(&source), what).hint("check the path")
            }
            SourceError::NoFfmpeg(_) => Self::new(Exit::NotFound, what).hint(
                "install ffmpeg (apt install ffmpeg), or give pictures, a GIF, or a y4m stream",
            ),
            SourceError::Ffmpeg { .. } => Self::damaged(what)
                .hint("pictures, videos and cameras can be scanned; `packmule qr scan --help`"),
            SourceError::Broken(io) => Self::new(exit_of_io(&io), what),
            _ => Self::damaged(what).hint("PNG, JPEG and GIF pictures and y4m streams can be read"),
        }
    }
}

impl From<RenderError> for Fault {
    fn from(err: RenderError) -> Self {
        let what = err.to_string();
        match err {
            RenderError::Write(io) => Self::new(exit_of_io(&io), what).hint(SPACE),
            RenderError::NoFfmpeg => Self::new(Exit::NotFound, what)
                .hint("install ffmpeg (apt install ffmpeg), or save as .gif, .png or .y4m"),
            _ => Self::new(Exit::Internal, what),
        }
    }
}

impl From<DrawError> for Fault {
    fn from(err: DrawError) -> Self {
        Self::new(Exit::Refused, err.to_string())
            .hint("it is too long for one QR code; shorten it, or use a file")
    }
}

impl From<ShowError> for Fault {
    fn from(err: ShowError) -> Self {
        match err {
            ShowError::Render(render) => render.into(),
            other => Self::new(Exit::Refused, other.to_string()).hint(
                "QR pictures carry messages of up to 4 MiB; use `packmule export` for larger ones",
            ),
        }
    }
}

impl From<packmule_agent::protocol::out_of_band::InvitationError> for Fault {
    fn from(err: packmule_agent::protocol::out_of_band::InvitationError) -> Self {
        Self::damaged(err.to_string()).hint("ask for the invitation again")
    }
}

impl From<packmule_agent::message::AttachmentError> for Fault {
    fn from(err: packmule_agent::message::AttachmentError) -> Self {
        Self::damaged(err.to_string())
    }
}
