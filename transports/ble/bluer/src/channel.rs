//! The halves of channels: sockets of BlueZ and of the kernel, values and SDUs.
//!
//! Called by [`crate::dial`] and [`crate::serve`]. What can go wrong: the connection ends, of which
//! both halves tell; the other side sends more than it may.

use std::sync::Arc;

use bluer::gatt::{CharacteristicReader, CharacteristicWriter};
use bluer::l2cap::{FlowControl, SeqPacket, SeqPacketListener, Socket, SocketAddr};
use packmule_ble::plan;
use packmule_ble::radio::{Bearer, Channel};
use packmule_bus::link::{BoxFut, LinkError, LinkRx, LinkTx};

use crate::guests::Hold;

/// Connections that the kernel lets wait.
const BACKLOG: u32 = 4;
/// The receive MTU, in bytes.
#[expect(clippy::cast_possible_truncation, reason = "it is 1974")]
const SDU: u16 = plan::SDU as u16;

/// A channel over a connection of which we are the central.
pub(crate) fn of_central(
    longest: usize,
    with: String,
    writer: CharacteristicWriter,
    reader: CharacteristicReader,
    hold: Hold,
) -> Channel {
    let hold = Arc::new(hold);
    Channel {
        bearer: Bearer::Gatt,
        longest,
        with,
        tx: Box::new(Written(writer, Arc::clone(&hold))),
        rx: Box::new(Notified(reader, hold)),
    }
}

struct Written(
    CharacteristicWriter,
    #[expect(dead_code, reason = "held")] Arc<Hold>,
);

impl LinkTx for Written {
    fn send(&mut self, value: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move { self.0.send(&value).await.map_err(|_| LinkError::Closed) })
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
    let shared = Arc::new((socket, hold));
    Channel {
        bearer: Bearer::L2cap,
        longest: plan::SDU,
        with,
        tx: Box::new(Sent(Arc::clone(&shared))),
        rx: Box::new(Came(shared, vec![0; plan::SDU])),
    }
}

struct Sent(Arc<(SeqPacket, Hold)>);

impl LinkTx for Sent {
    fn send(&mut self, sdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            match self.0.0.send(&sdu).await {
                Ok(sent) if sent == sdu.len() => Ok(()),
                _ => Err(LinkError::Closed),
            }
        })
    }
}

struct Came(Arc<(SeqPacket, Hold)>, Vec<u8>);

impl LinkRx for Came {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            match self.0.0.recv(&mut self.1).await {
                Ok(length @ 1..) => Ok(self.1.get(..length).unwrap_or_default().to_vec()),
                _ => Err(LinkError::Closed),
            }
        })
    }
}

/// A socket for our SDUs, at this address of ours.
pub(crate) fn socket(ours: SocketAddr) -> std::io::Result<Socket<SeqPacket>> {
    let socket = Socket::<SeqPacket>::new_seq_packet()?;
    socket.bind(ours)?;
    socket.set_flow_control(FlowControl::Le)?;
    socket.set_recv_mtu(SDU)?;
    Ok(socket)
}

/// Waits for channels; and on which PSM.
pub(crate) fn listen(ours: SocketAddr) -> std::io::Result<(SeqPacketListener, u16)> {
    let listener = socket(ours)?.listen(BACKLOG)?;
    let psm = listener.as_ref().local_addr()?.psm;
    Ok((listener, psm))
}

/// May sessions go over it?
pub(crate) fn serves(socket: &SeqPacket) -> bool {
    socket.send_mtu().is_ok_and(plan::l2cap_serves)
}
