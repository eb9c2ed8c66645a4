//! The halves of channels: sockets of BlueZ and of the kernel, values and SDUs.
//!
//! Called by [`crate::dial`] and [`crate::serve`]. What can go wrong: the connection ends, of which
//! both halves tell; the other side sends more than it may.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bluer::gatt::remote::{Characteristic, CharacteristicWriteRequest};
use bluer::gatt::{CharacteristicReader, CharacteristicWriter, WriteOp};
use bluer::l2cap::{
    FlowControl, PSM_LE_DYN_START, PSM_LE_MAX, SeqPacket, SeqPacketListener, Socket, SocketAddr,
};
use packmule_ble::plan::{self, Service};
use packmule_ble::radio::{Bearer, Channel};
use packmule_bus::link::{BoxFut, LinkError, LinkRx, LinkTx};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::guests::Hold;

/// Connections that the kernel lets wait.
const BACKLOG: u32 = 4;
/// A socket that is left may take so long to send what it was given, and is asked so often whether
/// it has: nothing tells.
const PARTING: Duration = Duration::from_secs(5);
const ASK: Duration = Duration::from_millis(10);
/// The receive MTU, in bytes.
#[expect(clippy::cast_possible_truncation, reason = "it is 1974")]
const SDU: u16 = plan::SDU as u16;

/// How values are written.
pub(crate) enum Writer {
    /// Without response, by a socket of BlueZ's.
    Commands(CharacteristicWriter),
    /// With response, one after the other.
    Requests(Characteristic),
}

/// A channel over a connection of which we are the central.
pub(crate) fn of_central(
    about: (&'static Service, usize, String),
    writer: Writer,
    reader: CharacteristicReader,
    hold: Hold,
) -> Channel {
    let (service, longest, with) = about;
    let hold = Arc::new(hold);
    Channel {
        service,
        bearer: Bearer::Gatt,
        longest,
        with,
        tx: Box::new(Written(writer, Arc::clone(&hold))),
        rx: Box::new(Notified(reader, hold)),
        answers: None,
    }
}

struct Written(Writer, #[expect(dead_code, reason = "held")] Arc<Hold>);

impl LinkTx for Written {
    fn send(&mut self, value: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let taken = match &self.0 {
                Writer::Commands(socket) => socket.send(&value).await.is_ok(),
                Writer::Requests(to) => {
                    let how = CharacteristicWriteRequest {
                        op_type: WriteOp::Request,
                        ..CharacteristicWriteRequest::default()
                    };
                    to.write_ext(&value, &how).await.is_ok()
                }
            };
            taken.then_some(()).ok_or(LinkError::Closed)
        })
    }
}

struct Notified(
    CharacteristicReader,
    #[expect(dead_code, reason = "held")] Arc<Hold>,
);

impl LinkRx for Notified {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            match self.0.recv().await {
                Ok(value) if !value.is_empty() => Ok(value),
                _ => Err(LinkError::Closed),
            }
        })
    }
}

/// A channel over an L2CAP socket whose other side takes our SDUs.
pub(crate) fn of_socket(socket: SeqPacket, with: String, hold: Hold) -> Channel {
    let room = socket.as_ref().output_buffer().unwrap_or_default();
    let shared = Arc::new(Shared {
        open: Some((socket, hold)),
        room,
    });
    Channel {
        service: &plan::OURS,
        bearer: Bearer::L2cap,
        longest: plan::SDU,
        with,
        tx: Box::new(Sent(Arc::clone(&shared))),
        rx: Box::new(Came(shared, Some(vec![0; plan::SDU]))),
        answers: None,
    }
}

/// A socket that is there until it is dropped. The kernel forgets what a closed one has not sent
/// yet for want of credits, a session's last words among it: so they are waited for.
struct Shared {
    open: Option<(SeqPacket, Hold)>,
    /// What its buffer holds, in bytes.
    room: u32,
}

impl Shared {
    fn socket(&self) -> Result<&SeqPacket, LinkError> {
        let here = self.open.as_ref().map(|(socket, _)| socket);
        here.ok_or(LinkError::Closed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let (Some(left), Ok(runtime)) = (self.open.take(), Handle::try_current()) else {
            return;
        };
        let room = self.room;
        runtime.spawn(async move {
            let _ = timeout(PARTING, sent(&left.0, room)).await;
            drop(left);
        });
    }
}

/// Until the kernel has sent everything; or the channel is over, and it never will. What came is not
/// asked for: of a closed socket the kernel tells once that it is, and from then on that it may be
/// read and that there is nothing, for ever, at which whoever waits for it turns round and round.
async fn sent(socket: &SeqPacket, room: u32) {
    // Of a Bluetooth socket the output buffer is what is free; only one that is connected has an MTU.
    let is_open = || socket.send_mtu().is_ok();
    let waits = || {
        socket
            .as_ref()
            .output_buffer()
            .is_ok_and(|free| free < room)
    };
    while is_open() && waits() {
        sleep(ASK).await;
    }
}

struct Sent(Arc<Shared>);

impl LinkTx for Sent {
    fn send(&mut self, sdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            match self.0.socket()?.send(&sdu).await {
                Ok(sent) if sent == sdu.len() => Ok(()),
                _ => Err(LinkError::Closed),
            }
        })
    }
}

/// The buffer is gone once the channel is over: it must not be read then, see [`sent`].
struct Came(Arc<Shared>, Option<Vec<u8>>);

impl LinkRx for Came {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            let Self(shared, buffer) = self;
            let room = buffer.as_mut().ok_or(LinkError::Closed)?;
            match shared.socket()?.recv(room).await {
                Ok(length @ 1..) => Ok(room.get(..length).unwrap_or_default().to_vec()),
                _ => {
                    *buffer = None;
                    Err(LinkError::Closed)
                }
            }
        })
    }
}

/// A socket for our SDUs, at this address of ours.
pub(crate) fn socket(ours: SocketAddr) -> io::Result<Socket<SeqPacket>> {
    let socket = Socket::<SeqPacket>::new_seq_packet()?;
    socket.bind(ours)?;
    // Kernels that do not know this option (it came with the enhanced mode, which may be switched
    // off) take an LE address and a PSM as reason enough.
    let _ = socket.set_flow_control(FlowControl::Le);
    socket.set_recv_mtu(SDU)?;
    Ok(socket)
}

/// Waits for channels; and on which PSM. The kernel would choose one too, but then it takes the
/// socket for one without credits.
pub(crate) fn listen(ours: SocketAddr) -> io::Result<(SeqPacketListener, u16)> {
    for psm in PSM_LE_DYN_START..=PSM_LE_MAX {
        match socket(SocketAddr { psm, ..ours }) {
            Ok(socket) => return Ok((socket.listen(BACKLOG)?, psm)),
            Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// May sessions go over it?
pub(crate) fn serves(socket: &SeqPacket) -> bool {
    socket.send_mtu().is_ok_and(plan::l2cap_serves)
}
