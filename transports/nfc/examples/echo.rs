//! A card on a chip that says every PDU again, and shows a link to phones: DEVICE, URI.
//!
//! What is it: the shortest use of the transport, and what foreign readers are tried against. Who
//! calls it: `tests/nfc/run.py`. What can go wrong: no chip; it says so and ends.

use packmule_bus::link::{Port, Transport, Way};
use packmule_nfc::Nfc;
use packmule_nfc::ndef::{self, Record};
use packmule_nfc::t4t::Type4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(device), Some(uri)) = (words.next(), words.next()) else {
        return Err("DEVICE and URI are needed".into());
    };
    let tag = Type4::showing(&ndef::write(&[Record::of_uri(&uri)])?)?;
    let way = Way::parse(&format!("nfc:{device}?card")).ok_or("no way")?;
    let mut listener = Nfc::serial().showing(tag).listen(&way).await?;
    println!("ready");
    loop {
        let Port::Link(mut link) = listener.accept().await? else {
            continue;
        };
        while let Ok(pdu) = link.rx.recv().await {
            if link.tx.send(pdu).await.is_err() {
                break;
            }
        }
    }
}
