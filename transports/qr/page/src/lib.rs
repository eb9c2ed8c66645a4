//! The QR scanner and shower for a browser's page, as WebAssembly: what the kiosk's page calls.
//!
//! What is it: exported functions without any glue but numbers and bytes, over [`Booth`], which
//! has what a page needs of `packmule-qr` and nothing else. `build.sh` makes `gateway/page/qr.wasm`
//! of it, which is committed, so that the product builds without a compiler for WebAssembly. Who
//! calls it: `gateway/page/qr.js`. What can go wrong: a decoder that panics ends the instance (there
//! is nothing to catch it in WebAssembly); the page begins a new one.
//!
//! # Passing bytes
//! The caller asks for room (`qr_input`), writes there, calls, and reads what came of it from
//! `qr_output`, `qr_output_length` bytes, before the next call.
#![expect(
    unsafe_code,
    reason = "names that are exported have to be declared unsafe to export; nothing else is"
)]

mod booth;

use std::cell::RefCell;

pub use booth::{Booth, codes_in};

/// Room for what is passed: a 4K picture of four bytes a pixel.
const MOST: u32 = 64 << 20;

thread_local! {
    static BOOTH: RefCell<Booth> = RefCell::new(Booth::default());
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what is to be read; how long it is.
fn put(bytes: Vec<u8>) -> u32 {
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    OUTPUT.set(bytes);
    length
}

/// Does something with what was passed.
fn with_input<T>(deed: impl FnOnce(&mut Booth, &[u8]) -> T) -> T {
    INPUT.with_borrow(|input| BOOTH.with_borrow_mut(|booth| deed(booth, input)))
}

/// Where the caller may write `length` bytes; null for more than is taken.
#[unsafe(no_mangle)]
pub extern "C" fn qr_input(length: u32) -> *mut u8 {
    if length > MOST {
        return core::ptr::null_mut();
    }
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length as usize, 0);
        input.as_mut_ptr()
    })
}

/// Where the outcome of the last call is.
#[unsafe(no_mangle)]
pub extern "C" fn qr_output() -> *const u8 {
    OUTPUT.with_borrow(Vec::as_ptr)
}

/// How long it is.
#[unsafe(no_mangle)]
pub extern "C" fn qr_output_length() -> u32 {
    OUTPUT.with_borrow(|output| u32::try_from(output.len()).unwrap_or_default())
}

/// Looks for codes in a picture of four bytes a pixel (red, green, blue, alpha). The outcome: each
/// code's length in four bytes, the least first, and what it says. How many there are.
#[unsafe(no_mangle)]
pub extern "C" fn qr_scan(width: u32, height: u32) -> u32 {
    let codes = INPUT.with_borrow(|input| codes_in(input, width, height));
    let count = u32::try_from(codes.len()).unwrap_or_default();
    let mut all = Vec::new();
    for code in codes {
        all.extend(u32::try_from(code.len()).unwrap_or_default().to_le_bytes());
        all.extend(code);
    }
    put(all);
    count
}

/// Takes in what a code says; what came of it, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn qr_take() -> u32 {
    put(with_input(Booth::take).to_string().into_bytes())
}

/// A message that has come whole, packed, the oldest first; 0: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn qr_message() -> u32 {
    put(BOOTH.with_borrow_mut(Booth::message).unwrap_or_default())
}

/// Adds a message to what is shown; what came of it, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn qr_offer() -> u32 {
    put(with_input(Booth::offer).to_string().into_bytes())
}

/// The code to show now: modules along one side with the quiet zone, 0 for nothing. The outcome:
/// a byte a module, row by row, 1 where it is dark.
#[unsafe(no_mangle)]
pub extern "C" fn qr_next() -> u32 {
    let (side, modules) = BOOTH.with_borrow_mut(Booth::next_code);
    put(modules);
    side
}

/// From now on in codes up to this version (1 to 40); 1 where that works.
#[unsafe(no_mangle)]
pub extern "C" fn qr_resize(largest: u32) -> u32 {
    u32::from(BOOTH.with_borrow_mut(|booth| booth.resize(largest)))
}

/// Codes a second from now on; 0 leaves it. What they are then.
#[unsafe(no_mangle)]
pub extern "C" fn qr_speed(codes_per_second: u32) -> u32 {
    BOOTH.with_borrow_mut(|booth| booth.speed(codes_per_second))
}

/// How everything stands, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn qr_state() -> u32 {
    put(BOOTH.with_borrow(Booth::state).to_string().into_bytes())
}

/// Shows nothing any more; what was scanned stays.
#[unsafe(no_mangle)]
pub extern "C" fn qr_stop() {
    BOOTH.with_borrow_mut(Booth::stop);
}
