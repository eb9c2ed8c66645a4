//! QR codes: one still picture or a fountain of frames.
