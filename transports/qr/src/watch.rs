//! A source of pictures, looked at by several threads, into one reader.
//!
//! Called by whoever scans. Finding codes is where the time goes (some 5 ms a picture), so pictures
//! are shared out; what the codes say is taken in by the caller's thread alone, in whatever order
//! it comes. What can go wrong: what the source reports; it is told, and ends nothing.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::grey::Grey;
use crate::reader::{Found, Reader};
use crate::scan::{scan, scan_quickly};
use crate::source::{FrameSource, SourceError};

/// More threads than this find little more to do: a 4K camera at 60 Hz keeps eight busy.
const MAX_THREADS: usize = 8;

/// What came of one step of a scan.
#[derive(Debug)]
pub enum Seen {
    /// What the codes of one picture led to; nothing in a picture without codes.
    Picture(Vec<Found>),
    /// A picture that could not be had.
    Missed(SourceError),
}

/// Draws `source` dry, or until `tell` breaks off. Returns how many pictures of a live source
/// were let go because all threads were busy.
///
/// `threads` is bounded to what the machine has and what is sensible; 0 means as many as that.
pub fn watch(
    source: &mut dyn FrameSource,
    reader: &mut Reader,
    threads: usize,
    mut tell: impl FnMut(&Reader, Seen) -> ControlFlow<()>,
) -> u32 {
    let available = thread::available_parallelism().map_or(1, usize::from);
    let threads = match threads {
        0 => available,
        n => n,
    };
    let threads = threads.clamp(1, MAX_THREADS);
    let stop = AtomicBool::new(false);
    let (jobs, queue) = mpsc::sync_channel(threads);
    let queue = Mutex::new(queue);
    let (done, results) = mpsc::sync_channel(2 * threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let done = done.clone();
            scope.spawn(|| work(&queue, done, &stop));
        }
        drop(done);
        let mut bench = Bench {
            jobs,
            results,
            waiting: 0,
            room: 2 * threads,
        };
        let skipped = pump(source, reader, &mut bench, &mut tell);
        stop.store(true, Ordering::Relaxed);
        skipped
    })
}

/// What one worker is given: the picture, and whether the next will show the same code.
type Job = (Grey, bool);

/// The workers as the caller's thread sees them.
struct Bench {
    jobs: SyncSender<Job>,
    results: Receiver<Vec<Vec<u8>>>,
    /// Pictures handed out whose results are not back.
    waiting: usize,
    /// As many as may be out at the same time: what the queues hold, so that neither side can
    /// wait for the other for ever.
    room: usize,
}

impl Bench {
    /// What the codes of a picture say that was handed out, if any is ready; with `wait`, when it
    /// is. None when nothing is out.
    fn collect(&mut self, wait: bool) -> Option<Vec<Vec<u8>>> {
        if self.waiting == 0 {
            return None;
        }
        let codes = if wait {
            self.results.recv().ok()
        } else {
            self.results.try_recv().ok()
        };
        self.waiting -= usize::from(codes.is_some());
        codes
    }
}

fn pump(
    source: &mut dyn FrameSource,
    reader: &mut Reader,
    bench: &mut Bench,
    tell: &mut impl FnMut(&Reader, Seen) -> ControlFlow<()>,
) -> u32 {
    let mut skipped = 0;
    while let Some(next) = source.next_frame() {
        match next {
            Err(error) => {
                if tell(reader, Seen::Missed(error)).is_break() {
                    return skipped;
                }
            }
            Ok(_) if source.is_live() && bench.waiting >= bench.room => skipped += 1,
            Ok(picture) => {
                if bench.jobs.send((picture, source.is_moving())).is_err() {
                    return skipped;
                }
                bench.waiting += 1;
            }
        }
        // A file waits until there is room for the next picture; a camera does not.
        while let Some(codes) = bench.collect(!source.is_live() && bench.waiting >= bench.room) {
            let found = reader.take_picture(&codes);
            if tell(reader, Seen::Picture(found)).is_break() {
                return skipped;
            }
        }
    }
    while let Some(codes) = bench.collect(true) {
        let found = reader.take_picture(&codes);
        if tell(reader, Seen::Picture(found)).is_break() {
            break;
        }
    }
    skipped
}

/// Looks at pictures until there are none.
fn work(queue: &Mutex<Receiver<Job>>, done: SyncSender<Vec<Vec<u8>>>, stop: &AtomicBool) {
    loop {
        // One waits for the next picture, the others for their turn to wait.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((picture, moving)) = next else {
            return;
        };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let codes = if moving {
            scan_quickly(&picture)
        } else {
            scan(&picture)
        };
        if done.send(codes).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Profile, show};
    use packmule_bus::Envelope;

    /// Pictures from memory.
    struct Memory {
        pictures: Vec<Grey>,
        next: usize,
        live: bool,
    }

    impl FrameSource for Memory {
        fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
            self.next += 1;
            if self.next == 2 {
                return Some(Err(SourceError::Stream("a bad one among good ones")));
            }
            let picture = self.pictures.get(self.next - 1).cloned();
            picture.map(Ok)
        }

        fn is_live(&self) -> bool {
            self.live
        }
    }

    fn filmed(live: bool) -> (Envelope, Memory) {
        let body: Vec<u8> = (0u32..2000).map(|n| (n * n / 7) as u8).collect();
        let sent = Envelope::from_packed(&body).expect("envelope");
        let shown = show(&sent, Profile::Robust).expect("show");
        let pictures = shown
            .pictures()
            .map(|picture| {
                let png = picture.expect("picture").png(3).expect("png");
                let seen = image::load_from_memory(&png).expect("png").into_luma8();
                Grey::new(seen.width(), seen.height(), seen.into_raw()).expect("grey")
            })
            .collect();
        let next = 0;
        let memory = Memory {
            pictures,
            next,
            live,
        };
        (sent, memory)
    }

    #[test]
    fn any_number_of_threads_reads_the_same() {
        for threads in [1, 2, 5] {
            let (sent, mut film) = filmed(false);
            let frames = film.pictures.len();
            let mut reader = Reader::default();
            let (mut got, mut missed) = (Vec::new(), 0);
            let skipped = watch(&mut film, &mut reader, threads, |_, seen| {
                match seen {
                    Seen::Picture(found) => got.extend(found),
                    Seen::Missed(_) => missed += 1,
                }
                ControlFlow::Continue(())
            });
            assert!(got.contains(&Found::Envelope(sent)), "{threads} threads");
            assert_eq!((skipped, missed), (0, 1));
            assert_eq!(reader.tally().pictures as usize, frames - 1);
        }
    }

    #[test]
    fn breaking_off_ends_it_at_once() {
        let (_, mut film) = filmed(false);
        let mut reader = Reader::default();
        watch(&mut film, &mut reader, 1, |_, _| ControlFlow::Break(()));
        assert!(film.next < 5, "{} pictures were drawn", film.next);
    }

    #[test]
    fn a_live_source_is_never_kept_waiting() {
        let (_, mut film) = filmed(true);
        let frames = film.pictures.len() * 20;
        film.pictures = film.pictures.iter().cycle().take(frames).cloned().collect();
        let mut reader = Reader::default();
        let skipped = watch(&mut film, &mut reader, 1, |_, _| ControlFlow::Continue(()));
        assert!(skipped > 0, "one thread kept up with memory");
        assert_eq!(reader.tally().pictures + skipped + 1, frames as u32);
    }
}
