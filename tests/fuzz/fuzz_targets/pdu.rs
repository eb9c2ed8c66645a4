//! PDUs from strangers: nothing panics, and whatever is read is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_bus::pdu::control::Control;
use packmule_bus::pdu::frame::{Frame, Frames, put_ack, put_control, put_segment};
use packmule_bus::pdu::hello::Hello;
use packmule_bus::pdu::packet::{Handshake, Packet, with_checksum};

fuzz_target!(|data: &[u8]| {
    let mut stream = data;
    while let Ok(Some((control, length))) = Control::read(stream) {
        let mut again = Vec::new();
        control.write(&mut again);
        // A reason of a later version is read as another one; all else has one form.
        if !matches!(control, Control::Later | Control::Refuse(_)) {
            assert_eq!(again, stream[..length], "{control:?}");
        }
        stream = &stream[length..];
    }
    for frame in Frames::new(data).flatten() {
        let mut again = Vec::new();
        match &frame {
            Frame::Ack { packets, delay } => {
                assert!(put_ack(&mut again, packets, *delay, usize::MAX));
            }
            Frame::Control { offset, bytes } => put_control(&mut again, *offset, bytes, false),
            Frame::Segment {
                handle,
                offset,
                bytes,
            } => put_segment(&mut again, *handle, *offset, bytes, false),
            _ => continue,
        }
        assert_eq!(Frames::new(&again).next(), Some(Ok(frame)));
    }
    if let Ok(hello) = Hello::from_bytes(data) {
        let again = hello.to_bytes();
        assert_eq!(Hello::from_bytes(&again), Ok(hello));
    }
    if let Ok(handshake) = Handshake::read(data) {
        assert_eq!(handshake.to_bytes(), data);
    }
    let _ = Packet::read(data);
    let _ = Packet::read(&with_checksum(data.to_vec()));
});
